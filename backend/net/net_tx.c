// SPDX-License-Identifier: MIT
/*
 * net_tx.c: a pass over the transmit ring. All slots that are there are copied at once, each once; packets are cut from
 * the copies, fetched with one grant copy for many, sent, and answered with one push.
 *
 * A packet is fetched as a whole into contiguous memory: however the guest cut it, what looks at its headers afterwards
 * finds them in one piece (catalogue D08).
 */
#include <config.h>

#include "backend/net/net_tx.h"

#include "backend/net/net_queue.h"
#include "backend/net/net_scratch.h"
#include "common/log.h"

/* Takes all there is, when the last of what was taken is gone. */
static int take_slots(struct net_queue *queue)
{
    struct net_tx *tx = &queue->tx;
    int waiting;

    if (tx->at < tx->count)
        return 0;
    waiting = netif_tx_ring_waiting(&tx->ring);
    if (waiting < 0) {
        net_queue_say(
            queue,
            "tx ring: expected a request producer at most %u ahead of the responses (%u consumed, %u "
            "answered), found %u",
            NETIF_RING_SLOTS, tx->ring.req_cons, tx->ring.rsp_prod_pvt, ring_load(&tx->ring.sring->req_prod));
        return waiting;
    }
    for (tx->at = tx->count = 0; tx->count < (unsigned int)waiting; tx->count++)
        netif_tx_ring_take(&tx->ring, &tx->slot[tx->count]);
    return 0;
}

/* Is it this packet's turn? */
static bool may_send(struct net_queue *queue, const struct netif_packet *packet, size_t room_bytes)
{
    uint64_t wait_us;

    if (room_bytes < NET_ARENA_PACKET_BYTES) {
        queue->tx.waits_for_room = true;
        return false;
    }
    if (queue->tx.credit.rate.period_us == 0) /* not even a look at the clock */
        return true;
    wait_us = credit_take(&queue->tx.credit, packet->length_bytes, net_queue_now_us());
    if (wait_us) {
        queue->tx.waits_for_credit = true;
        net_queue_wait_for_credit(queue, wait_us);
        return false;
    }
    return true;
}

/* Cuts packets from the slots, and collects the copies. Negative: what follows the batch cannot be understood. */
static int collect(struct net_queue *queue, unsigned int *batch)
{
    struct net_scratch *scratch = queue->scratch;
    struct net_tx *tx = &queue->tx;
    size_t used = 0, room_bytes = port_room(queue->port);

    for (*batch = 0; tx->at < tx->count && *batch < NET_BATCH; ++*batch) {
        struct net_sent *sent = &scratch->sent[*batch];
        const struct netif_packet *packet = &sent->chain.packet;
        uint8_t *to;

        netif_tx_parse(&sent->chain, &tx->slot[tx->at], tx->count - tx->at, &queue->our_offer);
        if (netif_verdict_is_fatal(sent->chain.verdict)) {
            net_queue_say(queue, "tx ring: expected a packet of at most %u slots with an end, found %s",
                          NETIF_PARTS_MAX, netif_verdict_text(sent->chain.verdict));
            return -EPROTO;
        }
        sent->error = 0;
        if (sent->chain.verdict == NETIF_VERDICT_OK) {
            if (used + NET_ARENA_PACKET_BYTES > NET_ARENA_BYTES ||
                (*batch > 0 && room_bytes < NET_ARENA_PACKET_BYTES))
                break; /* the next batch's */
            if (!may_send(queue, packet, room_bytes))
                break;
            to = sent->bytes = scratch->arena + used + PORT_HEADROOM_BYTES;
            for (unsigned int i = 0; i < packet->part_count; i++) {
                const struct netif_part *part = &packet->part[i];

                grant_io_get(&queue->grants, part->gref, part->offset_bytes, part->length_bytes, to,
                             &sent->error);
                to += part->length_bytes;
            }
            used += PORT_HEADROOM_BYTES + (packet->length_bytes + 15u) / 16u * 16u;
            room_bytes -= PORT_HEADROOM_BYTES + packet->length_bytes;
        }
        sent->slots = &tx->slot[tx->at];
        tx->at += sent->chain.slots;
    }
    return 0;
}

static void complain(struct net_queue *queue, const struct net_sent *sent)
{
    queue->counters.tx_errors++;
    log_limited(&queue->log_limit, LOG_LEVEL_WARNING, queue->label, "packet of %u bytes in %u slots: %s",
                sent->chain.packet.length_bytes, sent->chain.slots,
                sent->error ? "a granted page cannot be copied" : netif_verdict_text(sent->chain.verdict));
}

static int16_t send_packet(struct net_queue *queue, struct net_sent *sent)
{
    struct netif_tx_chain *chain = &sent->chain;

    if (chain->verdict == NETIF_VERDICT_OK && !sent->error)
        chain->verdict = port_send(queue->port, &chain->packet, sent->bytes);
    if (chain->verdict != NETIF_VERDICT_OK || sent->error) {
        complain(queue, sent);
        return NETIF_RSP_ERROR;
    }
    queue->counters.tx_packets++;
    queue->counters.tx_bytes += chain->packet.length_bytes;
    return NETIF_RSP_OKAY;
}

static void send_batch(struct net_queue *queue, unsigned int batch)
{
    struct netif_tx_response *answer = queue->journal.page->tx.answer;
    unsigned int answers = 0;

    for (unsigned int i = 0; i < batch; i++) {
        struct net_sent *sent = &queue->scratch->sent[i];

        netif_tx_answer(&sent->chain, sent->slots, send_packet(queue, sent), answer + answers);
        answers += sent->chain.slots;
    }
    port_flush(queue->port);
    if (net_journal_answer_tx(&queue->journal, &queue->tx.ring, answers))
        net_queue_notify(queue, NET_CHANNEL_TX);
}

int net_tx_pass(struct net_queue *queue)
{
    struct net_tx *tx = &queue->tx;
    unsigned int batch;
    int ret = take_slots(queue);

    while (ret == 0 && tx->at < tx->count && !net_tx_is_held(tx)) {
        ret = collect(queue, &batch);
        grant_io_run(&queue->grants);
        if (batch > 0)
            send_batch(queue, batch);
    }
    return ret;
}
