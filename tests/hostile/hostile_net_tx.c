// SPDX-License-Identifier: MIT
/*
 * hostile_net_tx.c: packets that no good frontend would send. Each gets an error response and is not seen outside, or
 * comes out whole where it is only odd, and the ring goes on.
 */
#include <config.h>

#include "tests/hostile/hostile_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/frames.h"

#define UNGRANTED_REF 31000u /* nothing of ours was ever granted there */
#define FRAME_WAIT_MS 30000
#define SILENCE_MS                                                                                           \
    50 /* a frame that came out in spite of its error would have been there before the answer */
#define FUZZ_ROUNDS 3000

static unsigned char frame[65536];

void net_expect(struct raw_net *net, const union netif_tx_slot *slots, unsigned int count, int16_t status,
                const char *what)
{
    unsigned int extras = 0;

    if (slots[0].request.flags & NETTXF_extra_info)
        while (slots[++extras].extra.flags & XEN_NETIF_EXTRA_FLAG_MORE)
            ;
    for (unsigned int i = 0; i < count; i++)
        raw_net_put(net, &slots[i]);
    raw_net_push(net);
    for (unsigned int i = 0; i < count; i++) {
        const struct netif_tx_response response = raw_net_response(net);
        const bool is_extra = i > 0 && i <= extras;

        if (response.status != (is_extra ? NETIF_RSP_NULL : status))
            raw_fail("%s: slot %u: status %d, expected %d", what, i, response.status,
                     is_extra ? NETIF_RSP_NULL : status);
        if (!is_extra && response.id != slots[i].request.id)
            raw_fail("%s: slot %u: id %#x, expected %#x", what, i, response.id, slots[i].request.id);
    }
}

static void expect_frame(struct raw_net *net, const void *bytes, uint32_t length, const char *what)
{
    const uint32_t came = raw_net_frame(net, frame, sizeof(frame), FRAME_WAIT_MS);

    if (came != length || memcmp(frame, bytes, length) != 0)
        raw_fail("%s: a frame of %u bytes came out, expected %u; the contents %s", what, came, length,
                 came == length ? "differ" : "are of no interest");
}

void net_expect_silence(struct raw_net *net, const char *what)
{
    const uint32_t came = raw_net_frame(net, frame, sizeof(frame), SILENCE_MS);

    if (came)
        raw_fail("%s: a frame of %u bytes came out", what, came);
}

/* Sends bytes in pieces of the given lengths, a page each; the whole must come out. */
static void send_pieces(struct raw_net *net, const unsigned char *bytes, const uint16_t *pieces,
                        unsigned int count, uint16_t flags, const void *expected, const char *what)
{
    union netif_tx_slot slots[NETIF_PARTS_MAX];
    uint32_t total = 0;

    for (unsigned int i = 0; i < count; i++) {
        const uint16_t offset = (uint16_t)(pieces[i] < 4000 ? 4096 - pieces[i] - i % 50 : 0);

        memcpy(net->tx_data + i * 4096 + offset, bytes + total, pieces[i]);
        slots[i].request = raw_net_slot(net, i, offset, pieces[i], i + 1 < count ? NETTXF_more_data : 0);
        total += pieces[i];
    }
    slots[0].request.size = (uint16_t)total;
    slots[0].request.flags |= flags;
    net_expect(net, slots, count, NETIF_RSP_OKAY, what);
    expect_frame(net, expected, total, what);
}

static void fill(unsigned char *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)(i * 167 + i / 251);
}

void net_expect_service(struct raw_net *net)
{
    static unsigned char bytes[1514];
    const uint16_t pieces[] = { 1514 };

    fill(bytes, sizeof(bytes));
    send_pieces(net, bytes, pieces, 1, 0, bytes, "a good packet");
}

void net_case_service(struct raw_net *net)
{
    static unsigned char bytes[65535];
    static const uint16_t sizes[] = { 14, 60, 1514, 4095, 4096 };

    for (unsigned int is_split = 0; is_split < 2; is_split++) {
        raw_net_connect(net, is_split);
        fill(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            send_pieces(net, bytes, &sizes[i], 1, 0, bytes, "a packet in one slot");
        for (unsigned int count = 2; count <= 16; count++) {
            uint16_t pieces[16];

            for (unsigned int i = 0; i < count; i++)
                pieces[i] = (uint16_t)(4095 - i);
            send_pieces(net, bytes, pieces, count, 0, bytes, "a packet in many slots");
        }
        if (!is_split)
            raw_net_disconnect(net);
    }
}

/* Catalogue D08: whatever the cut, what looks at headers finds them. */
void net_case_split(struct raw_net *net)
{
    static const struct frame_recipe recipes[] = {
        { .version = 4, .protocol = 6, .payload_bytes = 20, .tcp_options_bytes = 12 },
        { .version = 6, .protocol = 17, .payload_bytes = 20, .extension_bytes = 16, .tags = 1 },
    };

    raw_net_connect(net, false);
    for (size_t i = 0; i < 2; i++) {
        unsigned char bytes[FRAME_BYTES_MAX], expected[FRAME_BYTES_MAX];
        uint32_t transport, length = frame_make(expected, &recipes[i], &transport);

        memcpy(bytes, expected, length);
        memset(bytes + transport + (recipes[i].protocol == 6 ? 16 : 6), 0xdb, 2);
        for (uint16_t cut = 1; cut < length; cut++) {
            const uint16_t two[] = { cut, (uint16_t)(length - cut) };
            const uint16_t three[] = { cut, 1, (uint16_t)(length - cut - 1) };

            send_pieces(net, bytes, two, 2, NETTXF_csum_blank | NETTXF_data_validated, expected,
                        "a cut header");
            if (cut + 1u < length)
                send_pieces(net, bytes, three, 3, NETTXF_csum_blank, expected, "a header cut twice");
        }
    }
    net_expect_service(net);
}

/* Catalogue D17. */
void net_case_sizes(struct raw_net *net)
{
    static const uint16_t bad[][2] = { { 0, 0 },         { 10, 0 },     { 10, 1 },    { 10, 13 },
                                       { 10, 4095 },     { 1, 4096 },   { 4095, 20 }, { 4096, 60 },
                                       { 65535, 65535 }, { 65522, 14 }, { 0, 4097 },  { 0, 0xffff },
                                       { 4083, 14 } };

    raw_net_connect(net, false);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const union netif_tx_slot slot = { .request = raw_net_slot(net, 0, bad[i][0], bad[i][1], 0) };

        net_expect(net, &slot, 1, NETIF_RSP_ERROR, "an impossible size");
    }
    net_expect_silence(net, "an impossible size");
    net_expect_service(net);
}

/* Catalogue D02, D10, D11, D12, E17. */
void net_case_chains(struct raw_net *net)
{
    static unsigned char bytes[64];
    static const uint16_t ones[NETIF_PARTS_MAX] = {
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
    };
    union netif_tx_slot slots[6];

    raw_net_connect(net, false);
    fill(bytes, sizeof(bytes));
    for (unsigned int count = 14; count <= NETIF_PARTS_MAX; count++)
        send_pieces(net, bytes, ones, count, 0, bytes, "slots of one byte");
    /* A first slot that is smaller than the rest, by the last, by one in the middle, by one byte. */
    for (unsigned int place = 1; place < 6; place++) {
        for (unsigned int i = 0; i < 6; i++)
            slots[i].request = raw_net_slot(net, i, 0,
                                            i == place ? 601
                                            : i == 0   ? 600
                                                       : 0,
                                            i < 5 ? NETTXF_more_data : 0);
        net_expect(net, slots, 6, NETIF_RSP_ERROR, "a first slot smaller than the rest");
    }
    /* Only empty slots; then one bad one at each place of a chain. */
    for (unsigned int i = 0; i < 6; i++)
        slots[i].request = raw_net_slot(net, i, 0, 0, i < 5 ? NETTXF_more_data : 0);
    net_expect(net, slots, 6, NETIF_RSP_ERROR, "only empty slots");
    for (unsigned int place = 0; place < 6; place++) {
        for (unsigned int i = 0; i < 6; i++)
            slots[i].request = raw_net_slot(net, i, i == place ? 4090 : 0, 10, i < 5 ? NETTXF_more_data : 0);
        slots[0].request.size = 60;
        net_expect(net, slots, 6, NETIF_RSP_ERROR, "a slot beyond its page");
        net_expect_silence(net, "a slot beyond its page");
        net_expect_service(net);
    }
}

void net_case_extras(struct raw_net *net)
{
    union netif_tx_slot slots[3];

    raw_net_connect(net, false);
    for (unsigned int type = 0; type < 256; type++) {
        slots[0].request = raw_net_slot(net, 0, 0, 100, NETTXF_extra_info);
        memset(&slots[1], 0xff, sizeof(slots[1]));
        slots[1].extra.type = (uint8_t)type;
        slots[1].extra.flags = 0;
        net_expect(net, slots, 2, type == XEN_NETIF_EXTRA_TYPE_HASH ? NETIF_RSP_OKAY : NETIF_RSP_ERROR,
                   "an extra");
        if (type == XEN_NETIF_EXTRA_TYPE_HASH)
            expect_frame(net, net->tx_data, 100, "a packet with its hash");
    }
    /* Segmentation is not offered on a port that cannot do it. */
    for (uint8_t type = 0; type < 4; type++) {
        memset(&slots[1], 0, sizeof(slots[1]));
        slots[1].extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
        slots[1].extra.u.gso.type = type;
        slots[1].extra.u.gso.size = 1448;
        net_expect(net, slots, 2, NETIF_RSP_ERROR, "segmentation that was not offered");
    }
    net_expect_silence(net, "extras");
    net_expect_service(net);
}

/* A blank checksum where there is none, or whose place lies outside of the packet. */
void net_case_checksums(struct raw_net *net)
{
    static const struct frame_recipe odd[] = {
        { .version = 0 },
        { .version = 4, .protocol = 1, .payload_bytes = 20 },
        { .version = 4, .protocol = 17, .payload_bytes = 20, .is_fragment = true },
    };
    static const struct frame_recipe good = { .version = 4, .protocol = 6, .payload_bytes = 0 };
    union netif_tx_slot slot;
    uint32_t transport, length;

    raw_net_connect(net, false);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        length = frame_make(net->tx_data, &odd[i], &transport);
        slot.request = raw_net_slot(net, 0, 0, (uint16_t)length, NETTXF_csum_blank);
        net_expect(net, &slot, 1, NETIF_RSP_ERROR, "a blank checksum that there is not");
        slot.request.flags = 0;
        net_expect(net, &slot, 1, NETIF_RSP_OKAY, "the same without it");
        expect_frame(net, net->tx_data, length, "the same without it");
    }
    length = frame_make(net->tx_data, &good, &transport);
    for (uint16_t cut = 14; cut < length; cut++) {
        slot.request = raw_net_slot(net, 0, 0, cut, NETTXF_csum_blank);
        net_expect(net, &slot, 1, NETIF_RSP_ERROR, "a checksum behind the packet's end");
    }
    net_expect_silence(net, "checksums");
    net_expect_service(net);
}

void net_case_grants(struct raw_net *net)
{
    union netif_tx_slot slots[3];

    raw_net_connect(net, false);
    for (unsigned int place = 0; place < 3; place++) {
        for (unsigned int i = 0; i < 3; i++)
            slots[i].request = raw_net_slot(net, i, 0, 100, i < 2 ? NETTXF_more_data : 0);
        slots[0].request.size = 300;
        slots[place].request.gref = UNGRANTED_REF;
        net_expect(net, slots, 3, NETIF_RSP_ERROR, "a grant that does not exist");
    }
    net_expect_silence(net, "a grant that does not exist");
    net_expect_service(net);
}

/* The test has set a rate that lets nothing more through after a while, and changes it when told to. */
void net_case_rate(struct raw_net *net)
{
    const uint16_t pieces[] = { 1000 };

    raw_net_connect(net, false);
    for (unsigned int i = 0; i < 4; i++) /* its 4,000 bytes */
        send_pieces(net, net->tx_data, pieces, 1, 0, net->tx_data, "a packet within the rate");
    for (unsigned int i = 0; i < NETIF_RING_SLOTS; i++) {
        const struct netif_tx_request request = raw_net_slot(net, 0, 0, 1000, 0);

        raw_net_put(net, &request);
    }
    raw_net_push(net);
    net_expect_silence(net, "beyond the rate");
    puts("held"); /* the test lifts the limit now */
    fflush(stdout);
    for (unsigned int i = 0; i < NETIF_RING_SLOTS; i++) {
        if (raw_net_frame(net, frame, sizeof(frame), FRAME_WAIT_MS) != 1000)
            raw_fail("packet %u did not come out after the limit was lifted", i);
        if (raw_net_response(net).status != NETIF_RSP_OKAY)
            raw_fail("packet %u was not answered well after the limit was lifted", i);
    }
    net_expect_service(net);
}

/* Random chains, a ring full at a time, each slot of which is answered once; chains that do not end are left out. */
void net_case_fuzz(struct raw_net *net)
{
    static const uint16_t flags_known = NETTXF_csum_blank | NETTXF_data_validated;

    raw_net_connect(net, false);
    srandom(39);
    for (unsigned int round = 0; round < FUZZ_ROUNDS; round++) {
        const unsigned int count = (unsigned int)(1 + random() % NETIF_RING_SLOTS);
        unsigned int more = 0;

        for (unsigned int i = 0; i < count; i++) {
            const unsigned int page = (unsigned int)random() % RAW_NET_PAGES;
            struct netif_tx_request request = raw_net_slot(
                net, page, (uint16_t)(random() % 4200), (uint16_t)(random() % 300), random() & flags_known);

            if (random() % 8 == 0)
                request.gref = (uint32_t)random();
            if (random() % 16 == 0)
                request.size = (uint16_t)random();
            more = more < NETIF_PARTS_MAX - 1 && random() % 2 ? more + 1 : 0;
            if (more && i + 1 < count)
                request.flags |= NETTXF_more_data;
            else
                more = 0;
            raw_net_put(net, &request);
        }
        raw_net_push(net);
        for (unsigned int i = 0; i < count; i++)
            raw_net_response(net);
        while (raw_net_frame(net, frame, sizeof(frame), 0))
            ;
    }
    while (raw_net_frame(net, frame, sizeof(frame), SILENCE_MS))
        ;
    net_expect_service(net);
}
