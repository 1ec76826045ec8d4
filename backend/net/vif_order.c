// SPDX-License-Identifier: MIT
/*
 * vif_order.c: captures, on the order of an operator. The file is opened where that may block; the port belongs to the
 * queue's worker while there is one, so a letter takes the capture there and brings the one before back, which is then
 * closed where it may block.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/daemon.h"
#include "backend/device_order.h"
#include "backend/device_table.h"
#include "backend/net/vif.h"
#include "backend/net/vif_private.h"
#include "backend/port/capture.h"
#include "backend/worker.h"
#include "common/log.h"

/* One order on its way; it has a life of its own and may outlive the device. */
struct change {
    struct device_order *order;
    uint16_t domid;
    uint32_t devid;
    struct port *port;
    struct capture *capture; /* the new one, then the one before */
    struct letter letter;
    struct offload_job job;
    char label[48];
    char reason[sizeof(((struct device_order *)NULL)->reason)];
    int error;
    uint64_t frames, lost;
};

#define CHANGE_OF(pointer, member) ((struct change *)((char *)(pointer)-offsetof(struct change, member)))

static void close_done(struct letter *letter)
{
    struct change *change = CHANGE_OF(letter, job.done);

    if (change->capture)
        log_info(change->label, "the capture ended: %llu frames written, %llu left out",
                 (unsigned long long)change->frames, (unsigned long long)change->lost);
    if (change->error)
        device_order_done(change->order, change->error,
                          "%s: the capture before was not written as a whole: %s", change->label,
                          strerror(-change->error));
    else
        device_order_done(change->order, 0, NULL);
    free(change);
}

/* A thread of the pool. */
static void close_work(struct offload_job *job)
{
    struct change *change = CHANGE_OF(job, job);

    change->error = capture_close(change->capture, &change->frames, &change->lost);
}

static void come_back(struct letter *letter)
{
    struct change *change = CHANGE_OF(letter, letter);

    change->job.work = close_work;
    change->job.done.deliver = close_done;
    change->job.reply_to = daemon_mailbox();
    offload_post(&change->job);
}

/* Worker's thread. Letters arrive in order: the port is attached still. */
static void exchange(struct letter *letter)
{
    struct change *change = CHANGE_OF(letter, letter);

    change->capture = port_set_capture(change->port, change->capture);
    letter->deliver = come_back;
    mailbox_post(daemon_mailbox(), letter);
}

static void change_begin(struct vif *vif, struct change *change)
{
    change->port = vif->port;
    if (vif->services.is_connected) {
        change->letter.deliver = exchange;
        mailbox_post(&vif->queue[0].service.worker->mailbox, &change->letter);
    } else {
        change->capture = port_set_capture(change->port, change->capture);
        come_back(&change->letter);
    }
}

/* NULL: the order can be carried out. Else why not, and *error says it in a number. */
static const char *refusal(const struct vif *vif, int *error)
{
    if (!vif || !vif->is_open) {
        *error = -ENOTCONN;
        return "expected an open port, found none";
    }
    if (queue_services_any(&vif->services) && !vif->services.is_connected) {
        *error = -EBUSY;
        return "it is just being connected or closed";
    }
    return NULL;
}

/* A thread of the pool. Nobody has seen the capture. */
static void discard_work(struct offload_job *job)
{
    struct change *change = CHANGE_OF(job, job);

    capture_close(change->capture, &change->frames, &change->lost);
}

static void discard_done(struct letter *letter)
{
    struct change *change = CHANGE_OF(letter, job.done);

    device_order_done(change->order, change->error, "%s: %s", change->label, change->reason);
    free(change);
}

static void open_work(struct offload_job *job)
{
    struct change *change = CHANGE_OF(job, job);

    change->error =
        capture_open(&change->capture, change->order->file, change->reason, sizeof(change->reason));
}

/* The device may be another by now, or gone. */
static void open_done(struct letter *letter)
{
    struct change *change = CHANGE_OF(letter, job.done);
    struct device *device = device_table_find(&vif_family_ops, change->domid, change->devid);
    struct vif *vif = device ? device->priv : NULL;
    const char *why = change->error ? NULL : refusal(vif, &change->error);

    if (why)
        snprintf(change->reason, sizeof(change->reason), "%s", why);
    if (change->error) {
        change->job.work = discard_work;
        change->job.done.deliver = discard_done;
        offload_post(&change->job);
        return;
    }
    log_info(change->label, "capture to %s", change->order->file);
    change_begin(vif, change);
}

static void order_capture(struct vif *vif, struct device_order *order)
{
    struct change *change = calloc(1, sizeof(*change));

    if (!change) {
        device_order_done(order, -ENOMEM, "%s: no memory for an order", vif->device->label);
        return;
    }
    change->order = order;
    change->domid = vif->device->domid;
    change->devid = vif->device->devid;
    snprintf(change->label, sizeof(change->label), "%s", vif->device->label);
    if (order->kind == DEVICE_UNCAPTURE) {
        change_begin(vif, change);
        return;
    }
    change->job.work = open_work;
    change->job.done.deliver = open_done;
    change->job.reply_to = daemon_mailbox();
    offload_post(&change->job);
}

void vif_order(struct device *device, struct device_order *order)
{
    struct vif *vif = device->priv;
    int error = 0;
    const char *why = refusal(vif, &error);

    if (order->kind != DEVICE_CAPTURE && order->kind != DEVICE_UNCAPTURE)
        device_order_done(order, -EOPNOTSUPP, "%s: expected a disk, found an interface", device->label);
    else if (why)
        device_order_done(order, error, "%s: %s", device->label, why);
    else
        order_capture(vif, order);
}
