// SPDX-License-Identifier: MIT
/*
 * vif.c: the life of a network device: opens its port, gives its queue to a worker, and takes both back. Reading
 * goes on in net_queue.c (the rings' turns), net_tx.c and net_rx.c (what the guest sends and receives).
 *
 * Main thread, except for the functions that say otherwise. A step that needs another thread goes there as a letter or
 * an offload job and ends, when the answer comes back, in device_done(); no two steps overlap, so one letter in each
 * direction is enough.
 */
#include <config.h>

#include "backend/net/vif.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/config.h"
#include "backend/daemon.h"
#include "backend/net/vif_keys.h"
#include "backend/net/vif_private.h"
#include "backend/offload.h"
#include "backend/port/tap_mark.h"
#include "backend/slot.h"
#include "backend/worker.h"

/* Setup */

/* What is open stays open when it would be opened again: an interface keeps its addresses and its bridge. */
static void open_work(struct offload_job *job)
{
    struct vif *vif = VIF_OF(job, job);
    struct port_wish wish = { .label = vif->device->label,
                              .mtu = vif->keys.mtu,
                              .mark_path = vif->mark_path,
                              .is_adopting = vif->device->is_adopting };

    const bool is_same = strcmp(vif->keys.port, vif->open_keys.port) == 0;

    vif->error = 0;
    if (vif->port && is_same && vif->keys.mtu == vif->open_keys.mtu && port_error(vif->port) == 0)
        return;
    port_close(vif->port, is_same);
    vif->port = NULL;
    snprintf(wish.name, sizeof(wish.name), "vif%u.%u", vif->device->domid, vif->device->devid);
    vif->error = port_open(&vif->port, vif->keys.port, &wish, vif->reason, sizeof(vif->reason));
    vif->open_keys = vif->keys;
}

/* What the guest may send. Blank checksums are completed here when the port cannot be told of them. */
static struct netif_offer our_offer(const struct vif *vif)
{
    const bool can_offload = port_info(vif->port)->can_offload;

    return (struct netif_offer){
        .can_sg = true,
        .can_csum_ipv4 = true,
        .can_csum_ipv6 = true,
        .can_gso_tcpv4 = can_offload,
        .can_gso_tcpv6 = can_offload,
    };
}

static void open_done(struct letter *letter)
{
    struct vif *vif = VIF_OF(letter, job.done);
    struct device *device = vif->device;
    struct netif_offer offer;

    if (vif->error == 0) {
        vif->is_open = true;
        offer = our_offer(vif);
        log_info(device->label, "port %s, MTU %u", port_info(vif->port)->target, port_info(vif->port)->mtu);
        if (!device->is_adopting)
            vif->error = vif_keys_publish_features(device, &offer, vif->reason, sizeof(vif->reason));
        if (vif->error == 0 && !device->is_adopting)
            vif->error =
                vif_keys_publish_link(device, port_has_link(vif->port), vif->reason, sizeof(vif->reason));
    }
    device_done(device, vif->error, "%s", vif->reason);
}

static void vif_destroy(void *memory)
{
    struct vif *vif = memory;

    net_queue_fini(&vif->queue);
}

/* The slot may have served an earlier life of the device: of that only memory is left. */
static struct vif *vif_take(struct device *device)
{
    struct vif *vif = slot_take(device, sizeof(*vif), vif_destroy);

    if (!vif)
        return NULL;
    device->priv = vif;
    vif->device = device;
    snprintf(vif->journal_path, sizeof(vif->journal_path), "%s/inflight/vif-%u-%u-q0", config_get()->run_dir,
             device->domid, device->devid);
    snprintf(vif->mark_path, sizeof(vif->mark_path), "%s/inflight/vif-%u-%u-tap", config_get()->run_dir,
             device->domid, device->devid);
    return vif;
}

static void vif_setup(struct device *device)
{
    struct vif *vif = device->priv ? device->priv : vif_take(device);
    int ret;

    if (!vif) {
        device_done(device, -ENOMEM, "no memory for a network device");
        return;
    }
    vif->is_open = false;
    ret = vif_keys_read_toolstack(device, &vif->keys, vif->reason, sizeof(vif->reason));
    if (ret) {
        device_done(device, ret, "%s", vif->reason);
        return;
    }
    vif->job.work = open_work;
    vif->job.done.deliver = open_done;
    vif->job.reply_to = daemon_mailbox();
    offload_post(&vif->job);
}

/* Connect */

static bool vif_may_connect(struct device *device)
{
    return vif_keys_hotplug_is_done(device);
}

static void queue_drop(struct vif *vif)
{
    worker_drop_queue(vif->queue.worker);
    vif->has_queue = false;
}

static void on_broken_letter(struct letter *letter)
{
    struct vif *vif = VIF_OF(letter, broken);

    if (vif->is_connected)
        device_fail(vif->device, "%s", vif->queue.reason);
}

/* Worker's thread. */
static void on_broken(struct net_queue *queue)
{
    struct vif *vif = queue->owner;

    vif->broken.deliver = on_broken_letter;
    mailbox_post(daemon_mailbox(), &vif->broken);
}

static void on_link_letter(struct letter *letter)
{
    struct vif *vif = VIF_OF(letter, new_link);
    char reason[256];
    int ret;

    atomic_store(&vif->is_link_on_its_way, false);
    if (!vif->has_queue || !daemon_xs())
        return;
    ret = vif_keys_publish_link(vif->device, atomic_load(&vif->queue.has_link), reason, sizeof(reason));
    if (ret && ret != -ENOENT)
        log_limited(&vif->device->limit, LOG_LEVEL_WARNING, vif->device->label, "%s", reason);
}

/* Worker's thread. A letter that is on its way tells of this change, too. */
static void on_link(struct net_queue *queue)
{
    struct vif *vif = queue->owner;

    if (atomic_exchange(&vif->is_link_on_its_way, true))
        return;
    vif->new_link.deliver = on_link_letter;
    mailbox_post(daemon_mailbox(), &vif->new_link);
}

static void on_started(struct letter *letter)
{
    struct vif *vif = VIF_OF(letter, to_main);

    vif->is_connected = vif->error == 0;
    if (vif->error) {
        snprintf(vif->reason, sizeof(vif->reason), "%s", vif->queue.reason);
        queue_drop(vif);
    }
    device_done(vif->device, vif->error, "%s", vif->reason);
}

/* Worker's thread. */
static void start_queue(struct letter *letter)
{
    struct vif *vif = VIF_OF(letter, to_worker);

    vif->error = net_queue_start(&vif->queue);
    vif->to_main.deliver = on_started;
    mailbox_post(daemon_mailbox(), &vif->to_main);
}

static void queue_prepare(struct vif *vif, const struct vif_frontend_keys *keys)
{
    struct net_queue *queue = &vif->queue;

    net_queue_clear(queue);
    queue->owner = vif;
    queue->port = vif->port;
    queue->domid = vif->device->domid;
    queue->rings = keys->rings;
    queue->identity =
        (struct net_journal_identity){ .domid = vif->device->domid, .devid = vif->device->devid };
    memcpy(queue->identity.ref, keys->rings.ref, sizeof(queue->identity.ref));
    memcpy(queue->identity.event_channel, keys->rings.event_channel, sizeof(queue->identity.event_channel));
    memcpy(queue->identity.generation, vif->device->generation, sizeof(queue->identity.generation));
    queue->journal_path = vif->journal_path;
    queue->is_adopting = vif->device->is_adopting;
    queue->our_offer = our_offer(vif);
    queue->their_offer = keys->offer;
    queue->has_rx_notify = keys->has_rx_notify;
    queue->rate = vif->keys.rate;
    queue->drain_us = config_get()->vif_drain_ms * 1000ull;
    snprintf(queue->label, sizeof(queue->label), "%s q0", vif->device->label);
    queue->on_broken = on_broken;
    queue->on_link = on_link;
    queue->worker = worker_take_queue();
    vif->has_queue = true;
}

static void vif_connect(struct device *device)
{
    struct vif *vif = device->priv;
    struct vif_frontend_keys keys;
    int ret;

    vif->reason[0] = '\0';
    ret = vif_keys_read_frontend(device, &keys, vif->reason, sizeof(vif->reason));
    if (ret == 0)
        ret = vif_keys_read_rate(device, &vif->keys.rate, vif->reason, sizeof(vif->reason));
    if (ret) {
        device_done(device, ret, "%s", vif->reason);
        return;
    }
    queue_prepare(vif, &keys);
    log_info(device->label, "ring refs %u and %u, event channels %u and %u, worker %u%s",
             keys.rings.ref[NET_CHANNEL_TX], keys.rings.ref[NET_CHANNEL_RX],
             keys.rings.event_channel[NET_CHANNEL_TX], keys.rings.event_channel[NET_CHANNEL_RX],
             vif->queue.worker->index, keys.has_rx_notify ? "" : ", without rx notification");
    vif->to_worker.deliver = start_queue;
    mailbox_post(&vif->queue.worker->mailbox, &vif->to_worker);
}

/* The rate is live */

static void vif_refresh(struct device *device);

static void rate_is_set(struct letter *letter)
{
    struct vif *vif = VIF_OF(letter, new_rate);

    vif->is_rate_on_its_way = false;
    if (vif->is_connected)
        vif_refresh(vif->device); /* it may have changed again */
}

/* Worker's thread. Letters arrive in order: the queue has not been stopped yet. */
static void set_rate(struct letter *letter)
{
    struct vif *vif = VIF_OF(letter, new_rate);

    net_queue_set_rate(&vif->queue, &vif->rate);
    letter->deliver = rate_is_set;
    mailbox_post(daemon_mailbox(), letter);
}

static void vif_refresh(struct device *device)
{
    struct vif *vif = device->priv;
    struct credit_rate rate;
    char reason[256];

    if (!vif->is_connected || vif->is_rate_on_its_way)
        return;
    if (vif_keys_read_rate(device, &rate, reason, sizeof(reason))) {
        log_limited(&device->limit, LOG_LEVEL_WARNING, device->label, "%s: the rate stays as it was", reason);
        return;
    }
    if (rate.bytes == vif->keys.rate.bytes && rate.period_us == vif->keys.rate.period_us)
        return;
    log_info(device->label, "rate: %llu bytes in %u us", (unsigned long long)rate.bytes, rate.period_us);
    vif->keys.rate = vif->rate = rate;
    vif->is_rate_on_its_way = true;
    vif->new_rate.deliver = set_rate;
    mailbox_post(&vif->queue.worker->mailbox, &vif->new_rate);
}

/* Disconnect */

static void on_stopped_letter(struct letter *letter)
{
    struct vif *vif = VIF_OF(letter, to_main);

    queue_drop(vif);
    device_done(vif->device, 0, NULL);
}

/* Worker's thread. */
static void stop_queue(struct letter *letter)
{
    struct vif *vif = VIF_OF(letter, to_worker);

    net_queue_stop(&vif->queue, vif->device->is_parting);
    vif->to_main.deliver = on_stopped_letter;
    mailbox_post(daemon_mailbox(), &vif->to_main);
}

static void vif_disconnect(struct device *device)
{
    struct vif *vif = device->priv;

    if (!vif || !vif->has_queue) {
        device_done(device, 0, NULL);
        return;
    }
    vif->is_connected = false;
    vif->to_worker.deliver = stop_queue;
    mailbox_post(&vif->queue.worker->mailbox, &vif->to_worker);
}

/* Teardown */

static void close_work(struct offload_job *job)
{
    struct vif *vif = VIF_OF(job, job);
    char name[PORT_NAME_MAX];

    port_close(vif->port, vif->device->is_parting);
    if (!vif->device->is_parting) /* of a port that could not be opened again */
        tap_mark_sweep(vif->mark_path, name, sizeof(name));
}

static void close_done(struct letter *letter)
{
    struct vif *vif = VIF_OF(letter, job.done);
    struct device *device = vif->device;

    vif->port = NULL;
    device->priv = NULL;
    slot_release(vif);
    device_done(device, 0, NULL);
}

static void vif_teardown(struct device *device)
{
    struct vif *vif = device->priv;

    if (!vif) {
        device_done(device, 0, NULL);
        return;
    }
    if (!device->is_parting)
        unlink(vif->journal_path); /* of rings that could not be taken over */
    vif->is_open = false;
    vif->job.work = close_work;
    vif->job.done.deliver = close_done;
    vif->job.reply_to = daemon_mailbox();
    offload_post(&vif->job);
}

const struct device_family_ops vif_family_ops = {
    .name = "vif",
    .setup = vif_setup,
    .connect = vif_connect,
    .disconnect = vif_disconnect,
    .teardown = vif_teardown,
    .inspect = vif_inspect,
    .may_connect = vif_may_connect,
    .refresh = vif_refresh,
    .order = vif_order,
};
