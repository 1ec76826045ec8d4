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

static void send_reports(struct vbd *vbd, const struct vbd_queue *queue)
{
    struct letter *letter = vbd->waiting_reports;

    vbd->waiting_reports = NULL;
    while (letter) {
        struct letter *next = letter->next;

        mailbox_post(&queue->service.worker->mailbox, letter);
        letter = next;
    }
}

/* Main thread. */
static void on_order_over(struct letter *letter)
{
    struct vbd_queue *queue = VBD_QUEUE_OF(letter, service.to_main);
    struct vbd *vbd = queue->vbd;
    struct device_order *order = vbd->order;

    if (vbd->error == 0) {
        if (order->kind == DEVICE_MOVE) {
            worker_move_queue(queue->service.worker, vbd->target);
            queue->service.worker = vbd->target;
            log_info(vbd->device->label, "queue %u moved to worker %u", order->queue, order->worker);
        } else if (order->kind == DEVICE_POLL || order->kind == DEVICE_EVENTS) {
            log_info(vbd->device->label, "notified by %s", order->kind == DEVICE_POLL ? "polling" : "events");
        } else {
            vbd->is_suspended = order->kind == DEVICE_SUSPEND;
            log_info(vbd->device->label, "%s", vbd->is_suspended ? "suspended" : "resumed");
        }
    }
    vbd->order = NULL;
    send_reports(vbd, queue);
    device_order_done(order, vbd->error, vbd->error ? "%s: %s" : NULL, vbd->device->label, vbd->reason);
    if (vbd->is_stop_due) {
        vbd->is_stop_due = false;
        queue_services_stop(&vbd->services);
    }
}

/* Worker's thread. */
static void order_over(struct vbd_queue *queue, int error)
{
    struct vbd *vbd = queue->vbd;

    vbd->error = error;
    if (error)
        snprintf(vbd->reason, sizeof(vbd->reason), "%s", queue->blk.reason);
    queue->service.to_main.deliver = on_order_over;
    mailbox_post(daemon_mailbox(), &queue->service.to_main);
}

/* On the worker that it had. */
static void finish_move(struct letter *letter)
{
    struct vbd_queue *queue = VBD_QUEUE_OF(letter, service.to_worker);
    const int error = queue->vbd->error;

    if (error == 0)
        blk_queue_leave(&queue->blk);
    else if (blk_queue_resume(&queue->blk, queue->blk.worker) < 0)
        blk_queue_give_up(&queue->blk);
    order_over(queue, error);
}

/* On the worker that it goes to. */
static void take_queue(struct letter *letter)
{
    struct vbd_queue *queue = VBD_QUEUE_OF(letter, service.to_worker);
    struct worker *from = queue->blk.worker;

    queue->vbd->error = blk_queue_resume(&queue->blk, queue->vbd->target);
    letter->deliver = finish_move;
    mailbox_post(&from->mailbox, letter);
}

/* One that cannot be resumed is as lost as a broken one. */
static void resume_here(struct vbd_queue *queue)
{
    const int error = blk_queue_resume(&queue->blk, queue->blk.worker);

    if (error)
        blk_queue_give_up(&queue->blk);
    order_over(queue, error);
}

static void change_notification(struct vbd_queue *queue)
{
    queue->blk.is_polled = queue->vbd->order->kind == DEVICE_POLL;
    resume_here(queue);
}

static void go_to_target(struct vbd_queue *queue)
{
    queue->service.to_worker.deliver = take_queue;
    mailbox_post(&queue->vbd->target->mailbox, &queue->service.to_worker);
}

/* On the worker that it has. */
static void on_quiet(struct blk_queue *blk)
{
    struct vbd_queue *queue = blk->owner;
    const struct device_order *order = queue->vbd->order;

    if (blk->state != BLK_QUEUE_QUIET)
        order_over(queue, -EIO);
    else if (order->kind == DEVICE_SUSPEND)
        order_over(queue, 0);
    else if (order->kind == DEVICE_POLL || order->kind == DEVICE_EVENTS)
        change_notification(queue);
    else
        go_to_target(queue);
}

static void quiesce_queue(struct letter *letter)
{
    blk_queue_quiesce(&VBD_QUEUE_OF(letter, service.to_worker)->blk, on_quiet);
}

static void resume_queue(struct letter *letter)
{
    resume_here(VBD_QUEUE_OF(letter, service.to_worker));
}

static void order_begin(struct vbd_queue *queue, struct device_order *order, letter_fn *start)
{
    struct vbd *vbd = queue->vbd;

    vbd->order = order;
    vbd->target = order->kind == DEVICE_MOVE ? worker_get(order->worker) : NULL;
    queue->service.to_worker.deliver = start;
    mailbox_post(&queue->service.worker->mailbox, &queue->service.to_worker);
}

void vbd_order(struct device *device, struct device_order *order)
{
    static letter_fn *const starts[] = {
        [DEVICE_MOVE] = quiesce_queue, [DEVICE_SUSPEND] = quiesce_queue, [DEVICE_RESUME] = resume_queue,
        [DEVICE_POLL] = quiesce_queue, [DEVICE_EVENTS] = quiesce_queue,
    };
    struct vbd *vbd = device->priv;

    if (!vbd || !vbd->services.is_connected)
        device_order_done(order, -ENOTCONN, "%s: expected a connected frontend, found none", device->label);
    else if (vbd->order)
        device_order_done(order, -EBUSY, "%s: another order is being carried out", device->label);
    else if (order->kind >= sizeof(starts) / sizeof(starts[0]))
        device_order_done(order, -EOPNOTSUPP, "%s: expected an interface, found a disk", device->label);
    else if (order->queue >= VBD_QUEUES)
        device_order_done(order, -EINVAL, "%s: queue: expected 0, the only one, found %u", device->label,
                          order->queue);
    else if (order->kind == DEVICE_MOVE && order->worker >= workers_count())
        device_order_done(order, -EINVAL, "%s: worker: expected a number from 0 to %u, found %u",
                          device->label, workers_count() - 1, order->worker);
    else if (vbd->is_suspended != (order->kind == DEVICE_RESUME))
        device_order_done(order, -EALREADY, "%s: it is %ssuspended", device->label,
                          vbd->is_suspended ? "" : "not ");
    else if (order->kind == DEVICE_MOVE &&
             worker_get(order->worker) == vbd->queue[order->queue].service.worker)
        device_order_done(order, 0, NULL);
    else
        order_begin(&vbd->queue[order->queue], order, starts[order->kind]);
}
