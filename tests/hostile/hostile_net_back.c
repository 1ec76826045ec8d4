// SPDX-License-Identifier: MIT
/*
 * hostile_net_back.c: network backends that break the rules (see hostile_back.c).
 */
#include <config.h>

#include <string.h>

#include "tests/hostile/hostile_back.h"
#include "common/netif_packet.h"
#include "tests/hostile/raw_net_back.h"
#include "tests/unit/frames.h"

#define STORM_EVENTS 20000
#define RING_SLOTS 256

static void producer_is(struct raw_back *back, RING_IDX producer)
{
    net_connect(back);
    net_request(back);
    back->tx_page->rsp_prod = producer;
    back_notify(back);
    back_close(back);
}

static void tx_producer_ahead(struct raw_back *back)
{
    producer_is(back, 100000);
}

static void tx_producer_back(struct raw_back *back)
{
    producer_is(back, UINT32_MAX);
}

static void tx_answer_as(struct raw_back *back, uint16_t change, int16_t status)
{
    uint16_t id;

    net_connect(back);
    id = net_request(back).id;
    net_answer(back, id ^ change, status);
    net_answer_push(back);
    back_close(back);
}

static void tx_unknown_id(struct raw_back *back)
{
    tx_answer_as(back, 0x4000, NETIF_RSP_OKAY);
}

static void tx_null(struct raw_back *back)
{
    tx_answer_as(back, 0, NETIF_RSP_NULL);
}

static void tx_twice(struct raw_back *back)
{
    uint16_t id;

    net_connect(back);
    id = net_request(back).id;
    net_request(back);
    net_answer(back, id, NETIF_RSP_OKAY);
    net_answer(back, id, NETIF_RSP_OKAY);
    net_answer_push(back);
    back_close(back);
}

/* Errors are counted, and the device goes on. */
static void tx_errors(struct raw_back *back)
{
    net_connect(back);
    for (int i = 0; i < 100; i++)
        net_answer(back, net_request(back).id, (int16_t)(i % 3 ? NETIF_RSP_ERROR : 77));
    net_answer_push(back);
    net_serve(back);
}

static void tx_never_answers(struct raw_back *back)
{
    net_connect(back);
    net_request(back);
    back_close(back);
}

static void scribble(struct raw_back *back)
{
    net_connect(back);
    memset(back->tx_page, 0xff, 4096);
    memset(back->rx_page, 0xff, 4096);
    back_notify(back);
    back_close(back);
}

static void rx_producer_ahead(struct raw_back *back)
{
    net_connect(back);
    back->rx_page->rsp_prod = RING_SLOTS + 1;
    back_notify(back);
    back_close(back);
}

/* Before anybody is connected. */
static void rx_early(struct raw_back *back)
{
    net_offer(back);
    back->rx_page->rsp_prod = UINT32_MAX;
    back_notify(back);
    back_state(back, XenbusStateConnected);
    back_close(back);
}

static void rx_wrong_slot(struct raw_back *back)
{
    net_connect(back);
    net_give_raw(back, (netif_rx_response_t){ .id = 3, .status = 60 });
    net_give_push(back);
    back_close(back);
}

static void rx_endless(struct raw_back *back)
{
    net_connect(back);
    for (uint16_t i = 0; i < RING_SLOTS; i++)
        net_give_raw(back, (netif_rx_response_t){ .id = i, .status = 1, .flags = NETRXF_more_data });
    net_give_push(back);
    back_close(back);
}

static void rx_cut(struct raw_back *back)
{
    net_connect(back);
    net_give(back, 0, 60, 1, NETRXF_more_data);
    net_give_push(back);
    back_close(back);
}

static void rx_extras_endless(struct raw_back *back)
{
    net_connect(back);
    net_give(back, 0, 60, 1, NETRXF_extra_info);
    for (int i = 1; i < RING_SLOTS; i++)
        net_give_extra(back, (netif_extra_info_t){ .type = XEN_NETIF_EXTRA_TYPE_HASH,
                                                   .flags = XEN_NETIF_EXTRA_FLAG_MORE });
    net_give_push(back);
    back_close(back);
}

static void extra_gso(struct raw_back *back, uint8_t type, uint16_t size)
{
    netif_extra_info_t extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

    extra.u.gso.type = type;
    extra.u.gso.size = size;
    net_give(back, 0, 200, 1, NETRXF_extra_info);
    net_give_extra(back, extra);
}

/* One of each packet that is bad in itself: each costs its slots only, and the good one behind it arrives. */
static void rx_bad_packets(struct raw_back *back)
{
    net_connect(back);
    net_give(back, 0, 13, 1, 0); /* shorter than an Ethernet header */
    net_give(back, 0, 0, 1, 0);
    net_give_raw(back, (netif_rx_response_t){ .id = 2, .offset = 4096, .status = 60 });
    net_give_raw(back, (netif_rx_response_t){ .id = 3, .offset = 65535, .status = 60 });
    net_give_raw(back, (netif_rx_response_t){ .id = 4, .status = 4097 });
    net_give_raw(back, (netif_rx_response_t){ .id = 5, .status = NETIF_RSP_ERROR });
    net_give_raw(back, (netif_rx_response_t){ .id = 6, .status = -32768 });
    net_give_raw(back, (netif_rx_response_t){ .id = 7, .offset = 4037, .status = 60 }); /* by one byte */
    net_give(back, 0, 60, 1, NETRXF_csum_blank); /* and no TCP in it */
    net_give(back, 0, 60, 1, NETRXF_gso_prefix);
    extra_gso(back, XEN_NETIF_GSO_TYPE_TCPV4, 0);
    extra_gso(back, XEN_NETIF_GSO_TYPE_TCPV4, 65535);
    extra_gso(back, 77, 1448);
    net_give(back, 0, 60, 1, NETRXF_extra_info);
    net_give_extra(back, (netif_extra_info_t){ .type = 99 });
    for (int i = 0; i < 17; i++) /* more than a packet may have */
        net_give(back, 0, 4096, 1, i < 16 ? NETRXF_more_data : 0);
    net_give_good(back);
    net_give_push(back);
    net_serve(back);
}

static void give_segments(struct raw_back *back, const uint8_t *bytes, uint32_t length, uint8_t type,
                          uint16_t size)
{
    netif_extra_info_t extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

    extra.u.gso.type = type;
    extra.u.gso.size = size;
    net_give_bytes(back, 0, bytes, (uint16_t)length, NETRXF_extra_info | NETRXF_csum_blank);
    net_give_extra(back, extra);
}

/*
 * To one that takes everything: checksums and segments of packets that end in their headers, at every byte, sizes of
 * segments that there are not, and segments of what is not TCP, or of another IP than they say.
 */
static void rx_bad_offloads(struct raw_back *back)
{
    static const struct frame_recipe tcp4 = { .version = 4, .protocol = 6, .payload_bytes = 200 };
    static const struct frame_recipe tcp6 = { .version = 6, .protocol = 6, .payload_bytes = 200 };
    static const struct frame_recipe udp4 = { .version = 4, .protocol = 17, .payload_bytes = 200 };
    uint8_t bytes[FRAME_BYTES_MAX];
    uint32_t length, transport;

    net_connect(back);
    length = frame_make(bytes, &tcp4, &transport);
    for (uint16_t cut = 14; cut < transport + 20; cut++)
        net_give_bytes(back, 0, bytes, cut, NETRXF_csum_blank);
    for (uint16_t size = 0; size < NETIF_SEGMENT_BYTES_MIN; size++)
        give_segments(back, bytes, length, XEN_NETIF_GSO_TYPE_TCPV4, size);
    give_segments(back, bytes, length, XEN_NETIF_GSO_TYPE_TCPV6, 100);
    give_segments(back, bytes, length, XEN_NETIF_GSO_TYPE_NONE, 100);
    give_segments(back, bytes, length, 77, 100);
    length = frame_make(bytes, &udp4, &transport);
    give_segments(back, bytes, length, XEN_NETIF_GSO_TYPE_TCPV4, 100);
    length = frame_make(bytes, &tcp6, &transport);
    give_segments(back, bytes, length, XEN_NETIF_GSO_TYPE_TCPV4, 100);
    for (uint16_t cut = 14; cut < transport + 20; cut++)
        give_segments(back, bytes, cut, XEN_NETIF_GSO_TYPE_TCPV6, 100);
    net_give_good(back);
    net_give_push(back);
    net_serve(back);
}

/* As many parts as a packet may have, each of a few bytes, so that every header is cut everywhere. */
static void rx_little_parts(struct raw_back *back)
{
    net_connect(back);
    for (uint16_t bytes = 1; bytes < 12; bytes++) {
        for (uint16_t i = 0; i < 20; i++)
            net_give(back, (uint16_t)(4096 - bytes), bytes, (uint8_t)i, i < 19 ? NETRXF_more_data : 0);
    }
    net_give_push(back);
    net_serve(back);
}

/* Posted pages are changed while the frontend looks at them: it has copied what it decides on. */
static void rx_changes(struct raw_back *back)
{
    netif_rx_request_t request;
    uint8_t *page;

    net_connect(back);
    RING_COPY_REQUEST(&back->rx, 0, &request);
    page = xengnttab_map_grant_ref(back->gnttab, back->domid, request.gref, 3);
    if (!page)
        back_fail("cannot map a posted page");
    net_give_raw(back, (netif_rx_response_t){ .id = 0, .status = 1000 });
    net_give_push(back);
    for (int i = 0; i < 2000000; i++) {
        page[i % 1000] = (uint8_t)i;
        page[12] = (uint8_t)(i & 1 ? 8 : 0x86);
        page[14] = (uint8_t)i;
    }
    net_serve(back);
    xengnttab_unmap(back->gnttab, page, 1); /* kept beyond the frontend's end: it does not use it again */
}

static void event_storm(struct raw_back *back)
{
    net_connect(back);
    for (int i = 0; i < STORM_EVENTS; i++)
        back_notify(back);
    net_give_good(back);
    net_give_push(back);
    net_serve(back);
}

static void never_offers(struct raw_back *back)
{
    net_publish(back);
}

static void never_connects(struct raw_back *back)
{
    net_offer(back);
}

static void never_closes(struct raw_back *back)
{
    net_connect(back);
    back_wait_front(back, 1u << XenbusStateClosed);
}

static void vanishes(struct raw_back *back)
{
    net_connect(back);
    net_request(back);
    back_remove(back, "");
    back_let_go(back);
}

static void closes(struct raw_back *back)
{
    net_connect(back);
    net_request(back);
    back_let_go(back);
    back_state(back, XenbusStateClosed);
    back_wait_front(back, 1u << XenbusStateClosed);
}

/* As an orderly detach. */
static void closing(struct raw_back *back)
{
    net_connect(back);
    net_answer(back, net_request(back).id, NETIF_RSP_OKAY);
    back_state(back, XenbusStateClosing);
    while (back_front_is(back, XenbusStateConnected)) {
        bool is_more;

        RING_FINAL_CHECK_FOR_REQUESTS(&back->tx, is_more);
        if (!is_more) {
            back_sleep(back);
            continue;
        }
        net_answer(back, net_request(back).id, NETIF_RSP_OKAY);
        net_answer_push(back);
    }
    back_close(back);
}

static void restarts(struct raw_back *back)
{
    net_connect(back);
    net_request(back);
    back_state(back, XenbusStateInitWait);
    back_close(back);
}

static void state_99(struct raw_back *back)
{
    net_connect(back);
    net_request(back);
    back_state(back, 99);
}

/* One key is not what it should be. */
static void key_is(struct raw_back *back, const char *key, const char *value)
{
    net_publish(back);
    back_write(back, key, "%s", value);
    back_state(back, XenbusStateInitWait);
}

static void no_rx_copy(struct raw_back *back)
{
    key_is(back, "feature-rx-copy", "0");
}

static void flag_yes(struct raw_back *back)
{
    key_is(back, "feature-sg", "yes");
}

static void queues_minus(struct raw_back *back)
{
    key_is(back, "multi-queue-max-queues", "-1");
}

static void mac_group(struct raw_back *back)
{
    back_front_write(back, "mac", "ff:ff:ff:ff:ff:ff");
    net_publish(back);
    back_state(back, XenbusStateInitWait);
}

static void mtu_huge(struct raw_back *back)
{
    back_front_write(back, "mtu", "70000");
    net_publish(back);
    back_state(back, XenbusStateInitWait);
}

static void carrier_maybe(struct raw_back *back)
{
    net_offer(back);
    back_write(back, "carrier", "maybe");
    back_state(back, XenbusStateConnected);
    back_close(back);
}

static void carrier_flaps(struct raw_back *back)
{
    net_connect(back);
    for (int i = 0; i < 200; i++)
        back_write(back, "carrier", i % 2 ? "1" : "0");
    net_give_good(back);
    net_give_push(back);
    net_serve(back);
}

#define SEND "bench --pattern=send --seconds=30"
#define TAKE "dump --count=1 --seconds=30"

const struct hostile_back_case hostile_net_back_cases[] = {
    { "tx-producer-ahead", tx_producer_ahead, SEND, 1,
      "transmit: at most .*responses expected, found 100000" },
    { "tx-producer-back", tx_producer_back, SEND, 1, "transmit: at most .*found 4294967295" },
    { "tx-unknown-id", tx_unknown_id, SEND, 1, "transmit: id .*expected, found" },
    { "tx-null", tx_null, SEND, 1, "found one to an extra slot" },
    { "tx-twice", tx_twice, SEND, 1, "the id of a slot in flight expected" },
    { "tx-errors", tx_errors, "bench --count=1000", 0, "" },
    { "tx-never-answers", tx_never_answers, SEND " --io-timeout=1", 1, "no response to" },
    { "scribble", scribble, SEND, 1, "the backend broke the ring" },
    { "rx-producer-ahead", rx_producer_ahead, TAKE, 1, "receive: at most 256 responses expected, found 257" },
    { "rx-early", rx_early, TAKE, 1, "receive: at most 256 responses expected, found 4294967295" },
    { "rx-wrong-slot", rx_wrong_slot, TAKE, 1, "receive: id 0 expected in slot 0, found 3" },
    { "rx-endless", rx_endless, TAKE, 1, "receive: slot 0" },
    { "rx-cut", rx_cut, TAKE, 1, "receive: slot 0" },
    { "rx-extras-endless", rx_extras_endless, TAKE, 1, "receive: slot 0" },
    { "rx-bad-packets", rx_bad_packets, TAKE, 0, "1 packets" },
    { "rx-bad-offloads", rx_bad_offloads, TAKE " --offloads", 0, "1 packets" },
    { "rx-little-parts", rx_little_parts, "dump --count=11 --seconds=30", 0, "11 packets" },
    { "rx-changes", rx_changes, TAKE " --offloads", 0, "1 packets" },
    { "event-storm", event_storm, TAKE, 0, "1 packets" },
    { "never-offers", never_offers, TAKE " --timeout=1", 3, "no connection in time.*found Initialising" },
    { "never-connects", never_connects, TAKE " --timeout=1", 3, "no connection in time.*found InitWait" },
    { "never-closes", never_closes, "info --timeout=5", 3, "closed by force.*found Connected" },
    { "vanishes", vanishes, SEND, 1, "the device was removed" },
    { "closes", closes, SEND, 1, "dropped the connection.*found Closed" },
    { "closing", closing, SEND, 1, "the backend closes the device" },
    { "restarts", restarts, SEND, 1, "dropped the connection.*found InitWait" },
    { "state-99", state_99, SEND, 1, "a state from 0 to 8 expected, found '99'" },
    { "no-rx-copy", no_rx_copy, TAKE, 3, "feature-rx-copy 1 expected" },
    { "flag-yes", flag_yes, TAKE, 3, "feature-sg: 0 or 1 expected, found 'yes'" },
    { "queues-minus", queues_minus, TAKE, 3, "multi-queue-max-queues: a number .*found '-1'" },
    { "mac-group", mac_group, TAKE, 3, "a unicast address .*found 'ff:ff:ff:ff:ff:ff'" },
    { "mtu-huge", mtu_huge, TAKE, 3, "a number from 68 to 65521 expected" },
    { "carrier-maybe", carrier_maybe, TAKE, 3, "carrier: 0 or 1 expected, found 'maybe'" },
    { "carrier-flaps", carrier_flaps, TAKE, 0, "1 packets" },
};

const size_t hostile_net_back_count = sizeof(hostile_net_back_cases) / sizeof(hostile_net_back_cases[0]);
