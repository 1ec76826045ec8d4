// SPDX-License-Identifier: MIT
/*
 * check_netif_vnet.c: what a ring knows of a packet in the kernel's words, and back.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/netif_vnet.h"
#include "tests/unit/frames.h"

static const struct netif_offer all = { true, true, true, true, true };
static const struct netif_offer nothing;

static const struct frame_recipe tcp4 = {
    .version = 4, .protocol = 6, .payload_bytes = 1000, .has_cwr = true
};
static const struct frame_recipe tcp6 = { .version = 6, .protocol = 6, .payload_bytes = 1000 };
static const struct frame_recipe udp6 = { .version = 6, .protocol = 17, .payload_bytes = 99 };
static const struct frame_recipe icmp = { .version = 4, .protocol = 1, .payload_bytes = 56 };

static void test_blank_checksum_there_and_back(void **state)
{
    const struct frame_recipe *recipes[] = { &tcp4, &tcp6, &udp6 };

    for (size_t i = 0; i < 3; i++) {
        uint8_t bytes[FRAME_BYTES_MAX], made[FRAME_BYTES_MAX];
        struct netif_packet packet = { .is_csum_blank = true }, back;
        struct virtio_net_hdr vnet;
        uint32_t transport;

        packet.length_bytes = frame_make(made, recipes[i], &transport);
        memcpy(bytes, made, packet.length_bytes);
        /* Whatever the guest left in the field, the kernel finds the pseudo header's sum. */
        memset(bytes + transport + (recipes[i]->protocol == 6 ? 16 : 6), 0xff, 2);
        assert_int_equal(netif_vnet_give(&vnet, &packet, bytes), NETIF_VERDICT_OK);
        assert_int_equal(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
        assert_int_equal(vnet.csum_start, transport);
        assert_int_equal(netif_vnet_take(&back, &vnet, bytes, packet.length_bytes, &all), NETIF_VERDICT_OK);
        assert_true(back.is_csum_blank && back.is_validated);
        /* A guest that did not ask for it gets the whole checksum. */
        assert_int_equal(netif_vnet_take(&back, &vnet, bytes, packet.length_bytes, &nothing),
                         NETIF_VERDICT_OK);
        assert_true(!back.is_csum_blank && back.is_validated);
        assert_memory_equal(bytes, made, packet.length_bytes);
    }
}

static void test_offers_differ_by_ip_version(void **state)
{
    const struct netif_offer only4 = { .can_csum_ipv4 = true };
    uint8_t bytes[FRAME_BYTES_MAX];
    struct netif_packet packet = { .is_csum_blank = true }, back;
    struct virtio_net_hdr vnet;
    uint32_t transport;

    packet.length_bytes = frame_make(bytes, &tcp4, &transport);
    netif_vnet_give(&vnet, &packet, bytes);
    netif_vnet_take(&back, &vnet, bytes, packet.length_bytes, &only4);
    assert_true(back.is_csum_blank);
    packet.length_bytes = frame_make(bytes, &tcp6, &transport);
    netif_vnet_give(&vnet, &packet, bytes);
    netif_vnet_take(&back, &vnet, bytes, packet.length_bytes, &only4);
    assert_false(back.is_csum_blank);
}

static void test_segmentation_there_and_back(void **state)
{
    const struct frame_recipe *recipes[] = { &tcp4, &tcp6 };

    for (uint8_t i = 0; i < 2; i++) {
        uint8_t bytes[FRAME_BYTES_MAX];
        /* Not marked as blank: some guests forget that, and it is meant. */
        struct netif_packet packet = { .gso_type = XEN_NETIF_GSO_TYPE_TCPV4 + i, .gso_bytes = 536 }, back;
        struct virtio_net_hdr vnet;
        uint32_t transport;

        packet.length_bytes = frame_make(bytes, recipes[i], &transport);
        assert_int_equal(netif_vnet_give(&vnet, &packet, bytes), NETIF_VERDICT_OK);
        assert_int_equal(vnet.gso_type,
                         i ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
        assert_int_equal(vnet.gso_size, 536);
        assert_int_equal(vnet.hdr_len, packet.length_bytes - 1000);
        assert_int_equal(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
        assert_int_equal(netif_vnet_take(&back, &vnet, bytes, packet.length_bytes, &all), NETIF_VERDICT_OK);
        assert_int_equal(back.gso_type, packet.gso_type);
        assert_int_equal(back.gso_bytes, 536);
        assert_true(back.is_csum_blank);
        assert_int_equal(netif_vnet_take(&back, &vnet, bytes, packet.length_bytes, &nothing),
                         NETIF_VERDICT_GSO_TYPE);
        packet.gso_type = XEN_NETIF_GSO_TYPE_TCPV6 - i;
        assert_int_equal(netif_vnet_give(&vnet, &packet, bytes), NETIF_VERDICT_GSO_NOT_TCP);
    }
}

static void test_nothing_known_is_nothing_said(void **state)
{
    struct netif_packet packet = { 0 }, back;
    uint8_t bytes[FRAME_BYTES_MAX];
    struct virtio_net_hdr vnet;
    uint32_t transport;

    packet.length_bytes = frame_make(bytes, &icmp, &transport);
    assert_int_equal(netif_vnet_give(&vnet, &packet, bytes), NETIF_VERDICT_OK);
    assert_int_equal(vnet.flags, 0);
    assert_int_equal(netif_vnet_take(&back, &vnet, bytes, packet.length_bytes, &all), NETIF_VERDICT_OK);
    assert_true(!back.is_csum_blank && !back.is_validated);
    packet.is_csum_blank = true;
    assert_int_equal(netif_vnet_give(&vnet, &packet, bytes), NETIF_VERDICT_NO_CHECKSUM);
    assert_int_equal(netif_vnet_settle(&packet, bytes), NETIF_VERDICT_NO_CHECKSUM);
}

static void test_checksum_at_a_strange_place_is_completed(void **state)
{
    struct virtio_net_hdr vnet = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 2 };
    uint8_t bytes[FRAME_BYTES_MAX];
    struct netif_packet back;
    uint32_t transport, length = frame_make(bytes, &icmp, &transport);

    memset(bytes + 36, 0, 2);
    assert_int_equal(netif_vnet_take(&back, &vnet, bytes, length, &all), NETIF_VERDICT_OK);
    assert_false(back.is_csum_blank);
    assert_int_equal(netif_csum_fold(netif_csum_add(0, bytes + 34, length - 34)), 0xffff);
    vnet.csum_start = (uint16_t)length;
    assert_int_equal(netif_vnet_take(&back, &vnet, bytes, length, &all), NETIF_VERDICT_NO_CHECKSUM);
}

static void test_settle_completes(void **state)
{
    uint8_t bytes[FRAME_BYTES_MAX], made[FRAME_BYTES_MAX];
    struct netif_packet packet = { .is_csum_blank = true };
    uint32_t transport;

    packet.length_bytes = frame_make(made, &udp6, &transport);
    memcpy(bytes, made, packet.length_bytes);
    memset(bytes + transport + 6, 0, 2);
    assert_int_equal(netif_vnet_settle(&packet, bytes), NETIF_VERDICT_OK);
    assert_false(packet.is_csum_blank);
    assert_memory_equal(bytes, made, packet.length_bytes);
}

static void test_lengths_of_what_comes_in(void **state)
{
    struct virtio_net_hdr vnet = { 0 };
    struct netif_packet back;
    uint8_t bytes[20] = { 0 };

    assert_int_equal(netif_vnet_take(&back, &vnet, bytes, 13, &all), NETIF_VERDICT_TOO_SHORT);
    assert_int_equal(netif_vnet_take(&back, &vnet, bytes, 65536, &all), NETIF_VERDICT_TOO_LONG);
    vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP;
    assert_int_equal(netif_vnet_take(&back, &vnet, bytes, 20, &all), NETIF_VERDICT_GSO_TYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blank_checksum_there_and_back),
        cmocka_unit_test(test_offers_differ_by_ip_version),
        cmocka_unit_test(test_segmentation_there_and_back),
        cmocka_unit_test(test_nothing_known_is_nothing_said),
        cmocka_unit_test(test_checksum_at_a_strange_place_is_completed),
        cmocka_unit_test(test_settle_completes),
        cmocka_unit_test(test_lengths_of_what_comes_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
