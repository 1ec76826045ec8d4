// SPDX-License-Identifier: MIT
/*
 * vif_keys.h: what a vif reads from the store and writes to it. Main thread. Functions return 0, or negative errno with
 * a reason that names the node, what was expected and what was found; they never log.
 */
#ifndef XENSPLIT_BACKEND_NET_VIF_KEYS_H
#define XENSPLIT_BACKEND_NET_VIF_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/device.h"
#include "backend/net/net_queue.h"

struct vif_toolstack_keys {
    char port[PORT_TARGET_MAX]; /* what port_open takes */
    uint32_t mtu; /* 0: not said */
    struct credit_rate rate;
};

#define VIF_QUEUES 1u /* that a frontend may have; more are not offered */

struct vif_frontend_keys {
    uint32_t queue_count;
    struct net_rings rings[VIF_QUEUES];
    struct netif_offer offer;
    bool has_rx_notify;
};

int vif_keys_read_toolstack(const struct device *device, struct vif_toolstack_keys *keys, char *reason,
                            size_t reason_size);
/* Only `rate`, which may change at any time. */
int vif_keys_read_rate(const struct device *device, struct credit_rate *rate, char *reason,
                       size_t reason_size);
int vif_keys_read_frontend(const struct device *device, struct vif_frontend_keys *keys, char *reason,
                           size_t reason_size);
/* Has the toolstack's hotplug script done its part, if there is one? */
bool vif_keys_hotplug_is_done(const struct device *device);

/* What the frontend may use: before InitWait. */
int vif_keys_publish_features(const struct device *device, const struct netif_offer *offer, char *reason,
                              size_t reason_size);

/* The guest's view of the link, which may change at any time. -ENOENT: the device is gone. */
int vif_keys_publish_link(const struct device *device, bool has_link, char *reason, size_t reason_size);

#endif
