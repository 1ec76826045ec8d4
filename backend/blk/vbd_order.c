// SPDX-License-Identifier: MIT
/*
 * vbd_order.c: a queue on its way from worker to worker, and suspended in the middle of it. The way of a move:
 *
 *     main -> the worker it has: quiesce -> the worker it goes to: map the ring, bind, publish
 *          -> the worker it had: unmap the ring, or, when it could not go, take it back -> main
 *
 * Only main thread and the letters on this way touch the queue meanwhile.
 */
#include <config.h>

#include "backend/blk/vbd_private.h"

#include <errno.h>
#include <stdio.h>

#include "backend/daemon.h"
#include "backend/device_order.h"
#include "backend/worker.h"
#include "common/log.h"

static void send_reports(struct vbd *vbd)
{
    struct letter *letter = vbd->waiting_reports;

    vbd->waiting_reports = NULL;
    while (letter) {
        struct letter *next = letter->next;

        mailbox_post(&vbd->worker->mailbox, letter);
        letter = next;
    }
}

/* Main thread. */
static void on_order_over(struct letter *letter)
{
    struct vbd *vbd = VBD_OF(letter, to_main);
    struct device_order *order = vbd->order;

    if (vbd->error == 0) {
        if (order->kind == DEVICE_MOVE) {
            worker_move_queue(vbd->worker, vbd->target);
            vbd->worker = vbd->target;
            log_info(vbd->device->label, "queue %u moved to worker %u", order->queue, order->worker);
        } else if (order->kind == DEVICE_POLL || order->kind == DEVICE_EVENTS) {
            log_info(vbd->device->label, "notified by %s", order->kind == DEVICE_POLL ? "polling" : "events");
        } else {
            vbd->is_suspended = order->kind == DEVICE_SUSPEND;
            log_info(vbd->device->label, "%s", vbd->is_suspended ? "suspended" : "resumed");
        }
    }
    vbd->order = NULL;
    send_reports(vbd);
    device_order_done(order, vbd->error, vbd->error ? "%s: %s" : NULL, vbd->device->label, vbd->reason);
    if (vbd->is_stop_due)
        vbd_stop_queue(vbd);
}

/* Worker's thread. */
static void order_over(struct vbd *vbd, int error)
{
    vbd->error = error;
    if (error)
        snprintf(vbd->reason, sizeof(vbd->reason), "%s", vbd->queue.reason);
    vbd->to_main.deliver = on_order_over;
    mailbox_post(daemon_mailbox(), &vbd->to_main);
}

/* On the worker that it had. */
static void finish_move(struct letter *letter)
{
    struct vbd *vbd = VBD_OF(letter, to_worker);

    if (vbd->error == 0)
        blk_queue_leave(&vbd->queue);
    else if (blk_queue_resume(&vbd->queue, vbd->queue.worker) < 0)
        blk_queue_give_up(&vbd->queue);
    order_over(vbd, vbd->error);
}

/* On the worker that it goes to. */
static void take_queue(struct letter *letter)
{
    struct vbd *vbd = VBD_OF(letter, to_worker);
    struct worker *from = vbd->queue.worker;

    vbd->error = blk_queue_resume(&vbd->queue, vbd->target);
    vbd->to_worker.deliver = finish_move;
    mailbox_post(&from->mailbox, &vbd->to_worker);
}

/* One that cannot be resumed is as lost as a broken one. */
static void resume_here(struct vbd *vbd)
{
    const int error = blk_queue_resume(&vbd->queue, vbd->queue.worker);

    if (error)
        blk_queue_give_up(&vbd->queue);
    order_over(vbd, error);
}

static void change_notification(struct vbd *vbd)
{
    vbd->queue.is_polled = vbd->order->kind == DEVICE_POLL;
    resume_here(vbd);
}

/* On the worker that it has. */
static void on_quiet(struct blk_queue *queue)
{
    struct vbd *vbd = queue->owner;

    if (queue->state != BLK_QUEUE_QUIET) {
        order_over(vbd, -EIO);
    } else if (vbd->order->kind == DEVICE_SUSPEND) {
        order_over(vbd, 0);
    } else if (vbd->order->kind == DEVICE_POLL || vbd->order->kind == DEVICE_EVENTS) {
        change_notification(vbd);
    } else {
        vbd->to_worker.deliver = take_queue;
        mailbox_post(&vbd->target->mailbox, &vbd->to_worker);
    }
}

static void quiesce_queue(struct letter *letter)
{
    struct vbd *vbd = VBD_OF(letter, to_worker);

    blk_queue_quiesce(&vbd->queue, on_quiet);
}

static void resume_queue(struct letter *letter)
{
    resume_here(VBD_OF(letter, to_worker));
}

void vbd_order(struct device *device, struct device_order *order)
{
    static letter_fn *const starts[] = {
        [DEVICE_MOVE] = quiesce_queue,
        [DEVICE_SUSPEND] = quiesce_queue,
        [DEVICE_RESUME] = resume_queue,
        [DEVICE_POLL] = quiesce_queue,
        [DEVICE_EVENTS] = quiesce_queue,
    };
    struct vbd *vbd = device->priv;

    if (!vbd || !vbd->is_connected)
        device_order_done(order, -ENOTCONN, "%s: expected a connected frontend, found none", device->label);
    else if (vbd->order)
        device_order_done(order, -EBUSY, "%s: another order is being carried out", device->label);
    else if (order->kind >= sizeof(starts) / sizeof(starts[0]))
        device_order_done(order, -EOPNOTSUPP, "%s: expected an interface, found a disk", device->label);
    else if (order->queue != 0)
        device_order_done(order, -EINVAL, "%s: queue: expected 0, the only one, found %u", device->label,
                          order->queue);
    else if (order->kind == DEVICE_MOVE && order->worker >= workers_count())
        device_order_done(order, -EINVAL, "%s: worker: expected a number from 0 to %u, found %u",
                          device->label, workers_count() - 1, order->worker);
    else if (vbd->is_suspended != (order->kind == DEVICE_RESUME))
        device_order_done(order, -EALREADY, "%s: it is %ssuspended", device->label,
                          vbd->is_suspended ? "" : "not ");
    else if (order->kind == DEVICE_MOVE && worker_get(order->worker) == vbd->worker)
        device_order_done(order, 0, NULL);
    else {
        vbd->order = order;
        vbd->target = order->kind == DEVICE_MOVE ? worker_get(order->worker) : NULL;
        vbd->to_worker.deliver = starts[order->kind];
        mailbox_post(&vbd->worker->mailbox, &vbd->to_worker);
    }
}
