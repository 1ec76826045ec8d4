// SPDX-License-Identifier: MIT
/*
 * net_scratch.h: memory for one batch of packets. Nothing lies in it between two passes, so all network queues of a
 * worker share one; a worker without such queues has none. Owner's thread: a worker's.
 */
#ifndef XENSPLIT_BACKEND_NET_NET_SCRATCH_H
#define XENSPLIT_BACKEND_NET_NET_SCRATCH_H

#include <stdint.h>

#include "backend/port/port.h"
#include "common/netif_rx.h"
#include "common/netif_tx.h"

#define NET_BATCH 128u /* packets */
#define NET_ARENA_BYTES (512u * 1024u)
/* What a packet takes of the arena at most. */
#define NET_ARENA_PACKET_BYTES (PORT_HEADROOM_BYTES + PORT_ROOM_BYTES)

struct net_sent {
    struct netif_tx_chain chain;
    const union netif_tx_slot *slots; /* of the chain */
    uint8_t *bytes;
    int error; /* of the grant copy */
};

struct net_received {
    struct netif_packet packet;
    union netif_rx_slot slot[NETIF_RX_SLOTS_MAX];
    unsigned int slots;
    int error;
};

struct net_scratch {
    union {
        struct net_sent sent[NET_BATCH];
        struct net_received received[NET_BATCH];
    };
    uint8_t arena[NET_ARENA_BYTES] __attribute__((aligned(64)));
};

/* The calling worker's; NULL: no memory. Each one is put once. */
struct net_scratch *net_scratch_get(void);
void net_scratch_put(void);

#endif
