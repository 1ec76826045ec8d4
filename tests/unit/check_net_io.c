// SPDX-License-Identifier: MIT
/*
 * check_net_io.c: packets both ways through a whole handle, with their offloads, and a backend that lies.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/netif_header.h"
#include "tests/unit/net_handle.h"

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

static uint8_t seen[70000];

static void test_packets_arrive_whole(void **state)
{
    static const uint32_t payloads[] = { 0, 1, 400, 457, 458, 459, 1000, 4041, 4042, 4043, 8000, 65481 };
    struct netif_tx_request first;
    struct netif_extra_info extra;

    connect_all();
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        uint32_t length = packet_make(sent, payloads[i]);

        assert_int_equal(packet_send(length, NULL), 0);
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
    length = packet_make(sent, 20000);
    assert_int_equal(packet_send(length, &offload), 0);
    assert_int_equal(xenfront_net_submit(net), 6);
    assert_int_equal(take(seen, &first, &extra), length);
    assert_int_equal(first.size, length);
    assert_true(first.flags & NETTXF_csum_blank);
    assert_int_equal(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
    assert_int_equal(extra.u.gso.size, 1448);
    assert_int_equal(extra.u.gso.type, XEN_NETIF_GSO_TYPE_TCPV4);
    offload.gso_type = XENFRONT_NET_GSO_TCPV6; /* but the packet is IPv4 */
    assert_int_equal(packet_send(length, &offload), -EOPNOTSUPP);
    offload.gso_type = 3;
    assert_int_equal(packet_send(length, &offload), -EOPNOTSUPP);
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
    uint32_t length = packet_make(sent, 9000);
    uint16_t found;

    connect_all();
    assert_int_equal(netif_header_parse(&headers, sent, length), NETIF_VERDICT_OK);
    netif_header_blank(&headers, sent);
    assert_int_equal(packet_send(length, &offload), 0);
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
    uint32_t length = packet_make(sent, 4096);

    assert_int_equal(packet_send(length, NULL), -ENOTCONN);
    fake_store_write(BACK "feature-sg", "0");
    connect_all();
    assert_int_equal(xenfront_net_max_bytes(net), 4096);
    assert_int_equal(packet_send(length, NULL), -EMSGSIZE);
    assert_int_equal(packet_send(4096, NULL), 0);
    assert_int_equal(packet_send(13, NULL), -EMSGSIZE);
    assert_int_equal(xenfront_net_send(net, NULL, 0, NULL), -EMSGSIZE);
    for (int i = 0; i < 254; i++)
        assert_int_equal(packet_send(64, NULL), 0);
    assert_int_equal(packet_send(64, NULL), -EAGAIN);
}

/* A program that is wrong about what it has begun. */
static void test_no_more_is_sent_than_was_begun(void **state)
{
    struct iovec iov[XENFRONT_NET_PARTS];

    connect_all();
    assert_int_equal(xenfront_net_send_end(net, 60, NULL), -EMSGSIZE); /* nothing */
    assert_int_equal(xenfront_net_send_begin(net, iov, 60), 1);
    assert_int_equal(xenfront_net_send_end(net, 61, NULL), -EMSGSIZE);
    assert_non_null(
        strstr(xenfront_net_error(net), "at most the 60 bytes that were begun expected, found 61"));
    assert_int_equal(xenfront_net_send_end(net, UINT32_MAX, NULL), -EMSGSIZE);
    assert_int_equal(xenfront_net_send_end(net, 14, NULL), 0); /* it is begun still */
    assert_int_equal(xenfront_net_send_end(net, 14, NULL), -EMSGSIZE); /* and now it is over */
    assert_int_equal(xenfront_net_send_begin(net, iov, 9000), 4);
    assert_int_equal(xenfront_net_send_end(net, 0, NULL), 0); /* let it be */
    assert_int_equal(xenfront_net_send_end(net, 14, NULL), -EMSGSIZE);
    xenfront_net_submit(net);
    assert_int_equal(tx.sring->req_prod, 1);
    xenfront_net_send_begin(net, iov, 60);
    xenfront_net_close(net, 0);
    assert_int_equal(xenfront_net_send_end(net, 60, NULL), -ENOTCONN);
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
    length = packet_make(sent, 9000);
    give(100, length, NETRXF_csum_blank | NETRXF_data_validated);
    packet_make(sent, 10);
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
    packet_make(sent, 9000);
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
    assert_int_equal(packet_send(64, NULL), -EPROTO);
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

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_packets_arrive_whole),
        TEST(test_offloads_are_handed_on),
        cmocka_unit_test_setup_teardown(test_a_checksum_is_completed_here, setup_plain, teardown),
        TEST(test_sizes_are_checked),
        TEST(test_no_more_is_sent_than_was_begun),
        TEST(test_packets_are_received),
        TEST(test_bad_packets_and_a_broken_ring),
        TEST(test_a_broken_transmit_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
