// SPDX-License-Identifier: MIT
/*
 * net_rx.h: the frontend's half of a receive ring. Page n of our pages is always in ring slot n: slots are posted
 * and taken in order, and a response stays in the slot of its request, so there is no table and nothing that a
 * backend could index.
 *
 * The backend may write anything at any time: responses are copied once (E06), the producer index must not claim
 * more than was posted (C22), a packet must end within what was claimed, and an id must be that of its slot. What
 * does not fit makes the ring broken for good. A packet that is bad in itself is left out, and the next one begins
 * exactly behind it (E17).
 */
#ifndef XENSPLIT_FRONTEND_NET_RX_H
#define XENSPLIT_FRONTEND_NET_RX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/netif_rx.h"
#include "frontend/pool.h"

#define NET_RX_SLOTS __CONST_RING_SIZE(netif_rx, GRANT_SIZE)

struct net_rx {
    netif_rx_front_ring_t front;
    RING_IDX published; /* our producer index as last pushed */
    bool is_broken;
    const struct region *pages; /* NET_RX_SLOTS */
    char problem[160];
};

void net_rx_init(struct net_rx *rx, void *page, const struct region *pages);

/* Posts every slot whose packet was taken before; their pages are the backend's from the next push on. */
void net_rx_post(struct net_rx *rx);
/* True: the backend asks for a notification. */
bool net_rx_push(struct net_rx *rx);

/*
 * The next packet, whatever its verdict; a part's slot is its page's number. 1, 0 when there is none, -EPROTO when
 * the ring is broken.
 */
int net_rx_take(struct net_rx *rx, struct netif_rx_chain *chain, const struct netif_offer *ours);
/* Asks for an event with the next response. True: there is something already. */
bool net_rx_arm(struct net_rx *rx);
bool net_rx_peek(const struct net_rx *rx);
void net_rx_abort(struct net_rx *rx);

#endif
