// SPDX-License-Identifier: MIT
/*
 * net_rx.c: a pass of the receive side. Frames are read one behind the other into the arena, laid out in the guest's
 * posted pages, copied there with one grant copy for many, and answered with one push, each answer in the slot of its
 * request.
 */
#include <config.h>

#include "backend/net/net_rx.h"

#include <string.h>

#include "backend/net/net_queue.h"
#include "backend/net/net_scratch.h"
#include "common/log.h"

#define POLL_US 1000u /* a guest that does not notify of posted pages is looked at so often */
#define POLL_DRAIN_US 30000u /* and so long at most: nobody knows whether it will post any */

static int count_pages(struct net_queue *queue)
{
    struct net_rx *rx = &queue->rx;
    const int waiting = netif_rx_ring_waiting(&rx->ring);

    if (waiting < 0)
        net_queue_say(
            queue,
            "rx ring: expected a request producer at most %u ahead of the responses (%u consumed, %u "
            "answered), found %u",
            NETIF_RING_SLOTS, rx->ring.req_cons, rx->ring.rsp_prod_pvt, ring_load(&rx->ring.sring->req_prod));
    return waiting;
}

/* What there is no way to give to this guest. */
static bool is_too_long(const struct net_queue *queue, const struct netif_packet *packet)
{
    return !queue->their_offer.can_sg && packet->length_bytes > NETIF_GRANT_BYTES;
}

static void lay_out(struct net_queue *queue, struct net_received *received, const uint8_t *bytes)
{
    struct netif_rx_request requests[NETIF_RX_SLOTS_MAX];
    struct netif_packet *packet = &received->packet;
    const uint8_t *from = bytes;

    for (unsigned int i = 0; i < received->slots; i++)
        netif_rx_ring_take(&queue->rx.ring, &requests[i]);
    netif_rx_build(packet, requests, received->slot);
    for (unsigned int i = 0; i < packet->part_count; i++) {
        const struct netif_part *part = &packet->part[i];

        grant_io_put(&queue->grants, part->gref, 0, part->length_bytes, from, &received->error);
        from += part->length_bytes;
    }
}

/* The frame stays until so many pages are posted. */
static void hold(struct net_queue *queue, const struct netif_packet *packet, const uint8_t *bytes,
                 unsigned int wanted)
{
    struct net_rx *rx = &queue->rx;

    rx->wanted = wanted;
    if (rx->has_held)
        return;
    memcpy(&rx->held, packet, offsetof(struct netif_packet, part));
    memcpy(rx->held_bytes, bytes, packet->length_bytes);
    rx->has_held = true;
}

/* Frames for as many pages as there are. 1: the batch is full. */
static int collect(struct net_queue *queue, unsigned int pages, unsigned int *batch)
{
    struct net_scratch *scratch = queue->scratch;
    struct net_rx *rx = &queue->rx;
    unsigned int dropped = 0;
    size_t used = 0;

    rx->wanted = 0;
    port_release(queue->port);
    for (*batch = 0; *batch < NET_BATCH && used + NET_ARENA_PACKET_BYTES <= NET_ARENA_BYTES;) {
        struct net_received *received = &scratch->received[*batch];
        struct netif_packet *packet = &received->packet;
        uint8_t *const room = scratch->arena + used + PORT_HEADROOM_BYTES;
        enum port_got got = PORT_GOT_FRAME;
        uint8_t *bytes = room;

        if (rx->has_held) {
            memcpy(packet, &rx->held, offsetof(struct netif_packet, part));
            bytes = rx->held_bytes;
        } else if ((got = port_receive(queue->port, packet, &bytes)) != PORT_GOT_FRAME) {
            return got == PORT_GOT_ALL;
        } else if (is_too_long(queue, packet)) {
            queue->counters.rx_dropped++;
            if (++dropped == NET_BATCH) /* other queues get their turn */
                return 1;
            continue;
        }
        received->slots = netif_rx_slots(packet->length_bytes, packet->gso_type != XEN_NETIF_GSO_TYPE_NONE);
        received->error = 0;
        if (received->slots > pages) {
            hold(queue, packet, bytes, received->slots);
            return 0;
        }
        pages -= received->slots;
        lay_out(queue, received, bytes);
        if (bytes == room)
            used += PORT_HEADROOM_BYTES + (packet->length_bytes + 15u) / 16u * 16u;
        rx->has_held = false; /* its memory is used again only in the next batch: nothing is held after it */
        ++*batch;
        if (bytes == rx->held_bytes)
            return 1;
    }
    return 1;
}

static void deliver(struct net_queue *queue, unsigned int batch)
{
    union netif_rx_slot *answer = queue->journal.page->rx.answer;
    unsigned int answers = 0;

    for (unsigned int i = 0; i < batch; i++) {
        struct net_received *received = &queue->scratch->received[i];

        if (received->error) {
            netif_rx_spoil(&received->packet, received->slot);
            queue->counters.rx_errors++;
            log_limited(&queue->log_limit, LOG_LEVEL_WARNING, queue->label,
                        "frame of %u bytes: a posted page cannot be written", received->packet.length_bytes);
        } else {
            queue->counters.rx_packets++;
            queue->counters.rx_bytes += received->packet.length_bytes;
        }
        memcpy(answer + answers, received->slot, received->slots * sizeof(*answer));
        answers += received->slots;
    }
    if (net_journal_answer_rx(&queue->journal, &queue->rx.ring, answers))
        net_queue_notify(queue, NET_CHANNEL_RX);
}

/* Until there is room for any packet again. 1: there may be more to drop. */
static int discard(struct net_queue *queue)
{
    struct netif_packet packet;

    port_release(queue->port);
    for (unsigned int i = 0; i < NET_BATCH; i++) {
        uint8_t *bytes = queue->scratch->arena + PORT_HEADROOM_BYTES;
        const enum port_got got = port_receive(queue->port, &packet, &bytes);

        if (got != PORT_GOT_FRAME)
            return got == PORT_GOT_ALL;
        queue->counters.rx_dropped++;
    }
    return 1;
}

static int port_is_gone(struct net_queue *queue)
{
    const int error = port_error(queue->port);

    if (error)
        net_queue_say(queue, "port %s: expected frames, found that it is gone: %s",
                      port_info(queue->port)->target, strerror(-error));
    return error;
}

static int pass_stalled(struct net_queue *queue, unsigned int pages)
{
    /* Small frontends never post as many as the largest packet takes; without scatter-gather one is enough. */
    const unsigned int wanted = queue->their_offer.can_sg ? NETIF_RX_SLOTS_MAX : 1;

    if (pages >= wanted || netif_rx_ring_final_check(&queue->rx.ring, wanted)) {
        queue->rx.is_stalled = false;
        port_set_carrier(queue->port, true);
        log_limited(&queue->log_limit, LOG_LEVEL_INFO, queue->label, "the guest takes frames again");
        return 1;
    }
    port_watch(queue->port, true);
    return discard(queue);
}

/* Nothing fits: the port is left alone until the guest posts pages, or the time is over. */
static void block(struct net_queue *queue, bool has_moved)
{
    struct net_rx *rx = &queue->rx;

    if (!rx->blocked_since_us || has_moved)
        rx->blocked_since_us = net_queue_now_us();
    port_watch(queue->port, false);
    net_queue_wait_for_pages(queue, queue->has_rx_notify ? queue->drain_us : POLL_US);
}

int net_rx_pass(struct net_queue *queue)
{
    struct net_rx *rx = &queue->rx;
    unsigned int batch = 0;
    int pages, ret;

    pages = count_pages(queue);
    if (pages < 0)
        return pages;
    if (rx->is_stalled) {
        ret = pass_stalled(queue, (unsigned int)pages);
        return ret == 0 && port_is_gone(queue) ? port_error(queue->port) : ret;
    }
    ret = collect(queue, (unsigned int)pages, &batch);
    grant_io_run(&queue->grants);
    if (batch > 0)
        deliver(queue, batch);
    if (port_is_gone(queue))
        return port_error(queue->port);
    if (rx->wanted) {
        if (netif_rx_ring_final_check(&rx->ring, rx->wanted))
            return 1;
        block(queue, batch > 0);
        return 0;
    }
    rx->blocked_since_us = 0;
    net_queue_wait_for_pages(queue, 0);
    port_watch(queue->port, true);
    return ret;
}

int net_rx_expire(struct net_queue *queue)
{
    struct net_rx *rx = &queue->rx;
    const uint64_t drain_us = queue->has_rx_notify ? queue->drain_us : POLL_DRAIN_US;

    if (!rx->wanted || net_queue_now_us() - rx->blocked_since_us < drain_us)
        return net_rx_pass(queue);
    /* A last look: what the guest has posted meanwhile counts. */
    if (netif_rx_ring_final_check(&rx->ring, rx->wanted))
        return net_rx_pass(queue);
    rx->has_held = false;
    rx->wanted = 0;
    rx->blocked_since_us = 0;
    queue->counters.rx_dropped++;
    if (queue->has_rx_notify) {
        rx->is_stalled = true;
        queue->counters.rx_stalls++;
        port_set_carrier(queue->port, false);
        log_limited(&queue->log_limit, LOG_LEVEL_WARNING, queue->label,
                    "the guest has taken no frame for %llu ms: its frames are dropped until it does",
                    (unsigned long long)(drain_us / 1000));
    }
    return net_rx_pass(queue);
}
