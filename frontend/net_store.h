// SPDX-License-Identifier: MIT
/*
 * net_store.h: the keys of a vif. What the backend offers is read in one transaction with its state (E13); ours
 * appear at once, together with our state (E20).
 */
#ifndef XENSPLIT_FRONTEND_NET_STORE_H
#define XENSPLIT_FRONTEND_NET_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/netif_packet.h"
#include "frontend/attach.h"
#include "frontend/xenfront.h"

struct net_transport {
    uint32_t tx_ring_ref, rx_ring_ref;
    bool is_split;
    uint32_t event_channel_tx, event_channel_rx; /* the first one for both when not split */
    struct netif_offer ours; /* what we take */
};

#define NET_STORE_LIVE_KEY "carrier" /* may change while connected */

/* What the backend offers, and what the toolstack set. -EAGAIN when the backend does not offer itself any more. */
int net_store_offer(struct attach *attach, struct xenfront_net_info *info);
/*
 * Writes our keys and state Connected: a network backend waits for that one, not for Initialised. -EAGAIN when the
 * backend is not in InitWait or Initialised any more, and nothing was written.
 */
int net_store_publish(struct attach *attach, const struct net_transport *transport);
/* Is the backend Connected (else -EAGAIN), and is there a link? */
int net_store_connect(struct attach *attach, bool *is_link_up);
/* Reads the link's state again. After an error it holds what it held. */
int net_store_refresh(struct attach *attach, bool *is_link_up);

#endif
