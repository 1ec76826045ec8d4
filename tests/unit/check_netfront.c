// SPDX-License-Identifier: MIT
/*
 * check_netfront.c: a whole handle of a network device over a store and grants in this process: connecting, packets
 * both ways with their offloads, events, closing, and a backend that lies. The test plays the backend.
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/netif_header.h"
#include "common/netif_tx.h"
#include <xen/io/xenbus.h>

#include "frontend/xenfront.h"
#include "tests/unit/fake_hyper.h"
#include "tests/unit/fake_store.h"

#define FRONT_DIR "/local/domain/0/device/vif/0"
#define FRONT FRONT_DIR "/"
#define BACK_DIR "/local/domain/0/backend/vif/0/0"
#define BACK BACK_DIR "/"
#define ALL_PAGES (2 + 256 + 256)

static struct xenfront_net *net;
static netif_tx_back_ring_t tx;
static netif_rx_back_ring_t rx;

static void state_set(unsigned int state)
{
    char text[8];

    snprintf(text, sizeof(text), "%u", state);
    fake_store_write(BACK "state", text);
}

static void setup_with(const struct xenfront_net_options *options)
{
    static const char *const features[] = { "feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6",
                                            "feature-ipv6-csum-offload", "feature-rx-copy" };

    fake_store_reset();
    fake_hyper_reset();
    fake_store_write(FRONT "backend", BACK_DIR);
    fake_store_write(FRONT "backend-id", "0");
    fake_store_write(FRONT "mac", "00:16:3E:00:00:01");
    fake_store_write(FRONT "state", "1");
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        char path[128];

        snprintf(path, sizeof(path), BACK "%s", features[i]);
        fake_store_write(path, "1");
    }
    state_set(XenbusStateInitWait);
    net = xenfront_net_new(options);
    assert_non_null(net);
    assert_int_equal(xenfront_net_open(net, "0"), 0);
}

static int setup(void **state)
{
    setup_with(NULL);
    return 0;
}

static int setup_plain(void **state)
{
    struct xenfront_net_options options = { .size = sizeof(options), .flags = XENFRONT_NET_NO_CSUM };

    setup_with(&options);
    return 0;
}

static int teardown(void **state)
{
    xenfront_net_free(net);
    assert_int_equal(fake_pages(), 0);
    assert_int_equal(fake_store_watches(), 0);
    assert_null(fake_store_read(FRONT "xenfront-owner"));
    return 0;
}

static bool fd_is_readable(void)
{
    struct pollfd pollfd = { .fd = xenfront_net_fd(net), .events = POLLIN };

    return poll(&pollfd, 1, 0) == 1;
}

static int pump(void)
{
    int result;

    do
        result = xenfront_net_pump(net);
    while (result == 0 && (fd_is_readable() || xenfront_net_timeout_ms(net) == 0));
    return result;
}

static uint32_t front_number(const char *key)
{
    char path[128];

    snprintf(path, sizeof(path), FRONT "%s", key);
    return (uint32_t)strtoul(fake_store_read(path), NULL, 10);
}

static void connect_all(void)
{
    assert_int_equal(xenfront_net_start(net, 0), 0);
    pump();
    assert_string_equal(fake_store_read(FRONT "state"), "4"); /* a network backend waits for that */
    BACK_RING_INIT(&tx, (netif_tx_sring_t *)fake_page(front_number("tx-ring-ref")), 4096);
    BACK_RING_INIT(&rx, (netif_rx_sring_t *)fake_page(front_number("rx-ring-ref")), 4096);
    assert_int_equal(rx.sring->req_prod, 256);
    state_set(XenbusStateConnected);
    pump();
    assert_int_equal(xenfront_net_state(net), XENFRONT_CONNECTED);
}

/* An Ethernet frame with IPv4 and TCP headers and a counting payload. */
static uint32_t frame_make(uint8_t *frame, uint32_t payload)
{
    uint32_t length = 54 + payload;

    memset(frame, 0, 54);
    frame[12] = 8;
    frame[14] = 0x45;
    frame[16] = (uint8_t)((length - 14) >> 8);
    frame[17] = (uint8_t)(length - 14);
    frame[22] = 64;
    frame[23] = 6;
    frame[29] = 1;
    frame[33] = 2;
    frame[46] = 0x50;
    for (uint32_t i = 0; i < payload; i++)
        frame[54 + i] = (uint8_t)(i * 7);
    return length;
}

/* The next packet on the ring, put together; its first slot and its extra, too. */
static uint32_t take(uint8_t *data, struct netif_tx_request *first, struct netif_extra_info *extra)
{
    struct netif_tx_request request;
    uint32_t length = 0, rest = 0;
    uint8_t *bodies[24];
    uint16_t sizes[24];
    unsigned int count = 0;

    do {
        RING_COPY_REQUEST(&tx, tx.req_cons, &request);
        tx.req_cons++;
        bodies[count] = (uint8_t *)fake_page(request.gref) + request.offset;
        sizes[count] = request.size;
        rest += count ? request.size : 0;
        if (count++ == 0) {
            *first = request;
            if (request.flags & NETTXF_extra_info) {
                memcpy(extra, RING_GET_REQUEST(&tx, tx.req_cons), sizeof(*extra));
                tx.req_cons++;
            }
        }
    } while (request.flags & NETTXF_more_data);
    sizes[0] = (uint16_t)(first->size - rest);
    for (unsigned int i = 0; i < count; i++) {
        memcpy(data + length, bodies[i], sizes[i]);
        length += sizes[i];
    }
    return length;
}

static uint8_t sent[70000], seen[70000];

static int send(uint32_t length, const struct xenfront_net_offload *offload)
{
    struct iovec iov[3] = { { sent, 10 }, { sent + 10, 0 }, { sent + 10, length - 10 } };

    return xenfront_net_send(net, iov, 3, offload);
}

static void test_connects_with_its_keys(void **state)
{
    struct xenfront_net_info info;

    assert_int_equal(xenfront_net_info(net, &info), -ENOTCONN);
    connect_all();
    assert_int_equal(xenfront_net_info(net, &info), 0);
    assert_true(info.has_mac && info.mac[2] == 0x3e && info.mac[5] == 1);
    assert_true(info.is_link_up && !info.is_split);
    assert_true(info.can_sg && info.can_csum_ipv4 && info.can_csum_ipv6);
    assert_true(info.can_gso_tcpv4 && info.can_gso_tcpv6);
    assert_int_equal(info.mtu, 1500);
    assert_string_equal(fake_store_read(FRONT "request-rx-copy"), "1");
    assert_string_equal(fake_store_read(FRONT "feature-rx-notify"), "1");
    assert_string_equal(fake_store_read(FRONT "feature-sg"), "1");
    assert_string_equal(fake_store_read(FRONT "feature-gso-tcpv6"), "1");
    assert_string_equal(fake_store_read(FRONT "feature-ipv6-csum-offload"), "1");
    assert_string_equal(fake_store_read(FRONT "feature-no-csum-offload"), "0");
    assert_non_null(fake_store_read(FRONT "event-channel"));
    assert_null(fake_store_read(FRONT "event-channel-tx"));
    assert_int_equal(fake_pages(), ALL_PAGES);
}

static void test_closes(void **state)
{
    connect_all();
    assert_int_equal(xenfront_net_shutdown(net, 1000), 0);
    assert_string_equal(fake_store_read(FRONT "state"), "5");
    assert_int_equal(fake_pages(), ALL_PAGES); /* the backend has not let go yet */
    state_set(XenbusStateClosing);
    pump();
    assert_string_equal(fake_store_read(FRONT "state"), "6");
    state_set(XenbusStateClosed);
    pump();
    assert_int_equal(xenfront_net_state(net), XENFRONT_IDLE);
    assert_int_equal(fake_pages(), 0);
}

static void test_connects_again(void **state)
{
    for (int i = 0; i < 3; i++) {
        connect_all();
        frame_make(sent, 100);
        assert_int_equal(send(154, NULL), 0);
        xenfront_net_close(net, 0);
        state_set(XenbusStateInitWait);
        fake_store_write(FRONT "state", "1");
    }
}

/* catalogue E13, E15: keys of another channel arrangement do not stay; too few grants are said so. */
static void test_split_channels_and_stale_keys(void **state)
{
    struct xenfront_net_info info;

    fake_store_write(BACK "feature-split-event-channels", "1");
    fake_store_write(FRONT "event-channel", "77");
    fake_store_write(FRONT "multi-queue-num-queues", "4");
    connect_all();
    assert_null(fake_store_read(FRONT "event-channel"));
    assert_null(fake_store_read(FRONT "multi-queue-num-queues"));
    assert_non_null(fake_store_read(FRONT "event-channel-tx"));
    assert_non_null(fake_store_read(FRONT "event-channel-rx"));
    xenfront_net_info(net, &info);
    assert_true(info.is_split);
}

static void test_e15_a_limit_of_grants_is_named(void **state)
{
    fake_hyper_limit(300);
    assert_int_equal(xenfront_net_start(net, 0), 0);
    assert_int_equal(pump(), -ENOSPC);
    assert_non_null(strstr(xenfront_net_error(net), "the limit of this domain is reached"));
    assert_int_equal(fake_pages(), 0);
}

static void refused_with(const char *words)
{
    assert_int_equal(xenfront_net_start(net, 0), 0);
    assert_int_equal(pump(), -EPROTO);
    if (!strstr(xenfront_net_error(net), words))
        fail_msg("the error is: %s", xenfront_net_error(net));
}

static void test_nonsense_keys_are_refused(void **state)
{
    fake_store_write(BACK "feature-sg", "yes");
    refused_with("feature-sg: 0 or 1 expected, found 'yes'");
    xenfront_net_close(net, 0);
    fake_store_write(FRONT "state", "1");
    fake_store_write(BACK "feature-sg", "1");
    fake_store_write(BACK "feature-rx-copy", "0");
    refused_with("feature-rx-copy 1 expected");
    xenfront_net_close(net, 0);
    fake_store_write(FRONT "state", "1");
    fake_store_write(BACK "feature-rx-copy", "1");
    fake_store_write(FRONT "mac", "01:16:3e:00:00:01");
    refused_with("a unicast address like");
    xenfront_net_close(net, 0);
    fake_store_write(FRONT "state", "1");
    fake_store_write(FRONT "mac", "00:16:3e:00:00:01");
    fake_store_write(FRONT "mtu", "20");
    refused_with("a number from 68 to 65521 expected");
}

/* Each length goes out byte for byte, whatever the pages and the private header make of it. */
static void test_packets_arrive_whole(void **state)
{
    static const uint32_t payloads[] = { 0, 1, 400, 457, 458, 459, 1000, 4041, 4042, 4043, 8000, 65481 };
    struct netif_tx_request first;
    struct netif_extra_info extra;

    connect_all();
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        uint32_t length = frame_make(sent, payloads[i]);

        assert_int_equal(send(length, NULL), 0);
        assert_true(xenfront_net_submit(net) > 0);
        assert_int_equal(take(seen, &first, &extra), length);
        assert_memory_equal(seen, sent, length);
        assert_int_equal(first.flags & (NETTXF_csum_blank | NETTXF_extra_info), 0);
        tx.sring->rsp_prod = tx.req_cons; /* answered in place: each response has its request's id */
        for (RING_IDX at = tx.rsp_prod_pvt; at != tx.req_cons; at++) {
            uint16_t id = RING_GET_REQUEST(&tx, at)->id;

            *RING_GET_RESPONSE(&tx, at) = (struct netif_tx_response){ .id = id, .status = NETIF_RSP_OKAY };
        }
        tx.rsp_prod_pvt = tx.req_cons;
        assert_int_equal(pump(), 0);
        assert_int_equal(xenfront_net_in_flight(net), 0);
    }
}

static void test_offloads_are_handed_on(void **state)
{
    struct xenfront_net_offload offload = { .flags = XENFRONT_NET_NEEDS_CSUM,
                                            .gso_type = XENFRONT_NET_GSO_TCPV4,
                                            .header_bytes = 54,
                                            .gso_bytes = 1448,
                                            .csum_start = 34,
                                            .csum_offset = 16 };
    struct netif_tx_request first;
    struct netif_extra_info extra;
    uint32_t length;

    connect_all();
    length = frame_make(sent, 20000);
    assert_int_equal(send(length, &offload), 0);
    assert_int_equal(xenfront_net_submit(net), 6);
    assert_int_equal(take(seen, &first, &extra), length);
    assert_int_equal(first.size, length);
    assert_true(first.flags & NETTXF_csum_blank);
    assert_int_equal(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
    assert_int_equal(extra.u.gso.size, 1448);
    assert_int_equal(extra.u.gso.type, XEN_NETIF_GSO_TYPE_TCPV4);
    offload.gso_type = XENFRONT_NET_GSO_TCPV6; /* but the packet is IPv4 */
    assert_int_equal(send(length, &offload), -EOPNOTSUPP);
    offload.gso_type = 3;
    assert_int_equal(send(length, &offload), -EOPNOTSUPP);
}

/* Where a blank checksum is not wanted it is completed, over all pages. */
static void test_a_checksum_is_completed_here(void **state)
{
    struct xenfront_net_offload offload = { .flags = XENFRONT_NET_NEEDS_CSUM,
                                            .csum_start = 34,
                                            .csum_offset = 16 };
    struct netif_headers headers;
    struct netif_tx_request first;
    struct netif_extra_info extra;
    uint32_t length = frame_make(sent, 9000);
    uint16_t found;

    connect_all();
    assert_int_equal(netif_header_parse(&headers, sent, length), NETIF_VERDICT_OK);
    netif_header_blank(&headers, sent);
    assert_int_equal(send(length, &offload), 0);
    xenfront_net_submit(net);
    assert_int_equal(take(seen, &first, &extra), length);
    assert_int_equal(first.flags & NETTXF_csum_blank, 0);
    memcpy(&found, seen + 50, 2);
    netif_header_finish(&headers, sent);
    assert_memory_equal(seen, sent, length);
    assert_int_not_equal(found, 0);
}

static void test_sizes_are_checked(void **state)
{
    uint32_t length = frame_make(sent, 4096);

    assert_int_equal(send(length, NULL), -ENOTCONN);
    fake_store_write(BACK "feature-sg", "0");
    connect_all();
    assert_int_equal(xenfront_net_max_bytes(net), 4096);
    assert_int_equal(send(length, NULL), -EMSGSIZE);
    assert_int_equal(send(4096, NULL), 0);
    assert_int_equal(send(13, NULL), -EMSGSIZE);
    assert_int_equal(xenfront_net_send(net, NULL, 0, NULL), -EMSGSIZE);
    for (int i = 0; i < 254; i++)
        assert_int_equal(send(64, NULL), 0);
    assert_int_equal(send(64, NULL), -EAGAIN);
}

static void give(uint16_t offset, uint32_t length, uint16_t flags)
{
    RING_IDX index = rx.rsp_prod_pvt;

    do {
        struct netif_rx_request request;
        uint32_t step = length < 4096u - offset ? length : 4096u - offset;

        RING_COPY_REQUEST(&rx, index, &request);
        memcpy((uint8_t *)fake_page(request.gref) + offset, sent, step);
        memmove(sent, sent + step, sizeof(sent) - step);
        length -= step;
        *RING_GET_RESPONSE(&rx, index) = (struct netif_rx_response){
            .id = request.id,
            .offset = offset,
            .flags = flags | (length ? NETRXF_more_data : 0),
            .status = (int16_t)step,
        };
        index++;
        offset = 0;
        flags = 0;
    } while (length);
    rx.rsp_prod_pvt = index;
}

static void push_rx(void)
{
    int notify;

    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&rx, notify);
    if (notify)
        fake_event();
}

static void test_packets_are_received(void **state)
{
    static struct xenfront_net_packet packets[4];
    uint32_t length;

    connect_all();
    assert_int_equal(xenfront_net_receive(net, packets, 4), 0);
    length = frame_make(sent, 9000);
    give(100, length, NETRXF_csum_blank | NETRXF_data_validated);
    frame_make(sent, 10);
    give(0, 64, 0);
    push_rx();
    assert_true(fd_is_readable());
    assert_int_equal(pump(), 1);
    assert_true(fake_port_is_masked()); /* until it is fetched */
    assert_int_equal(xenfront_net_receive(net, packets, 4), 2);
    assert_int_equal(packets[0].length, length);
    assert_int_equal(packets[0].offload.flags, XENFRONT_NET_NEEDS_CSUM);
    assert_int_equal(packets[0].offload.csum_start, 34);
    assert_int_equal(packets[0].offload.csum_offset, 16);
    assert_int_equal(xenfront_net_packet_copy(&packets[0], seen, sizeof(seen)), (int)length);
    assert_int_equal(xenfront_net_packet_copy(&packets[0], seen, 100), -EMSGSIZE);
    frame_make(sent, 9000);
    assert_memory_equal(seen + 54, sent + 54, 9000);
    assert_int_equal(packets[1].length, 64);
    assert_int_equal(packets[1].offload.flags, 0);
    assert_int_equal(rx.sring->req_prod, 256); /* its pages are the program's */
    assert_int_equal(xenfront_net_receive(net, packets, 4), 0);
    assert_int_equal(rx.sring->req_prod, 260);
    assert_false(fake_port_is_masked());
    assert_int_equal(xenfront_net_timeout_ms(net), -1);
}

/* A packet that is not what it says is left out; a broken ring breaks the device, with a sentence. */
static void test_bad_packets_and_a_broken_ring(void **state)
{
    static struct xenfront_net_packet packets[4];
    struct xenfront_net_stats stats;

    connect_all();
    memset(sent, 0, 200);
    give(0, 100, NETRXF_csum_blank); /* no TCP in it */
    give(0, 14, 0);
    push_rx();
    assert_int_equal(pump(), 1);
    assert_int_equal(xenfront_net_receive(net, packets, 4), 1);
    assert_int_equal(packets[0].length, 14);
    xenfront_net_stats(net, &stats);
    assert_int_equal(stats.rx_errors, 1);
    rx.sring->rsp_prod += 1000;
    assert_int_equal(xenfront_net_receive(net, packets, 4), -EPROTO);
    assert_int_equal(xenfront_net_state(net), XENFRONT_BROKEN);
    assert_non_null(strstr(xenfront_net_error(net), "the backend broke the ring: receive: at most 256"));
    assert_int_equal(xenfront_net_receive(net, packets, 4), -EPROTO);
    assert_int_equal(send(64, NULL), -EPROTO);
    assert_non_null(fake_store_read("/local/domain/0/error/device/vif/0/error"));
}

static void test_a_broken_transmit_ring(void **state)
{
    connect_all();
    tx.sring->rsp_prod = 1;
    fake_event();
    assert_int_equal(pump(), -EPROTO);
    assert_non_null(strstr(xenfront_net_error(net), "transmit: at most 0 responses expected, found 1"));
}

static void test_the_link_goes_and_comes(void **state)
{
    struct xenfront_net_info info;

    fake_store_write(BACK "carrier", "0");
    connect_all();
    xenfront_net_info(net, &info);
    assert_false(info.is_link_up);
    fake_store_write(BACK "carrier", "1");
    pump();
    xenfront_net_info(net, &info);
    assert_true(info.is_link_up);
    fake_store_write(BACK "carrier", "maybe"); /* changes nothing */
    pump();
    xenfront_net_info(net, &info);
    assert_true(info.is_link_up);
    assert_int_equal(xenfront_net_state(net), XENFRONT_CONNECTED);
}

/* catalogue E10, E14: every state of the backend, at any time; the pages go after the grants. */
static void test_e10_states_at_any_time(void **state)
{
    for (unsigned int peer = 0; peer <= 8; peer++) {
        connect_all();
        state_set(peer);
        pump();
        xenfront_net_close(net, 0);
        assert_int_equal(fake_pages(), 0);
        fake_store_write(FRONT "state", "1");
        state_set(XenbusStateInitWait);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_connects_with_its_keys),
        TEST(test_closes),
        TEST(test_connects_again),
        TEST(test_split_channels_and_stale_keys),
        TEST(test_e15_a_limit_of_grants_is_named),
        TEST(test_nonsense_keys_are_refused),
        TEST(test_packets_arrive_whole),
        TEST(test_offloads_are_handed_on),
        cmocka_unit_test_setup_teardown(test_a_checksum_is_completed_here, setup_plain, teardown),
        TEST(test_sizes_are_checked),
        TEST(test_packets_are_received),
        TEST(test_bad_packets_and_a_broken_ring),
        TEST(test_a_broken_transmit_ring),
        TEST(test_the_link_goes_and_comes),
        TEST(test_e10_states_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
