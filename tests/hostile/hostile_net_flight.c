// SPDX-License-Identifier: MIT
/*
 * hostile_net_flight.c: packets whose slots change while they are read, whose ids are alike, and that ask for segments
 * that cannot be.
 */
#include <config.h>

#include "tests/hostile/hostile_net.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/unit/frames.h"

#define ROUNDS 300
#define FRAME_WAIT_MS 30000
#define REUSES 20000u /* packets over the same few pages */

static atomic_bool is_mutating;

/*
 * Fields that are good by themselves and that do not go together: 60 bytes from anywhere, 4000 from the beginning. Who
 * reads a field twice takes one for good that he has not looked at.
 */
RAW_SCRIBBLES static void *mutate(void *arg)
{
    struct raw_net *net = arg;
    unsigned int at = 0;

    while (atomic_load_explicit(&is_mutating, memory_order_relaxed)) {
        volatile struct netif_tx_request *slot = &net->tx_page->ring[at++ % NETIF_RING_SLOTS].req;

        slot->size = 4000;
        slot->offset = 3000;
        slot->size = 60;
        slot->offset = 0;
    }
    return NULL;
}

/* Of a length that a slot had at some time, and of one page: the rest of a longer one would be another packet's. */
static void check_frame(const unsigned char *bytes, uint32_t length)
{
    if (length != 60 && length != 4000)
        raw_fail("a frame of %u bytes came out", length);
    for (uint32_t i = 0; i < length; i++)
        if (bytes[i] != bytes[0])
            raw_fail("byte %u of a frame of page %u is of page %u", i, bytes[0], bytes[i]);
}

/* Catalogue D01: each slot is answered once, and what comes out was there. */
void net_case_mutation(struct raw_net *net)
{
    static unsigned char bytes[65536];
    pthread_t thread;
    uint32_t length;

    raw_net_connect(net, false);
    for (unsigned int i = 0; i < RAW_NET_PAGES; i++)
        memset(net->tx_data + i * 4096, (int)i, 4096);
    atomic_store(&is_mutating, true);
    if (pthread_create(&thread, NULL, mutate, net))
        raw_fail("no thread");
    for (unsigned int round = 0; round < ROUNDS; round++) {
        for (unsigned int i = 0; i < NETIF_RING_SLOTS; i++) {
            struct netif_tx_request request = raw_net_slot(net, i % RAW_NET_PAGES, 0, 60, 0);

            raw_net_put(net, &request);
        }
        raw_net_push(net);
        for (unsigned int i = 0; i < NETIF_RING_SLOTS; i++)
            raw_net_response(net);
        while ((length = raw_net_frame(net, bytes, sizeof(bytes), 0)))
            check_frame(bytes, length);
    }
    atomic_store(&is_mutating, false);
    pthread_join(thread, NULL);
    while (raw_net_frame(net, bytes, sizeof(bytes), 50))
        ;
    net_expect_service(net);
}

/*
 * Catalogue D13: ids mean nothing to the backend: all alike, 0 among them, over more than one turn of every counter of
 * 16 bits; each packet is answered once, and comes out once.
 */
void net_case_ids(struct raw_net *net)
{
    static const uint16_t ids[] = { 0, 0xffff, 1 };
    static unsigned char bytes[65536];

    raw_net_connect(net, false);
    for (unsigned int round = 0; round < 3 * 86; round++) {
        const uint16_t id = ids[round % 3];

        for (unsigned int i = 0; i < NETIF_RING_SLOTS; i++) {
            struct netif_tx_request request = raw_net_slot(net, 0, 0, 60, 0);

            request.id = id;
            raw_net_put(net, &request);
        }
        raw_net_push(net);
        for (unsigned int i = 0; i < NETIF_RING_SLOTS; i++) {
            const struct netif_tx_response response = raw_net_response(net);

            if (response.id != id || response.status != NETIF_RSP_OKAY)
                raw_fail("packet %u of round %u: id %#x, status %d, expected %#x, %d", i, round, response.id,
                         response.status, id, NETIF_RSP_OKAY);
            if (raw_net_frame(net, bytes, sizeof(bytes), FRAME_WAIT_MS) != 60)
                raw_fail("packet %u of round %u did not come out", i, round);
        }
    }
    net_expect_silence(net, "packets with ids that are alike");
}

static void expect_frame_of(struct raw_net *net, unsigned int number)
{
    static unsigned char bytes[65536];
    const uint32_t length = raw_net_frame(net, bytes, sizeof(bytes), FRAME_WAIT_MS);

    if (length != 60)
        raw_fail("packet %u: a frame of %u bytes came out, expected 60", number, length);
    for (uint32_t i = 0; i < length; i++)
        if (bytes[i] != (unsigned char)number)
            raw_fail("packet %u: byte %u is %#x: its page was given back before it was read", number, i,
                     bytes[i]);
}

/*
 * Catalogue D16, D18: an answer gives slot and page back. The guest uses both again at once, and what it writes there
 * is not seen in the packet before, however late the far end reads that.
 */
void net_case_reuse(struct raw_net *net)
{
    const unsigned int late = 2 * RAW_NET_PAGES; /* packets that wait at the far end */

    raw_net_connect(net, false);
    for (unsigned int i = 0; i < REUSES; i++) {
        const unsigned int page = i % RAW_NET_PAGES;
        const struct netif_tx_request request = raw_net_slot(net, page, 0, 60, 0);

        if (i >= RAW_NET_PAGES) {
            const struct netif_tx_response response = raw_net_response(net);

            if (response.id != request.id || response.status != NETIF_RSP_OKAY)
                raw_fail("packet %u: id %#x, status %d, expected %#x, %d", i - RAW_NET_PAGES, response.id,
                         response.status, request.id, NETIF_RSP_OKAY);
        }
        memset(net->tx_data + page * 4096, (int)(i & 0xff), 60);
        raw_net_put(net, &request);
        raw_net_push(net);
        if (i >= late)
            expect_frame_of(net, i - late);
    }
    for (unsigned int i = 0; i < RAW_NET_PAGES; i++)
        raw_net_response(net);
    for (unsigned int i = REUSES - late; i < REUSES; i++)
        expect_frame_of(net, i);
    net_expect_service(net);
}

/*
 * For a port that takes segmentation, and lets out nothing that could be looked at: a size below the least, a type that
 * is not the packet's, or none, headers that are cut, are errors; everything else is between the guest and TCP.
 */
void net_case_gso(struct raw_net *net)
{
    static const struct frame_recipe tcp4 = { .version = 4, .protocol = 6, .payload_bytes = 3000 };
    static const struct frame_recipe udp4 = { .version = 4, .protocol = 17, .payload_bytes = 3000 };
    uint32_t transport, length;
    union netif_tx_slot slots[2];

    raw_net_connect(net, false);
    for (unsigned int type = 0; type < 256; type++) {
        for (unsigned int size = 0; size < 65536; size += size < 16 ? 1 : 9929) {
            const bool is_good = type == XEN_NETIF_GSO_TYPE_TCPV4 && size >= NETIF_SEGMENT_BYTES_MIN;

            length = frame_make(net->tx_data, &tcp4, &transport);
            slots[0].request = raw_net_slot(net, 0, 0, (uint16_t)length,
                                            NETTXF_extra_info | (size & 1 ? NETTXF_csum_blank : 0));
            memset(&slots[1], 0, sizeof(slots[1]));
            slots[1].extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
            slots[1].extra.u.gso.type = (uint8_t)type;
            slots[1].extra.u.gso.size = (uint16_t)size;
            net_expect(net, slots, 2, is_good ? NETIF_RSP_OKAY : NETIF_RSP_ERROR, "segments");
            if (!is_good || size > 16)
                continue;
            for (uint16_t cut = 14; cut < transport + 20; cut++) {
                slots[0].request.size = cut;
                net_expect(net, slots, 2, NETIF_RSP_ERROR, "segments of a packet that ends in its headers");
            }
            length = frame_make(net->tx_data, &udp4, &transport);
            slots[0].request.size = (uint16_t)length;
            net_expect(net, slots, 2, NETIF_RSP_ERROR, "segments of a datagram");
        }
    }
}
