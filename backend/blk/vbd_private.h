// SPDX-License-Identifier: MIT
/*
 * vbd_private.h: what the files of the family of block devices share, and nobody else includes. Main thread, but for
 * what a letter or a job has taken to another thread.
 */
#ifndef XENSPLIT_BACKEND_BLK_VBD_PRIVATE_H
#define XENSPLIT_BACKEND_BLK_VBD_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <event2/event_struct.h>

#include "backend/blk/blk_queue.h"
#include "backend/blk/vbd_keys.h"
#include "backend/config.h"
#include "backend/device.h"
#include "backend/mailbox.h"
#include "backend/offload.h"
#include "backend/queue_service.h"

struct device_order;
struct disk;
struct vbd;
struct worker;

#define VBD_QUEUES 1u /* that a frontend may have; more are not offered */

struct vbd_queue {
    struct vbd *vbd;
    struct queue_service service; /* its worker: with an order the one that has had the queue */
    struct blk_queue blk;
    char inflight_path[CONFIG_PATH_MAX + 48];
};

/* Lives in the device's slot: what a connect has made is there for the next one. */
struct vbd {
    struct device *device;
    struct vbd_toolstack_keys keys;
    struct disk *disk;
    bool is_open; /* the disk, and no other thread is about it */
    bool is_fresh; /* the disk was opened in the last setup */
    struct offload_job job; /* opens or closes the disk */
    struct event open_retry; /* another has the image locked. Not by reference: a setup allocates nothing */
    uint64_t open_until_ms; /* then it is refused */
    struct queue_services services; /* of the queues */
    struct vbd_queue queue[VBD_QUEUES];
    struct device_order *order; /* being carried out; the queue is its worker's business until it is over */
    struct worker *target; /* of a move */
    bool is_suspended;
    bool is_stop_due; /* a disconnect waits for the end of the order */
    struct letter *waiting_reports; /* until then, too */
    int error; /* of the job or the order */
    char reason[320];
};

#define VBD_OF(pointer, member) ((struct vbd *)((char *)(pointer)-offsetof(struct vbd, member)))
#define VBD_QUEUE_OF(pointer, member)                                                                        \
    ((struct vbd_queue *)((char *)(pointer)-offsetof(struct vbd_queue, member)))

/* vbd_order.c */
void vbd_order(struct device *device, struct device_order *order);
/* vbd_inspect.c */
void vbd_inspect_queue(struct vbd *vbd, struct letter *letter);
void vbd_inspect(const struct device *device, struct device_report *report);

#endif
