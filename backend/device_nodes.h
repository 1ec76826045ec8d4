// SPDX-License-Identifier: MIT
/*
 * device_nodes.h: one look at what the store and the hypervisor say about a device: both ends' states, whether
 * the toolstack wants it, where the frontend's directory is, which guest has the domid. It decides nothing. What
 * the frontend wrote is checked, and paths and domids come from our own directory only (catalogue F24). Main
 * thread.
 */
#ifndef XENSPLIT_BACKEND_DEVICE_NODES_H
#define XENSPLIT_BACKEND_DEVICE_NODES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/xenbus_fsm.h"

struct device;
struct xs_handle;

struct device_nodes {
    struct xenbus_view view; /* is_fresh is the caller's */
    bool has_generation; /* device->generation is valid */
    bool is_replaced; /* another guest has the domid since; device->generation is still the old one's */
    bool is_unseen; /* not found since the store came back: it may have lost the device, not removed it */
};

/*
 * 0: view is up to date. -EAGAIN: there is nothing to act upon now (incomplete, nonsense that is to be ignored, the
 * store is gone); a later event says more. -EPROTO: the nodes cannot be served, and reason says why.
 */
int device_nodes_read(struct device *device, struct device_nodes *nodes, struct xs_handle *xs, char *reason,
                      size_t reason_size);
/* false: the guest has died, or another one has its domid. */
bool device_nodes_domain_is_same(struct device *device, struct device_nodes *nodes);
/* The new guest is the device's from now on. */
void device_nodes_accept(struct device *device, struct device_nodes *nodes);

/* Pure: does path lie below the home of the domain ("/local/domain/3/...") and hold nothing strange? */
bool device_nodes_path_is_good(const char *path, uint16_t domid);

#endif
