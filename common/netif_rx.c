// SPDX-License-Identifier: MIT
/*
 * netif_rx.c: a packet to slots of the receive ring, and back. As in netif_tx.c a malformed chain is walked to its
 * end, and the first thing that was wrong is the verdict.
 */
#include <config.h>

#include "common/netif_rx.h"

#include <string.h>

static uint16_t first_flags(const struct netif_packet *packet)
{
    uint16_t flags = 0;

    if (packet->is_csum_blank)
        flags |= NETRXF_csum_blank;
    if (packet->is_csum_blank || packet->is_validated)
        flags |= NETRXF_data_validated;
    if (packet->gso_type != XEN_NETIF_GSO_TYPE_NONE)
        flags |= NETRXF_extra_info;
    return flags;
}

void netif_rx_build(struct netif_packet *packet, const struct netif_rx_request *requests,
                    union netif_rx_slot *slots)
{
    uint32_t left = packet->length_bytes;
    unsigned int slot = 0;

    packet->part_count = 0;
    while (left > 0) {
        const uint32_t bytes = left < NETIF_GRANT_BYTES ? left : NETIF_GRANT_BYTES;
        const bool is_first = packet->part_count == 0;

        left -= bytes;
        packet->part[packet->part_count++] = (struct netif_part){
            .gref = requests[slot].gref,
            .length_bytes = (uint16_t)bytes,
            .id = requests[slot].id,
            .slot = (uint16_t)slot,
        };
        slots[slot].response = (struct netif_rx_response){
            .id = requests[slot].id,
            .status = (int16_t)bytes,
            .flags = (is_first ? first_flags(packet) : 0) | (left > 0 ? NETRXF_more_data : 0),
        };
        slot++;
        if (is_first && packet->gso_type != XEN_NETIF_GSO_TYPE_NONE) {
            memset(&slots[slot], 0, sizeof(slots[slot]));
            slots[slot].extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
            slots[slot].extra.u.gso.type = packet->gso_type;
            slots[slot++].extra.u.gso.size = packet->gso_bytes;
        }
    }
}

void netif_rx_spoil(const struct netif_packet *packet, union netif_rx_slot *slots)
{
    for (unsigned int i = 0; i < packet->part_count; i++)
        slots[packet->part[i].slot].response.status = NETIF_RSP_ERROR;
}

static void accuse(struct netif_rx_chain *chain, enum netif_verdict verdict)
{
    if (chain->verdict == NETIF_VERDICT_OK || netif_verdict_is_fatal(verdict))
        chain->verdict = verdict;
}

static bool take_extras(struct netif_rx_chain *chain, const union netif_rx_slot *slots, unsigned int count,
                        const struct netif_offer *offer)
{
    struct netif_packet *packet = &chain->packet;
    const struct netif_extra_info *extra;

    do {
        if (chain->extras + 1 >= count)
            return false;
        extra = &slots[++chain->extras].extra;
        if (extra->type == XEN_NETIF_EXTRA_TYPE_HASH)
            continue;
        if (extra->type != XEN_NETIF_EXTRA_TYPE_GSO) {
            accuse(chain, NETIF_VERDICT_EXTRA_TYPE);
            continue;
        }
        if (packet->gso_type != XEN_NETIF_GSO_TYPE_NONE)
            accuse(chain, NETIF_VERDICT_EXTRA_TWICE);
        packet->gso_type = extra->u.gso.type;
        packet->gso_bytes = extra->u.gso.size;
        if (packet->gso_type == XEN_NETIF_GSO_TYPE_NONE || !netif_gso_is_offered(packet->gso_type, offer))
            accuse(chain, NETIF_VERDICT_GSO_TYPE);
        else if (packet->gso_bytes < NETIF_SEGMENT_BYTES_MIN)
            accuse(chain, NETIF_VERDICT_GSO_SIZE);
    } while (extra->flags & XEN_NETIF_EXTRA_FLAG_MORE);
    return true;
}

static void add_part(struct netif_rx_chain *chain, const struct netif_rx_response *response,
                     unsigned int slot)
{
    struct netif_packet *packet = &chain->packet;

    if (response->status < 0) {
        accuse(chain, NETIF_VERDICT_PEER_ERROR);
        return;
    }
    if ((uint32_t)response->offset + (uint32_t)response->status > NETIF_GRANT_BYTES) {
        accuse(chain, NETIF_VERDICT_OUTSIDE_PAGE);
        return;
    }
    if (response->status == 0)
        return;
    packet->length_bytes += (uint32_t)response->status;
    packet->part[packet->part_count++] = (struct netif_part){
        .offset_bytes = response->offset,
        .length_bytes = (uint16_t)response->status,
        .id = response->id,
        .slot = (uint16_t)slot,
    };
}

void netif_rx_parse(struct netif_rx_chain *chain, const union netif_rx_slot *slots, unsigned int count,
                    const struct netif_offer *offer)
{
    const struct netif_rx_response *first = &slots[0].response;
    struct netif_packet *packet = &chain->packet;
    unsigned int data_slots = 1;

    memset(chain, 0, offsetof(struct netif_rx_chain, packet.part));
    if (first->flags & NETRXF_extra_info && !take_extras(chain, slots, count, offer)) {
        accuse(chain, NETIF_VERDICT_UNFINISHED);
        return;
    }
    for (uint16_t flags = first->flags; flags & NETRXF_more_data; data_slots++) {
        if (data_slots == NETIF_PARTS_MAX) {
            accuse(chain, NETIF_VERDICT_TOO_MANY_SLOTS);
            return;
        }
        if (chain->extras + data_slots >= count) {
            accuse(chain, NETIF_VERDICT_UNFINISHED);
            return;
        }
        flags = slots[chain->extras + data_slots].response.flags;
    }
    chain->slots = chain->extras + data_slots;

    packet->is_csum_blank = first->flags & NETRXF_csum_blank;
    packet->is_validated = first->flags & (NETRXF_data_validated | NETRXF_csum_blank);
    if (first->flags & NETRXF_gso_prefix)
        accuse(chain, NETIF_VERDICT_GSO_PREFIX);
    add_part(chain, first, 0);
    for (unsigned int i = 1; i < data_slots; i++)
        add_part(chain, &slots[chain->extras + i].response, chain->extras + i);
    if (packet->length_bytes < NETIF_PACKET_BYTES_MIN)
        accuse(chain, NETIF_VERDICT_TOO_SHORT);
    if (packet->length_bytes > NETIF_PACKET_BYTES_MAX)
        accuse(chain, NETIF_VERDICT_TOO_LONG);
}
