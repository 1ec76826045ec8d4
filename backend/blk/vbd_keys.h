// SPDX-License-Identifier: MIT
/*
 * vbd_keys.h: what a vbd reads from the store and writes to it. Main thread. Functions return 0, or negative
 * errno with a reason that names the node, what was expected and what was found; they never log.
 */
#ifndef XENSPLIT_BACKEND_BLK_VBD_KEYS_H
#define XENSPLIT_BACKEND_BLK_VBD_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/device.h"
#include "backend/disk/disk.h"
#include "common/blkif_abi.h"

struct vbd_toolstack_keys {
    char *params; /* what disk_open takes; to free() */
    bool is_readonly;
    bool is_cdrom;
    bool is_removable;
    bool is_discard_enabled; /* the toolstack has nothing against it */
};

struct vbd_frontend_keys {
    uint32_t ring_ref;
    uint32_t event_channel;
    enum blkif_abi abi;
    bool is_persistent; /* pages that were used may stay mapped */
    bool is_persistent_offered; /* by the backend, this daemon or the one before */
};

int vbd_keys_read_toolstack(const struct device *device, struct vbd_toolstack_keys *keys, char *reason,
                            size_t reason_size);
int vbd_keys_read_frontend(const struct device *device, struct vbd_frontend_keys *keys, char *reason,
                           size_t reason_size);

/* The disk can, and the toolstack has nothing against it. */
bool vbd_keys_offer_discard(const struct vbd_toolstack_keys *keys, const struct disk_geometry *geometry);

/* What the frontend may use, and what the disk is: before InitWait. */
int vbd_keys_publish(const struct device *device, const struct vbd_toolstack_keys *keys,
                     const struct disk_geometry *geometry, char *reason, size_t reason_size);

#endif
