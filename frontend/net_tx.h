// SPDX-License-Identifier: MIT
/*
 * net_tx.h: the frontend's half of a transmit ring and the table of what is outstanding on it. Each of our pages
 * belongs to one id; a packet takes an id for each of its parts, and a ring slot more when it is to be segmented.
 *
 * The backend writes the other half and may write anything at any time: slots go out from a private copy, a
 * response is copied once (E06), the producer index is read once a pass and must not claim more than is outstanding
 * (C22), an id must be one that is outstanding, with the count of its uses (E07). What does not fit makes the ring
 * broken for good, and net_tx_reap() says so each time; ring->problem says why.
 */
#ifndef XENSPLIT_FRONTEND_NET_TX_H
#define XENSPLIT_FRONTEND_NET_TX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/netif_tx.h"
#include "frontend/pool.h"

#define NET_TX_SLOTS __CONST_RING_SIZE(netif_tx, GRANT_SIZE)

struct net_tx_id {
    uint16_t id; /* the page in the low half, a count of its uses in the high half */
    bool is_pending;
};

struct net_tx {
    netif_tx_front_ring_t front;
    RING_IDX published; /* our producer index as last pushed: the shared one is not ours to believe */
    RING_IDX seen; /* the backend's producer index as last checked */
    bool is_broken;
    uint32_t extras; /* outstanding slots without an id */
    const struct region *pages;
    uint32_t free_count;
    uint8_t free[NET_TX_SLOTS]; /* pages; the next one is the last one */
    struct net_tx_id id[NET_TX_SLOTS]; /* by page */
    char problem[160];
};

struct net_tx_counts { /* of responses */
    uint64_t responses;
    uint64_t errors;
    uint64_t dropped;
};

/* page: of the ring, zeroed, not announced yet. pages: at most NET_TX_SLOTS, for data. */
void net_tx_init(struct net_tx *tx, void *page, const struct region *pages);

/* Is there room for one more packet of so many parts and ring slots? */
bool net_tx_has_room(const struct net_tx *tx, uint32_t parts, uint32_t slots);
/* The page that the next packet's part will use: its data is written there before the put. */
static inline uint32_t net_tx_page(const struct net_tx *tx, uint32_t part)
{
    return tx->free[tx->free_count - 1 - part];
}
/* Fills in the parts' refs and ids, and puts the packet on the ring, privately. There must be room. */
void net_tx_put(struct net_tx *tx, struct netif_packet *packet);
/* Publishes what was put. True: the backend asks for a notification. */
bool net_tx_push(struct net_tx *tx);

/* Takes all responses that are there. The number, or -EPROTO when the ring is broken. */
int net_tx_reap(struct net_tx *tx, struct net_tx_counts *counts);
/*
 * Asks for an event: an eager one waits for the end, and wants it when half of what is outstanding is done; else it
 * comes only just in time to make room. True: there are so many responses already.
 */
bool net_tx_arm(struct net_tx *tx, bool is_eager);
bool net_tx_peek(const struct net_tx *tx);
/* Everything outstanding is forgotten; the ring is not used any more. */
void net_tx_abort(struct net_tx *tx);

static inline uint32_t net_tx_outstanding(const struct net_tx *tx)
{
    return tx->published - tx->front.rsp_cons;
}

#endif
