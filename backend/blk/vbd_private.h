// SPDX-License-Identifier: MIT
/*
 * vbd_private.h: what the files of the family of block devices share, and nobody else includes. Main thread, but for
 * what a letter or a job has taken to another thread.
 */
#ifndef XENSPLIT_BACKEND_BLK_VBD_PRIVATE_H
#define XENSPLIT_BACKEND_BLK_VBD_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/blk/blk_queue.h"
#include "backend/blk/vbd_keys.h"
#include "backend/config.h"
#include "backend/device.h"
#include "backend/mailbox.h"
#include "backend/offload.h"

struct disk;

/* Lives in the device's slot: what a connect has made is there for the next one. */
struct vbd {
    struct device *device;
    struct vbd_toolstack_keys keys;
    struct disk *disk;
    bool is_open; /* the disk, and no other thread is about it */
    bool is_fresh; /* the disk was opened in the last setup */
    struct blk_queue queue;
    bool has_queue; /* it has a worker: from the connect to the end of the disconnect */
    bool is_connected;
    struct offload_job job; /* opens or closes the disk */
    struct letter to_worker; /* start or stop the queue */
    struct letter to_main; /* the worker's answer */
    struct letter broken; /* the worker's complaint */
    char inflight_path[CONFIG_PATH_MAX + 48];
    int error; /* of the step that another thread is at */
    char reason[320];
};

#define VBD_OF(pointer, member) ((struct vbd *)((char *)(pointer)-offsetof(struct vbd, member)))

void vbd_inspect(const struct device *device, struct device_report *report);

#endif
