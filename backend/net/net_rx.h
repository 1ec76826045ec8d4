// SPDX-License-Identifier: MIT
/*
 * net_rx.h: what the guest receives: takes frames from the port as long as the guest has posted pages for them, and
 * copies them there. A part of a net_queue; worker's thread.
 *
 * At most one frame is held back here, when it needs more pages than are posted; what follows waits in the port, which
 * is bounded, too. A guest that takes nothing for the drain time has stalled: the carrier goes, the frames that wait
 * are dropped, and so is what still comes, until there is room for any packet again (catalogue D07, D14, D16).
 */
#ifndef XENSPLIT_BACKEND_NET_NET_RX_H
#define XENSPLIT_BACKEND_NET_NET_RX_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/port/port.h"
#include "common/netif_ring.h"

struct net_queue;

struct net_rx {
    netif_rx_back_ring_t ring;
    bool has_held; /* a frame that did not fit */
    bool is_stalled;
    unsigned int wanted; /* pages that are waited for; 0: none */
    uint64_t blocked_since_us;
    struct netif_packet held;
    uint8_t held_bytes[NETIF_PACKET_BYTES_MAX];
};

/*
 * Delivers what the port has, as far as the guest has room. 1: there may be more; 0: not now; negative: the queue is
 * broken, and its reason says why.
 */
int net_rx_pass(struct net_queue *queue);
/* The timer of net_queue_wait_for_pages has gone off. */
int net_rx_expire(struct net_queue *queue);

#endif
