// SPDX-License-Identifier: MIT
/*
 * netfront.h: the handle of a vif, shared by the files that make it: netfront.c (what front.h asks of a kind) and
 * net_io.c (packets).
 */
#ifndef XENSPLIT_FRONTEND_NETFRONT_H
#define XENSPLIT_FRONTEND_NETFRONT_H

#include "frontend/front.h"
#include "frontend/net_rx.h"
#include "frontend/net_tx.h"
#include "frontend/xenfront.h"

/* A pair of rings. There is one; what is negotiated for the device is not in it. */
struct net_queue {
    struct net_tx tx;
    struct net_rx rx;
    struct region rx_pages; /* tx's are the link's pool region */
    struct net_tx_counts tx_counts;
};

struct xenfront_net {
    struct front front; /* first: see FRONT_OF */
    struct xenfront_net_options options; /* with the defaults filled in */
    bool has_info;
    struct net_queue queue;
    struct netif_offer ours; /* what we take */
    struct netif_offer theirs; /* what the backend takes, and the options allow */
    struct xenfront_net_info info;
    struct xenfront_net_stats stats; /* but what front and the rings count */
    uint8_t header[XENFRONT_NET_HEADER_BYTES]; /* of the packet that send_begin was called for */
    uint32_t begun_bytes; /* that it has room for; 0: none is begun */
    uint8_t *whole; /* XENFRONT_NET_MAX_BYTES: a packet whose checksum is completed here */
};

/* netfront.c */
uint32_t net_push(struct front *front);
/* Latches the device because of what a ring says. Returns -EPROTO. */
int net_broken(struct xenfront_net *net, const char *problem);

#endif
