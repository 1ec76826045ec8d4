// SPDX-License-Identifier: MIT
/*
 * check_net_ring.c: the frontend's halves of a transmit and a receive ring, over a page of memory each. The test
 * plays the backend, a good one and every bad one.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "frontend/net_rx.h"
#include "frontend/net_tx.h"

static const struct netif_offer all = { true, true, true, true, true };

static uint32_t refs[NET_TX_SLOTS];
static struct region pages = { .refs = refs, .count = NET_TX_SLOTS };
static uint8_t page[GRANT_SIZE];
static struct net_tx tx;
static struct net_rx rx;
static netif_tx_back_ring_t tx_back;
static netif_rx_back_ring_t rx_back;
static struct net_tx_counts counts;

static int setup_tx(void **state)
{
    for (uint32_t i = 0; i < NET_TX_SLOTS; i++)
        refs[i] = 1000 + i;
    memset(page, 0, sizeof(page));
    memset(&counts, 0, sizeof(counts));
    pages.count = NET_TX_SLOTS;
    net_tx_init(&tx, page, &pages);
    BACK_RING_INIT(&tx_back, (netif_tx_sring_t *)(void *)page, GRANT_SIZE);
    return 0;
}

static int setup_rx(void **state)
{
    setup_tx(state);
    memset(page, 0, sizeof(page));
    net_rx_init(&rx, page, &pages);
    BACK_RING_INIT(&rx_back, (netif_rx_sring_t *)(void *)page, GRANT_SIZE);
    net_rx_post(&rx);
    net_rx_push(&rx);
    return 0;
}

/* A packet of so many parts of 100 bytes; its data is of no interest. */
static void send(unsigned int parts, uint8_t gso_type)
{
    struct netif_packet packet = {
        .length_bytes = parts * 100, .part_count = (uint8_t)parts, .gso_type = gso_type, .gso_bytes = 1448
    };

    for (unsigned int i = 0; i < parts; i++)
        packet.part[i].length_bytes = 100;
    assert_true(net_tx_has_room(&tx, parts, parts + 1));
    net_tx_put(&tx, &packet);
    net_tx_push(&tx);
}

static struct netif_tx_request request_at(RING_IDX index)
{
    struct netif_tx_request request;

    RING_COPY_REQUEST(&tx_back, index, &request);
    return request;
}

static void answer_tx(uint16_t id, int16_t status)
{
    *RING_GET_RESPONSE(&tx_back, tx_back.rsp_prod_pvt) =
        (struct netif_tx_response){ .id = id, .status = status };
    tx_back.rsp_prod_pvt++;
    RING_PUSH_RESPONSES(&tx_back);
}

static void broken_tx(const char *words)
{
    assert_int_equal(net_tx_reap(&tx, &counts), -EPROTO);
    assert_non_null(strstr(tx.problem, words));
    assert_int_equal(net_tx_reap(&tx, &counts), -EPROTO); /* for good */
}

static void test_a_packet_takes_a_slot_a_part_and_an_extra(void **state)
{
    union netif_tx_slot extra;
    struct netif_tx_request first;

    send(3, XEN_NETIF_GSO_TYPE_TCPV4);
    assert_int_equal(tx_back.sring->req_prod, 4);
    first = request_at(0);
    extra.request = request_at(1);
    assert_int_equal(first.size, 300);
    assert_int_equal(first.flags, NETTXF_more_data | NETTXF_extra_info);
    assert_int_equal(extra.extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
    assert_int_equal(extra.extra.u.gso.size, 1448);
    assert_int_equal(request_at(2).size, 100);
    assert_int_equal(request_at(2).flags, NETTXF_more_data);
    assert_int_equal(request_at(3).flags, 0);
    assert_int_equal(first.gref, 1000 + (first.id & 0xff));
    assert_int_equal(net_tx_outstanding(&tx), 4);
}

/* In any order, and an extra's answer has no id. */
static void test_answers_free_pages(void **state)
{
    uint16_t ids[3];

    send(3, XEN_NETIF_GSO_TYPE_TCPV6);
    ids[0] = request_at(0).id;
    ids[1] = request_at(2).id;
    ids[2] = request_at(3).id;
    answer_tx(ids[2], NETIF_RSP_DROPPED);
    answer_tx(0xffff, NETIF_RSP_NULL);
    answer_tx(ids[0], NETIF_RSP_ERROR);
    answer_tx(ids[1], NETIF_RSP_OKAY);
    assert_int_equal(net_tx_reap(&tx, &counts), 4);
    assert_int_equal(counts.errors, 1);
    assert_int_equal(counts.dropped, 1);
    assert_int_equal(counts.responses, 4);
    assert_int_equal(tx.free_count, NET_TX_SLOTS);
    assert_int_equal(net_tx_outstanding(&tx), 0);
}

/* catalogue E09, E17: round and round, packets of every size: the pool comes back to where it was. */
static void test_e09_pages_come_back(void **state)
{
    for (uint32_t i = 0; i < 20000; i++) {
        unsigned int parts = i % NETIF_PARTS_MAX + 1;

        send(parts, i % 3 ? XEN_NETIF_GSO_TYPE_NONE : XEN_NETIF_GSO_TYPE_TCPV4);
        while (tx_back.req_cons != tx_back.sring->req_prod) {
            bool is_extra = i % 3 == 0 && tx_back.rsp_prod_pvt + parts == tx_back.sring->req_prod;

            answer_tx(is_extra ? 7 : request_at(tx_back.req_cons).id,
                      is_extra ? NETIF_RSP_NULL : NETIF_RSP_OKAY);
            tx_back.req_cons++;
        }
        assert_int_equal(net_tx_reap(&tx, &counts), (int)parts + (i % 3 == 0));
        assert_int_equal(tx.free_count, NET_TX_SLOTS);
    }
}

static void test_a_full_ring_has_no_room(void **state)
{
    for (unsigned int i = 0; i < NET_TX_SLOTS - 1; i++)
        send(1, XEN_NETIF_GSO_TYPE_NONE);
    assert_true(net_tx_has_room(&tx, 1, 1));
    assert_false(net_tx_has_room(&tx, 1, 2));
    assert_false(net_tx_has_room(&tx, 2, 2));
}

static void test_c22_more_responses_than_requests(void **state)
{
    send(2, XEN_NETIF_GSO_TYPE_NONE);
    tx_back.sring->rsp_prod = 3;
    broken_tx("at most 2 responses expected, found 3");
}

static void test_c22_producer_goes_back(void **state)
{
    tx_back.sring->rsp_prod = UINT32_MAX;
    broken_tx("at most 0 responses expected, found 4294967295");
}

static void test_e07_unknown_id(void **state)
{
    send(1, XEN_NETIF_GSO_TYPE_NONE);
    answer_tx((uint16_t)(request_at(0).id ^ 5), NETIF_RSP_OKAY);
    broken_tx("a slot in flight expected");
}

static void test_e07_id_of_an_earlier_use(void **state)
{
    send(1, XEN_NETIF_GSO_TYPE_NONE);
    answer_tx((uint16_t)(request_at(0).id ^ 0x300), NETIF_RSP_OKAY);
    broken_tx("expected, found");
}

static void test_e07_answered_twice(void **state)
{
    send(2, XEN_NETIF_GSO_TYPE_NONE);
    answer_tx(request_at(0).id, NETIF_RSP_OKAY);
    answer_tx(request_at(0).id, NETIF_RSP_OKAY);
    broken_tx("a slot in flight expected");
}

static void test_e07_null_for_a_packet(void **state)
{
    send(1, XEN_NETIF_GSO_TYPE_NONE);
    answer_tx(request_at(0).id, NETIF_RSP_NULL);
    broken_tx("found one to an extra slot");
}

static void test_fewer_pages_than_slots(void **state)
{
    pages.count = NETIF_PARTS_MAX;
    net_tx_init(&tx, page, &pages);
    BACK_RING_INIT(&tx_back, (netif_tx_sring_t *)(void *)page, GRANT_SIZE);
    send(NETIF_PARTS_MAX, XEN_NETIF_GSO_TYPE_NONE);
    assert_false(net_tx_has_room(&tx, 1, 1));
    answer_tx(0x01c8, NETIF_RSP_OKAY); /* a page that there is not */
    broken_tx("a slot in flight expected");
}

/* Eager: when half is done, and always before everything is. Else so that room comes in time. */
static void test_events_are_asked_for_late(void **state)
{
    assert_false(net_tx_arm(&tx, false));
    assert_int_equal(tx_back.sring->rsp_event, 1 + (NET_TX_SLOTS - NETIF_PARTS_MAX) / 2);
    for (unsigned int i = 0; i < 10; i++)
        send(1, XEN_NETIF_GSO_TYPE_NONE);
    assert_false(net_tx_arm(&tx, true));
    assert_int_equal(tx_back.sring->rsp_event, 6);
    for (unsigned int i = 0; i < 9; i++)
        answer_tx(request_at(i).id, NETIF_RSP_OKAY);
    assert_false(net_tx_arm(&tx, false));
    assert_true(net_tx_arm(&tx, true));
    assert_int_equal(net_tx_reap(&tx, &counts), 9);
    assert_false(net_tx_arm(&tx, true));
    assert_int_equal(tx_back.sring->rsp_event, 10);
}

/* With as few pages as there may be: what is outstanding when a packet does not fit brings an event. */
static void test_an_event_comes_before_the_ring_stands_still(void **state)
{
    pages.count = NETIF_PARTS_MAX;
    net_tx_init(&tx, page, &pages);
    BACK_RING_INIT(&tx_back, (netif_tx_sring_t *)(void *)page, GRANT_SIZE);
    send(1, XEN_NETIF_GSO_TYPE_NONE);
    assert_false(net_tx_has_room(&tx, NETIF_PARTS_MAX, NETIF_PARTS_MAX));
    assert_false(net_tx_arm(&tx, false));
    assert_int_equal(tx_back.sring->rsp_event, 1);
}

/* --- receive ---------------------------------------------------------------------------------------------------- */

static struct netif_rx_chain chain;

static void answer_rx(uint16_t offset, int16_t status, uint16_t flags)
{
    RING_IDX index = rx_back.rsp_prod_pvt++;

    *RING_GET_RESPONSE(&rx_back, index) = (struct netif_rx_response){
        .id = (uint16_t)(index % NET_RX_SLOTS), .offset = offset, .status = status, .flags = flags
    };
    RING_PUSH_RESPONSES(&rx_back);
}

static void answer_extra(uint8_t type, uint8_t flags, uint16_t size)
{
    struct netif_extra_info *extra = (void *)RING_GET_RESPONSE(&rx_back, rx_back.rsp_prod_pvt);

    *extra = (struct netif_extra_info){ .type = type, .flags = flags };
    extra->u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
    extra->u.gso.size = size;
    rx_back.rsp_prod_pvt++;
    RING_PUSH_RESPONSES(&rx_back);
}

static void broken_rx(const char *words)
{
    assert_int_equal(net_rx_take(&rx, &chain, &all), -EPROTO);
    if (!strstr(rx.problem, words))
        fail_msg("the problem is: %s", rx.problem);
    assert_int_equal(net_rx_take(&rx, &chain, &all), -EPROTO);
}

static void test_every_slot_is_posted_once(void **state)
{
    assert_int_equal(rx_back.sring->req_prod, NET_RX_SLOTS);
    for (RING_IDX i = 0; i < NET_RX_SLOTS; i++) {
        struct netif_rx_request request;

        RING_COPY_REQUEST(&rx_back, i, &request);
        assert_int_equal(request.id, i);
        assert_int_equal(request.gref, 1000 + i);
    }
    net_rx_post(&rx);
    assert_false(net_rx_push(&rx));
}

static void test_packets_are_taken_in_order(void **state)
{
    assert_int_equal(net_rx_take(&rx, &chain, &all), 0);
    answer_rx(10, 60, 0);
    answer_rx(0, 4096, NETRXF_more_data | NETRXF_extra_info);
    answer_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 1448);
    answer_rx(0, 1000, 0);
    assert_int_equal(net_rx_take(&rx, &chain, &all), 1);
    assert_int_equal(chain.packet.length_bytes, 60);
    assert_int_equal(chain.packet.part[0].slot, 0);
    assert_int_equal(chain.packet.part[0].offset_bytes, 10);
    assert_int_equal(net_rx_take(&rx, &chain, &all), 1);
    assert_int_equal(chain.packet.length_bytes, 5096);
    assert_int_equal(chain.packet.gso_bytes, 1448);
    assert_int_equal(chain.packet.part[0].slot, 1);
    assert_int_equal(chain.packet.part[1].slot, 3);
    assert_int_equal(net_rx_take(&rx, &chain, &all), 0);
    net_rx_post(&rx);
    net_rx_push(&rx);
    assert_int_equal(rx_back.sring->req_prod, NET_RX_SLOTS + 4);
}

/* catalogue E17: what follows a bad packet begins exactly behind it, whatever was bad in it. */
static void test_e17_a_bad_packet_costs_its_slots(void **state)
{
    for (unsigned int bad = 0; bad < 4; bad++) {
        RING_IDX before = rx.front.rsp_cons;

        answer_rx(bad == 0 ? 4000 : 0, 200, NETRXF_more_data); /* outside of the page */
        answer_rx(0, bad == 1 ? NETIF_RSP_ERROR : 100, NETRXF_more_data);
        answer_rx(bad == 2 ? 4097 : 0, 0, bad == 3 ? 0 : NETRXF_more_data);
        if (bad != 3)
            answer_rx(0, 1, 0);
        answer_rx(0, 64, 0);
        assert_int_equal(net_rx_take(&rx, &chain, &all), 1);
        assert_true(bad == 3 ? chain.verdict == NETIF_VERDICT_OK : chain.verdict != NETIF_VERDICT_OK);
        assert_int_equal(rx.front.rsp_cons - before, bad == 3 ? 3 : 4);
        assert_int_equal(net_rx_take(&rx, &chain, &all), 1);
        assert_int_equal(chain.verdict, NETIF_VERDICT_OK);
        assert_int_equal(chain.packet.length_bytes, 64);
        assert_int_equal(net_rx_take(&rx, &chain, &all), 0);
        net_rx_post(&rx);
        net_rx_push(&rx);
    }
}

static void test_c22_more_packets_than_slots(void **state)
{
    rx_back.sring->rsp_prod = NET_RX_SLOTS + 1;
    broken_rx("at most 256 responses expected, found 257");
}

static void test_a_packet_without_end(void **state)
{
    answer_rx(0, 100, NETRXF_more_data);
    answer_rx(0, 100, NETRXF_more_data);
    broken_rx("receive: slot 0");
}

static void test_a_packet_of_too_many_slots(void **state)
{
    for (unsigned int i = 0; i < NET_RX_SLOTS; i++)
        answer_rx(0, 1, NETRXF_more_data);
    broken_rx("receive: slot 0");
}

static void test_extras_without_end(void **state)
{
    answer_rx(0, 100, NETRXF_extra_info);
    for (unsigned int i = 0; i < 40; i++)
        answer_extra(XEN_NETIF_EXTRA_TYPE_HASH, XEN_NETIF_EXTRA_FLAG_MORE, 0);
    broken_rx("receive: slot 0");
}

static void test_a_response_in_the_wrong_slot(void **state)
{
    answer_rx(0, 64, 0);
    RING_GET_RESPONSE(&rx_back, 0)->id = 1;
    broken_rx("id 0 expected in slot 0, found 1");
}

/* Hundreds of rings long, so that indices and slots wrap. */
static void test_e09_slots_come_back(void **state)
{
    for (uint32_t i = 0; i < 60000; i++) {
        unsigned int parts = i % 17 + 1;

        for (unsigned int part = 1; part <= parts; part++)
            answer_rx(0, 4000, part < parts ? NETRXF_more_data : 0);
        assert_int_equal(net_rx_take(&rx, &chain, &all), 1);
        assert_int_equal(chain.verdict == NETIF_VERDICT_OK, parts * 4000 <= 65535);
        net_rx_post(&rx);
        net_rx_push(&rx);
        assert_int_equal(rx.published - rx.front.rsp_cons, NET_RX_SLOTS);
    }
}

#define TX(test) cmocka_unit_test_setup(test, setup_tx)
#define RX(test) cmocka_unit_test_setup(test, setup_rx)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TX(test_a_packet_takes_a_slot_a_part_and_an_extra),
        TX(test_answers_free_pages),
        TX(test_e09_pages_come_back),
        TX(test_a_full_ring_has_no_room),
        TX(test_c22_more_responses_than_requests),
        TX(test_c22_producer_goes_back),
        TX(test_e07_unknown_id),
        TX(test_e07_id_of_an_earlier_use),
        TX(test_e07_answered_twice),
        TX(test_e07_null_for_a_packet),
        TX(test_fewer_pages_than_slots),
        TX(test_events_are_asked_for_late),
        TX(test_an_event_comes_before_the_ring_stands_still),
        RX(test_every_slot_is_posted_once),
        RX(test_packets_are_taken_in_order),
        RX(test_e17_a_bad_packet_costs_its_slots),
        RX(test_c22_more_packets_than_slots),
        RX(test_a_packet_without_end),
        RX(test_a_packet_of_too_many_slots),
        RX(test_extras_without_end),
        RX(test_a_response_in_the_wrong_slot),
        RX(test_e09_slots_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
