// SPDX-License-Identifier: MIT
/*
 * net_tx.h: what the guest sends: takes packets from its transmit ring, copies them, gives them to the port, answers.
 * A part of a net_queue; worker's thread.
 */
#ifndef XENSPLIT_BACKEND_NET_NET_TX_H
#define XENSPLIT_BACKEND_NET_NET_TX_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/net/credit.h"
#include "common/netif_ring.h"

struct net_queue;

struct net_tx {
    netif_tx_back_ring_t ring;
    struct credit credit;
    bool waits_for_credit; /* its timer runs */
    bool waits_for_room; /* the port will say */
    /* Taken from the ring, not looked at: private copies, and never read again from there. */
    unsigned int at, count;
    union netif_tx_slot slot[NETIF_RING_SLOTS];
};

/* Sends what the ring holds now. Negative: the queue is broken, and its reason says why. */
int net_tx_pass(struct net_queue *queue);
/* May it go on, as far as we are concerned? */
static inline bool net_tx_is_held(const struct net_tx *tx)
{
    return tx->waits_for_credit || tx->waits_for_room;
}

#endif
