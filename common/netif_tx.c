// SPDX-License-Identifier: MIT
/*
 * netif_tx.c: slots of the transmit ring to a packet, and back.
 *
 * A chain that is malformed in one place is still walked to its end, so that it is known which slots belong to it
 * (catalogue E17); the first thing that was wrong is the verdict.
 */
#include <config.h>

#include "common/netif_tx.h"

#include <string.h>

static void accuse(struct netif_tx_chain *chain, enum netif_verdict verdict)
{
    if (chain->verdict == NETIF_VERDICT_OK || netif_verdict_is_fatal(verdict))
        chain->verdict = verdict;
}

static void take_gso(struct netif_tx_chain *chain, const struct netif_extra_info *extra,
                     const struct netif_offer *offer)
{
    struct netif_packet *packet = &chain->packet;

    packet->gso_type = extra->u.gso.type;
    packet->gso_bytes = extra->u.gso.size;
    if (packet->gso_type == XEN_NETIF_GSO_TYPE_NONE || !netif_gso_is_offered(packet->gso_type, offer))
        accuse(chain, NETIF_VERDICT_GSO_TYPE);
    else if (packet->gso_bytes < NETIF_SEGMENT_BYTES_MIN)
        accuse(chain, NETIF_VERDICT_GSO_SIZE);
}

/* False: they do not end. */
static bool take_extras(struct netif_tx_chain *chain, const union netif_tx_slot *slots, unsigned int count,
                        const struct netif_offer *offer)
{
    const struct netif_extra_info *extra;
    uint32_t seen = 0;

    do {
        if (chain->extras + 1 >= count)
            return false;
        extra = &slots[++chain->extras].extra;
        if (extra->type == XEN_NETIF_EXTRA_TYPE_NONE || extra->type >= XEN_NETIF_EXTRA_TYPE_MAX) {
            accuse(chain, NETIF_VERDICT_EXTRA_TYPE);
            continue;
        }
        if (seen & 1u << extra->type)
            accuse(chain, NETIF_VERDICT_EXTRA_TWICE);
        seen |= 1u << extra->type;
        switch (extra->type) {
        case XEN_NETIF_EXTRA_TYPE_GSO:
            take_gso(chain, extra, offer);
            break;
        case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
        case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
            accuse(chain, NETIF_VERDICT_MULTICAST);
            break;
        case XEN_NETIF_EXTRA_TYPE_HASH: /* says nothing that is not in the packet */
            break;
        }
    } while (extra->flags & XEN_NETIF_EXTRA_FLAG_MORE);
    return true;
}

/* A slot without bytes is none (catalogue D11). In 32 bits, so that nothing wraps (catalogue D17). */
static void add_part(struct netif_tx_chain *chain, const struct netif_tx_request *request,
                     uint32_t length_bytes, unsigned int slot)
{
    struct netif_packet *packet = &chain->packet;

    if (length_bytes == 0)
        return;
    if ((uint32_t)request->offset + length_bytes > NETIF_GRANT_BYTES) {
        accuse(chain, NETIF_VERDICT_OUTSIDE_PAGE);
        return;
    }
    packet->part[packet->part_count++] = (struct netif_part){
        .gref = request->gref,
        .offset_bytes = request->offset,
        .length_bytes = (uint16_t)length_bytes,
        .id = request->id,
        .slot = (uint16_t)slot,
    };
}

/* The first slot's own length is what the others leave of the whole; it is known only at the end. */
static uint32_t first_length(const union netif_tx_slot *slots, unsigned int extras, unsigned int data_slots)
{
    uint32_t rest = 0;

    for (unsigned int i = 1; i < data_slots; i++)
        rest += slots[extras + i].request.size;
    return rest > slots[0].request.size ? UINT32_MAX : slots[0].request.size - rest;
}

void netif_tx_parse(struct netif_tx_chain *chain, const union netif_tx_slot *slots, unsigned int count,
                    const struct netif_offer *offer)
{
    const struct netif_tx_request *first = &slots[0].request;
    struct netif_packet *packet = &chain->packet;
    unsigned int data_slots = 1;
    uint32_t length;

    memset(chain, 0, offsetof(struct netif_tx_chain, packet.part));
    if (first->flags & NETTXF_extra_info && !take_extras(chain, slots, count, offer)) {
        accuse(chain, NETIF_VERDICT_UNFINISHED);
        return;
    }
    for (uint16_t flags = first->flags; flags & NETTXF_more_data; data_slots++) {
        if (data_slots == NETIF_PARTS_MAX) {
            accuse(chain, NETIF_VERDICT_TOO_MANY_SLOTS);
            return;
        }
        if (chain->extras + data_slots >= count) {
            accuse(chain, NETIF_VERDICT_UNFINISHED);
            return;
        }
        flags = slots[chain->extras + data_slots].request.flags;
    }
    chain->slots = chain->extras + data_slots;

    packet->length_bytes = first->size;
    packet->is_csum_blank = first->flags & NETTXF_csum_blank;
    packet->is_validated = first->flags & (NETTXF_data_validated | NETTXF_csum_blank);
    if (chain->verdict == NETIF_VERDICT_MULTICAST)
        return;
    if (first->size < NETIF_PACKET_BYTES_MIN)
        accuse(chain, NETIF_VERDICT_TOO_SHORT);
    length = first_length(slots, chain->extras, data_slots);
    if (length == UINT32_MAX) {
        accuse(chain, NETIF_VERDICT_FIRST_TOO_SMALL);
        return;
    }
    add_part(chain, first, length, 0);
    for (unsigned int i = 1; i < data_slots; i++) {
        const struct netif_tx_request *request = &slots[chain->extras + i].request;

        add_part(chain, request, request->size, chain->extras + i);
    }
}

void netif_tx_answer(const struct netif_tx_chain *chain, const union netif_tx_slot *slots, int16_t status,
                     struct netif_tx_response *responses)
{
    for (unsigned int i = 0; i < chain->slots; i++) {
        const bool is_extra = i > 0 && i <= chain->extras;

        responses[i].id = is_extra ? 0 : slots[i].request.id;
        responses[i].status = is_extra ? NETIF_RSP_NULL : status;
    }
}

unsigned int netif_tx_slots(const struct netif_packet *packet)
{
    return packet->part_count + (packet->gso_type != XEN_NETIF_GSO_TYPE_NONE);
}

void netif_tx_build(const struct netif_packet *packet, union netif_tx_slot *slots)
{
    unsigned int at = 0;

    for (unsigned int i = 0; i < packet->part_count; i++) {
        const struct netif_part *part = &packet->part[i];
        struct netif_tx_request *request = &slots[at++].request;

        *request = (struct netif_tx_request){
            .gref = part->gref,
            .offset = part->offset_bytes,
            .id = part->id,
            .size = part->length_bytes,
            .flags = i + 1 < packet->part_count ? NETTXF_more_data : 0,
        };
        if (i > 0)
            continue;
        request->size = (uint16_t)packet->length_bytes;
        if (packet->is_csum_blank)
            request->flags |= NETTXF_csum_blank;
        if (packet->is_validated || packet->is_csum_blank)
            request->flags |= NETTXF_data_validated;
        if (packet->gso_type == XEN_NETIF_GSO_TYPE_NONE)
            continue;
        request->flags |= NETTXF_extra_info;
        memset(&slots[at], 0, sizeof(slots[at]));
        slots[at].extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
        slots[at].extra.u.gso.type = packet->gso_type;
        slots[at++].extra.u.gso.size = packet->gso_bytes;
    }
}
