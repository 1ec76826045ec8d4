// SPDX-License-Identifier: MIT
/*
 * vbd.c: the life of a block device: opens its disk, gives its queue to a worker, and takes both back. Reading
 * goes on in blk_queue.c (the ring) and blk_request.c (one request).
 *
 * Main thread, except for the functions that say otherwise. A step that needs another thread goes there as a
 * letter or an offload job and ends, when the answer comes back, in device_done(); no two steps overlap, so one
 * letter in each direction is enough.
 */
#include <config.h>

#include "backend/blk/vbd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/blk/vbd_private.h"
#include "backend/config.h"
#include "backend/daemon.h"
#include "backend/data_method.h"
#include "backend/disk/disk.h"
#include "backend/offload.h"
#include "backend/slot.h"
#include "backend/worker.h"

/*
 * How long to wait for an image that is locked. A frontend that is adopted only waits as long as its dead
 * daemon's I/O still does; refusing would take its disk away.
 */
#define OPEN_PATIENCE_MS 2000u
#define ADOPT_PATIENCE_MS 120000u

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
    vbd->error = disk_open(&vbd->disk, vbd->keys.params, vbd->keys.is_readonly,
                           vbd->device->is_adopting ? ADOPT_PATIENCE_MS : OPEN_PATIENCE_MS, vbd->reason,
                           sizeof(vbd->reason));
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
    struct vbd *vbd = VBD_OF(letter, job.done);
    struct device *device = vbd->device;
    const struct disk_geometry *geometry;

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

    blk_queue_fini(&vbd->queue);
}

/* The slot may have served an earlier life of the device: of that only memory is left. */
static struct vbd *vbd_take(struct device *device)
{
    struct vbd *vbd = slot_take(device, sizeof(*vbd), vbd_destroy);

    if (!vbd)
        return NULL;
    device->priv = vbd;
    vbd->device = device;
    snprintf(vbd->inflight_path, sizeof(vbd->inflight_path), "%s/inflight/vbd-%u-%u-q0",
             config_get()->run_dir, device->domid, device->devid);
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
    vbd->job.work = open_work;
    vbd->job.done.deliver = open_done;
    vbd->job.reply_to = daemon_mailbox();
    offload_post(&vbd->job);
}

/* Connect */

static void queue_drop(struct vbd *vbd)
{
    worker_drop_queue(vbd->worker);
    vbd->worker = NULL;
    vbd->is_suspended = false;
    vbd->has_queue = false;
}

static void on_broken_letter(struct letter *letter)
{
    struct vbd *vbd = VBD_OF(letter, broken);

    if (vbd->is_connected)
        device_fail(vbd->device, "%s", vbd->queue.reason);
}

/* Worker's thread. */
static void on_broken(struct blk_queue *queue)
{
    struct vbd *vbd = queue->owner;

    vbd->broken.deliver = on_broken_letter;
    mailbox_post(daemon_mailbox(), &vbd->broken);
}

static void on_started(struct letter *letter)
{
    struct vbd *vbd = VBD_OF(letter, to_main);

    vbd->is_connected = vbd->error == 0;
    if (vbd->error) {
        snprintf(vbd->reason, sizeof(vbd->reason), "%s", vbd->queue.reason);
        queue_drop(vbd);
    }
    device_done(vbd->device, vbd->error, "%s", vbd->reason);
}

/* Worker's thread. */
static void start_queue(struct letter *letter)
{
    struct vbd *vbd = VBD_OF(letter, to_worker);

    vbd->error = blk_queue_start(&vbd->queue);
    vbd->to_main.deliver = on_started;
    mailbox_post(daemon_mailbox(), &vbd->to_main);
}

/* The directory of the in-flight records is made on demand: a run directory may be swept. */
static int inflight_prepare(struct vbd *vbd)
{
    char dir[CONFIG_PATH_MAX + 16];

    snprintf(dir, sizeof(dir), "%s/inflight", config_get()->run_dir);
    if (mkdir(dir, 0700) == 0 || errno == EEXIST)
        return 0;
    snprintf(vbd->reason, sizeof(vbd->reason), "cannot make %s: %s", dir, strerror(errno));
    return -errno;
}

static void on_stopped(struct blk_queue *queue);

static int queue_prepare(struct vbd *vbd, const struct vbd_frontend_keys *keys)
{
    const struct disk_geometry *geometry = disk_geometry(vbd->disk);
    const struct device *device = vbd->device;
    struct blk_queue *queue = &vbd->queue;
    int ret = inflight_prepare(vbd);

    if (ret)
        return ret;
    blk_queue_clear(queue);
    queue->owner = vbd;
    queue->inflight_path = vbd->inflight_path;
    queue->disk = vbd->disk;
    queue->limits = (struct blkif_limits){
        .sectors = geometry->size_bytes / BLKIF_SECTOR_BYTES,
        .sector_bytes = geometry->sector_bytes,
        .is_readonly = geometry->is_readonly,
        .can_flush = geometry->can_flush,
        .indirect_segments = BLKIF_SEGMENTS_MAX,
    };
    queue->identity = (struct inflight_identity){
        .domid = device->domid,
        .devid = device->devid,
        .ring_ref = keys->ring_ref,
        .remote_port = keys->event_channel,
        .abi = keys->abi,
    };
    memcpy(queue->identity.generation, device->generation, sizeof(queue->identity.generation));
    snprintf(queue->label, sizeof(queue->label), "%s q0", device->label);
    queue->is_void = geometry->is_void;
    queue->is_polled = config_get()->notify == NOTIFY_POLLING;
    queue->method = data_method_choose(&(struct data_method_facts){ .setting = config_get()->data_method,
                                                                    .is_offered = keys->is_persistent_offered,
                                                                    .is_accepted = keys->is_persistent },
                                       &queue->method_reason);
    queue->is_adopting = device->is_adopting;
    queue->on_broken = on_broken;
    queue->on_stopped = on_stopped;
    vbd->worker = queue->worker = worker_take_queue();
    vbd->has_queue = true;
    return 0;
}

static void vbd_connect(struct device *device)
{
    struct vbd *vbd = device->priv;
    struct vbd_frontend_keys keys;
    int ret;

    vbd->reason[0] = '\0';
    ret = vbd_keys_read_frontend(device, &keys, vbd->reason, sizeof(vbd->reason));
    if (ret == 0)
        ret = queue_prepare(vbd, &keys);
    if (ret) {
        device_done(device, ret, "%s", vbd->reason);
        return;
    }
    log_info(device->label, "ring ref %u, event channel %u, %s, worker %u, data method %s", keys.ring_ref,
             keys.event_channel, blkif_abi_name(keys.abi), vbd->worker->index,
             grant_io_method_name(vbd->queue.method));
    vbd->to_worker.deliver = start_queue;
    mailbox_post(&vbd->worker->mailbox, &vbd->to_worker);
}

/* Disconnect */

static void on_stopped_letter(struct letter *letter)
{
    struct vbd *vbd = VBD_OF(letter, to_main);

    queue_drop(vbd);
    device_done(vbd->device, 0, NULL);
}

/* Worker's thread. */
static void on_stopped(struct blk_queue *queue)
{
    struct vbd *vbd = queue->owner;

    vbd->to_main.deliver = on_stopped_letter;
    mailbox_post(daemon_mailbox(), &vbd->to_main);
}

/* Worker's thread. */
static void stop_queue(struct letter *letter)
{
    struct vbd *vbd = VBD_OF(letter, to_worker);

    blk_queue_stop(&vbd->queue, vbd->device->is_parting);
}

void vbd_stop_queue(struct vbd *vbd)
{
    vbd->is_stop_due = false;
    vbd->to_worker.deliver = stop_queue;
    mailbox_post(&vbd->worker->mailbox, &vbd->to_worker);
}

static void vbd_disconnect(struct device *device)
{
    struct vbd *vbd = device->priv;

    if (!vbd || !vbd->has_queue) {
        device_done(device, 0, NULL);
        return;
    }
    vbd->is_connected = false;
    vbd->is_stop_due = vbd->order != NULL;
    if (!vbd->order)
        vbd_stop_queue(vbd);
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
    if (!device->is_parting)
        unlink(vbd->inflight_path); /* of a ring that could not be taken over */
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
