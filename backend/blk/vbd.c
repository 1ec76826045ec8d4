// SPDX-License-Identifier: MIT
/*
 * vbd.c: the life of a block device: opens its disk, gives its queue to a worker, and takes both back. Reading
 * goes on in queue_service.c (the way to the worker), blk_queue.c (the ring) and blk_request.c (one request).
 *
 * Main thread, except for the functions that say otherwise. A step that needs another thread goes there as a
 * letter or an offload job and ends, when the answer comes back, in device_done().
 */
#include <config.h>

#include "backend/blk/vbd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <event2/event.h>

#include "backend/blk/vbd_private.h"
#include "backend/config.h"
#include "backend/daemon.h"
#include "backend/data_method.h"
#include "backend/disk/disk.h"
#include "backend/offload.h"
#include "backend/run_dir.h"
#include "backend/slot.h"
#include "backend/worker.h"

/*
 * How long to wait for an image that is locked. A frontend that is adopted only waits as long as its dead
 * daemon's I/O still does; refusing would take its disk away. No thread waits: there are few, and many images.
 */
#define OPEN_PATIENCE_MS 2000u
#define ADOPT_PATIENCE_MS 120000u
#define OPEN_PAUSE_MS 20u /* between two tries */

/* Setup */

/* What is open stays open when it would be opened again: nobody can take it in between. */
static void open_work(struct offload_job *job)
{
    struct vbd *vbd = VBD_OF(job, job);

    vbd->is_fresh = !vbd->disk || !disk_is_current(vbd->disk, vbd->keys.params, vbd->keys.is_readonly);
    vbd->error = 0;
    if (!vbd->is_fresh)
        return;
    disk_close(vbd->disk);
    vbd->disk = NULL;
    vbd->error =
        disk_open(&vbd->disk, vbd->keys.params, vbd->keys.is_readonly, vbd->reason, sizeof(vbd->reason));
}

static uint64_t clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void on_open_retry(evutil_socket_t fd, short what, void *arg)
{
    offload_post(&((struct vbd *)arg)->job);
}

static void log_disk(const struct vbd *vbd)
{
    const struct disk_geometry *geometry = disk_geometry(vbd->disk);

    log_info(vbd->device->label, "disk %s: %s, %llu sectors, %s, %s", vbd->keys.params, disk_kind(vbd->disk),
             (unsigned long long)(geometry->size_bytes / 512),
             geometry->is_readonly ? "read-only" : "writable", geometry->is_direct ? "direct" : "cached");
}

static void open_done(struct letter *letter)
{
    static const struct timeval pause = { .tv_usec = OPEN_PAUSE_MS * 1000 };
    struct vbd *vbd = VBD_OF(letter, job.done);
    struct device *device = vbd->device;
    const struct disk_geometry *geometry;

    if (vbd->error == -EBUSY && clock_ms() < vbd->open_until_ms && evtimer_add(&vbd->open_retry, &pause) == 0)
        return;
    if (vbd->error == 0) {
        vbd->is_open = true;
        geometry = disk_geometry(vbd->disk);
        if (vbd->is_fresh)
            log_disk(vbd);
        if (device->is_adopting && geometry->is_volatile) {
            snprintf(vbd->reason, sizeof(vbd->reason),
                     "disk %s: expected a disk that outlives the daemon, found one "
                     "whose contents went with it",
                     vbd->keys.params);
            vbd->error = -ESTALE;
        } else if (!device->is_adopting) {
            vbd->error = vbd_keys_publish(device, &vbd->keys, geometry, vbd->reason, sizeof(vbd->reason));
        }
    }
    device_done(device, vbd->error, "%s", vbd->reason);
}

static void vbd_destroy(void *memory)
{
    struct vbd *vbd = memory;

    for (unsigned int i = 0; i < VBD_QUEUES; i++)
        blk_queue_fini(&vbd->queue[i].blk);
}

static const struct queue_service_ops service_ops;

/* The slot may have served an earlier life of the device: of that only memory is left. */
static struct vbd *vbd_take(struct device *device)
{
    struct vbd *vbd = slot_take(device, sizeof(*vbd), vbd_destroy);

    if (!vbd)
        return NULL;
    device->priv = vbd;
    vbd->device = device;
    queue_services_init(&vbd->services, device, &service_ops);
    for (unsigned int i = 0; i < VBD_QUEUES; i++) {
        struct vbd_queue *queue = &vbd->queue[i];

        queue->vbd = vbd;
        snprintf(queue->inflight_path, sizeof(queue->inflight_path), "%s/inflight/vbd-%u-%u-q%u",
                 config_get()->run_dir, device->domid, device->devid, i);
    }
    return vbd;
}

static void vbd_setup(struct device *device)
{
    struct vbd *vbd = device->priv ? device->priv : vbd_take(device);
    int ret;

    if (!vbd) {
        device_done(device, -ENOMEM, "no memory for a block device");
        return;
    }
    vbd->is_open = false;
    free(vbd->keys.params);
    ret = vbd_keys_read_toolstack(device, &vbd->keys, vbd->reason, sizeof(vbd->reason));
    if (ret) {
        device_done(device, ret, "%s", vbd->reason);
        return;
    }
    event_assign(&vbd->open_retry, daemon_base(), -1, 0, on_open_retry, vbd);
    vbd->open_until_ms = clock_ms() + (device->is_adopting ? ADOPT_PATIENCE_MS : OPEN_PATIENCE_MS);
    vbd->job.work = open_work;
    vbd->job.done.deliver = open_done;
    vbd->job.reply_to = daemon_mailbox();
    offload_post(&vbd->job);
}

/* Connect */

/* Worker's thread. */
static int start_queue(struct queue_service *service)
{
    return blk_queue_start(&VBD_QUEUE_OF(service, service)->blk);
}

/* Worker's thread. */
static void stop_queue(struct queue_service *service)
{
    struct vbd_queue *queue = VBD_QUEUE_OF(service, service);

    blk_queue_stop(&queue->blk, queue->vbd->device->is_parting);
}

static const char *queue_reason(const struct queue_service *service)
{
    return VBD_QUEUE_OF(service, service)->blk.reason;
}

static const struct queue_service_ops service_ops = {
    .start = start_queue,
    .stop = stop_queue,
    .reason = queue_reason,
};

/* Worker's thread. */
static void on_stopped(struct blk_queue *blk)
{
    struct vbd_queue *queue = blk->owner;

    queue_service_stopped(&queue->service);
}

/* Worker's thread. */
static void on_broken(struct blk_queue *blk)
{
    struct vbd_queue *queue = blk->owner;

    queue_service_broke(&queue->service);
}

static void queue_prepare(struct vbd_queue *queue, const struct vbd_frontend_keys *keys, unsigned int index)
{
    struct vbd *vbd = queue->vbd;
    const struct disk_geometry *geometry = disk_geometry(vbd->disk);
    const struct device *device = vbd->device;
    struct blk_queue *blk = &queue->blk;

    blk_queue_clear(blk);
    blk->owner = queue;
    run_dir_make_parent(queue->inflight_path); /* anew: a run directory may be swept */
    blk->inflight_path = queue->inflight_path;
    blk->disk = vbd->disk;
    blk->limits = (struct blkif_limits){
        .sectors = geometry->size_bytes / BLKIF_SECTOR_BYTES,
        .sector_bytes = geometry->sector_bytes,
        .is_readonly = geometry->is_readonly,
        .can_flush = geometry->can_flush,
        .can_discard = vbd_keys_offer_discard(&vbd->keys, geometry),
        .indirect_segments = BLKIF_SEGMENTS_MAX,
    };
    blk->identity = (struct inflight_identity){
        .domid = device->domid,
        .devid = device->devid,
        .ring_ref = keys->ring_ref,
        .remote_port = keys->event_channel,
        .abi = keys->abi,
    };
    memcpy(blk->identity.generation, device->generation, sizeof(blk->identity.generation));
    snprintf(blk->label, sizeof(blk->label), "%s q%u", device->label, index);
    blk->is_void = geometry->is_void;
    blk->is_polled = config_get()->notify == NOTIFY_POLLING;
    blk->method = data_method_choose(&(struct data_method_facts){ .setting = config_get()->data_method,
                                                                  .is_offered = keys->is_persistent_offered,
                                                                  .is_accepted = keys->is_persistent },
                                     &blk->method_reason);
    blk->is_adopting = device->is_adopting;
    blk->on_broken = on_broken;
    blk->on_stopped = on_stopped;
    blk->worker = queue_service_take(&vbd->services, &queue->service);
    log_info(device->label, "ring ref %u, event channel %u, %s, worker %u, data method %s", keys->ring_ref,
             keys->event_channel, blkif_abi_name(keys->abi), blk->worker->index,
             grant_io_method_name(blk->method));
}

static void vbd_connect(struct device *device)
{
    struct vbd *vbd = device->priv;
    struct vbd_frontend_keys keys;
    int ret;

    vbd->reason[0] = '\0';
    ret = vbd_keys_read_frontend(device, &keys, vbd->reason, sizeof(vbd->reason));
    if (ret) {
        device_done(device, ret, "%s", vbd->reason);
        return;
    }
    vbd->is_suspended = false;
    for (unsigned int i = 0; i < VBD_QUEUES; i++)
        queue_prepare(&vbd->queue[i], &keys, i);
    queue_services_start(&vbd->services);
}

/* Disconnect */

/* An order that is being carried out has the queue's letters: the stop follows it. */
static void vbd_disconnect(struct device *device)
{
    struct vbd *vbd = device->priv;

    if (vbd && vbd->order) {
        vbd->services.is_connected = false;
        vbd->is_stop_due = true;
    } else if (vbd) {
        queue_services_stop(&vbd->services);
    } else {
        device_done(device, 0, NULL);
    }
}

/* Teardown */

static void close_work(struct offload_job *job)
{
    disk_close(VBD_OF(job, job)->disk);
}

static void close_done(struct letter *letter)
{
    struct vbd *vbd = VBD_OF(letter, job.done);
    struct device *device = vbd->device;

    vbd->disk = NULL;
    free(vbd->keys.params);
    vbd->keys.params = NULL;
    device->priv = NULL;
    slot_release(vbd);
    device_done(device, 0, NULL);
}

static void vbd_teardown(struct device *device)
{
    struct vbd *vbd = device->priv;

    if (!vbd) {
        device_done(device, 0, NULL);
        return;
    }
    for (unsigned int i = 0; i < VBD_QUEUES && !device->is_parting; i++)
        unlink(vbd->queue[i].inflight_path); /* of a ring that could not be taken over */
    vbd->is_open = false;
    vbd->job.work = close_work;
    vbd->job.done.deliver = close_done;
    vbd->job.reply_to = daemon_mailbox();
    offload_post(&vbd->job);
}

const struct device_family_ops vbd_family_ops = {
    .name = "vbd",
    .setup = vbd_setup,
    .connect = vbd_connect,
    .disconnect = vbd_disconnect,
    .teardown = vbd_teardown,
    .inspect = vbd_inspect,
    .order = vbd_order,
};
