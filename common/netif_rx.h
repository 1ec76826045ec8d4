// SPDX-License-Identifier: MIT
/*
 * netif_rx.h: the guest's receive ring. The guest posts empty pages, the backend answers with packets: each slot's
 * answer says how many bytes are in its page; the first one has the flags; extra slots follow it and use up a
 * posted page each. An answer stays in the slot of its request, since frontends do not look at ids. Pure
 * (netif_packet.h).
 */
#ifndef XENSPLIT_COMMON_NETIF_RX_H
#define XENSPLIT_COMMON_NETIF_RX_H

#include "common/netif_packet.h"

union netif_rx_slot {
    struct netif_rx_response response;
    struct netif_extra_info extra;
};

_Static_assert(sizeof(union netif_rx_slot) == 8, "a slot of the receive ring");

/* Backend: the slots that a packet of that length needs; the data begins at the start of each page. */
static inline unsigned int netif_rx_slots(uint32_t length_bytes, bool is_gso)
{
    return (length_bytes + NETIF_GRANT_BYTES - 1) / NETIF_GRANT_BYTES + is_gso;
}

#define NETIF_RX_SLOTS_MAX 17u /* of any packet: 65535 bytes and how to segment them */

/*
 * Backend: lays a packet of at least one byte out in as many requests as netif_rx_slots says. What is known about
 * it is set before; the parts, and the answers for the ring, are the result.
 */
void netif_rx_build(struct netif_packet *packet, const struct netif_rx_request *requests,
                    union netif_rx_slot *slots);
/* Backend: the data could not be delivered: the same slots, marked as failed. */
void netif_rx_spoil(const struct netif_packet *packet, union netif_rx_slot *slots);

struct netif_rx_chain {
    enum netif_verdict verdict;
    unsigned int slots; /* whatever the verdict; 0 when it is fatal */
    unsigned int extras;
    struct netif_packet packet; /* only after NETIF_VERDICT_OK; a part's slot says which page, gref is 0 */
};

/* Frontend: takes one packet from the beginning of `count` private copies of answers; count is at least 1. */
void netif_rx_parse(struct netif_rx_chain *chain, const union netif_rx_slot *slots, unsigned int count,
                    const struct netif_offer *offer);

#endif
