// SPDX-License-Identifier: MIT
/*
 * vif_order.c: captures, on the order of an operator. The port belongs to the queue's worker while there is one:
 * a letter takes the capture there and brings the one before back, which is then closed where it may block.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/daemon.h"
#include "backend/device_order.h"
#include "backend/net/vif_private.h"
#include "backend/port/capture.h"
#include "backend/worker.h"
#include "common/log.h"

/* One order on its way; it has a life of its own and may outlive the device. */
struct change {
    struct device_order *order;
    struct port *port;
    struct capture *capture; /* the new one, then the one before */
    struct letter letter;
    struct offload_job job;
    char label[48];
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
    snprintf(change->label, sizeof(change->label), "%s", vif->device->label);
    if (vif->is_connected) {
        change->letter.deliver = exchange;
        mailbox_post(&vif->queue.worker->mailbox, &change->letter);
    } else {
        change->capture = port_set_capture(change->port, change->capture);
        come_back(&change->letter);
    }
}

static void order_capture(struct vif *vif, struct device_order *order)
{
    struct change *change = calloc(1, sizeof(*change));
    char reason[sizeof(order->file) + 96];
    int ret;

    if (!change) {
        device_order_done(order, -ENOMEM, "%s: no memory for an order", vif->device->label);
        return;
    }
    change->order = order;
    if (order->kind == DEVICE_CAPTURE) {
        ret = capture_open(&change->capture, order->file, reason, sizeof(reason));
        if (ret) {
            device_order_done(order, ret, "%s: %s", vif->device->label, reason);
            free(change);
            return;
        }
        log_info(vif->device->label, "capture to %s", order->file);
    }
    change_begin(vif, change);
}

void vif_order(struct device *device, struct device_order *order)
{
    struct vif *vif = device->priv;

    if (order->kind != DEVICE_CAPTURE && order->kind != DEVICE_UNCAPTURE)
        device_order_done(order, -EOPNOTSUPP, "%s: expected a disk, found an interface", device->label);
    else if (!vif || !vif->is_open)
        device_order_done(order, -ENOTCONN, "%s: expected an open port, found none", device->label);
    else if (vif->has_queue && !vif->is_connected)
        device_order_done(order, -EBUSY, "%s: it is just being connected or closed", device->label);
    else
        order_capture(vif, order);
}
