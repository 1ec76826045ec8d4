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

struct device_order;
struct disk;
struct worker;

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
    struct worker *worker; /* that owns the queue, or, with an order, has owned it */
    struct device_order *order; /* being carried out; the queue is its worker's business until it is over */
    struct worker *target; /* of a move */
    bool is_suspended;
    bool is_stop_due; /* a disconnect waits for the end of the order */
    struct letter *waiting_reports; /* until then, too */
    struct letter to_worker; /* start or stop the queue */
    struct letter to_main; /* the worker's answer */
    struct letter broken; /* the worker's complaint */
    char inflight_path[CONFIG_PATH_MAX + 48];
    int error; /* of the step that another thread is at */
    char reason[320];
};

#define VBD_OF(pointer, member) ((struct vbd *)((char *)(pointer)-offsetof(struct vbd, member)))

/* vbd.c: the letter that stops the queue. */
void vbd_stop_queue(struct vbd *vbd);
/* vbd_order.c */
void vbd_order(struct device *device, struct device_order *order);
/* vbd_inspect.c */
void vbd_inspect_queue(struct vbd *vbd, struct letter *letter);
void vbd_inspect(const struct device *device, struct device_report *report);

#endif
