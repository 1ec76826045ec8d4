// SPDX-License-Identifier: MIT
/*
 * vbd_inspect.c: a block device's part of a report: what the main thread knows at once, and the figures of the queue
 * by way of its worker.
 */
#include <config.h>

#include "backend/blk/vbd_private.h"

#include <stdio.h>

#include "backend/daemon.h"
#include "backend/device_report.h"
#include "backend/disk/disk.h"
#include "backend/disk/engine.h"
#include "backend/worker.h"

/* Worker's thread. */
static void inspect_queue(const void *queue, struct device_report *report)
{
    blk_queue_inspect(queue, report);
}

static void inspect_disk(const struct vbd *vbd, struct device_report *report)
{
    const struct disk_geometry *geometry = disk_geometry(vbd->disk);

    report->has_disk = true;
    snprintf(report->target, sizeof(report->target), "%s", vbd->keys.params);
    report->disk_kind = disk_kind(vbd->disk);
    report->size_bytes = geometry->size_bytes;
    report->sector_bytes = geometry->sector_bytes;
    report->is_readonly = geometry->is_readonly;
    report->is_direct = geometry->is_direct;
}

/* While an order is carried out nobody knows whose the queue is just now: reports wait. */
void vbd_inspect_queue(struct vbd *vbd, struct letter *letter)
{
    if (vbd->order) {
        letter->next = vbd->waiting_reports;
        vbd->waiting_reports = letter;
    } else {
        mailbox_post(&vbd->queue[0].service.worker->mailbox, letter);
    }
}

/*
 * Letters of one sender arrive in order: while the vbd is connected no stop has been posted, so the queue is
 * there when the report reaches its worker, and what it says is back before the queue is freed. A report has room for
 * one queue.
 */
void vbd_inspect(const struct device *device, struct device_report *report)
{
    const struct vbd *vbd = device->priv;
    const struct worker *worker = vbd ? vbd->queue[0].service.worker : NULL;
    const struct blk_queue *queue = worker ? &vbd->queue[0].blk : NULL;

    if (vbd && vbd->is_open)
        inspect_disk(vbd, report);
    if (queue) {
        report->has_queue = true;
        report->worker = worker->index;
        report->engine = engine_name(worker->engine);
        report->data_method = grant_io_method_name(queue->method);
        report->data_method_reason = queue->method_reason;
        report->mapped_io_reason = "the queue is on its way to its worker, which decides that, or leaves it";
        report->abi = blkif_abi_name((enum blkif_abi)queue->identity.abi);
        report->ring_ref = queue->identity.ring_ref;
        report->frontend_port = queue->identity.remote_port;
    }
    if (!queue || !vbd->services.is_connected) {
        report->on_complete(report);
        return;
    }
    device_report_address(report, queue, inspect_queue);
    vbd_inspect_queue(device->priv, &report->letter);
}
