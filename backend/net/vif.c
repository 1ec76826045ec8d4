// SPDX-License-Identifier: MIT
/*
 * vif.c: the life of a network device: opens its port, gives its queue to a worker, and takes both back. Reading
 * goes on in queue_service.c (the way to the worker), net_queue.c (the rings' turns), net_tx.c and net_rx.c (what the
 * guest sends and receives).
 *
 * Main thread, except for the functions that say otherwise. A step that needs another thread goes there as a letter or
 * an offload job and ends, when the answer comes back, in device_done().
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

    for (unsigned int i = 0; i < VIF_QUEUES; i++)
        net_queue_fini(&vif->queue[i].net);
}

static const struct queue_service_ops service_ops;

/* The slot may have served an earlier life of the device: of that only memory is left. */
static struct vif *vif_take(struct device *device)
{
    struct vif *vif = slot_take(device, sizeof(*vif), vif_destroy);

    if (!vif)
        return NULL;
    device->priv = vif;
    vif->device = device;
    queue_services_init(&vif->services, device, &service_ops);
    for (unsigned int i = 0; i < VIF_QUEUES; i++) {
        struct vif_queue *queue = &vif->queue[i];

        queue->vif = vif;
        snprintf(queue->journal_path, sizeof(queue->journal_path), "%s/inflight/vif-%u-%u-q%u",
                 config_get()->run_dir, device->domid, device->devid, i);
    }
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

/* Worker's thread. */
static int start_queue(struct queue_service *service)
{
    return net_queue_start(&VIF_QUEUE_OF(service, service)->net);
}

/* Worker's thread. */
static void stop_queue(struct queue_service *service)
{
    struct vif_queue *queue = VIF_QUEUE_OF(service, service);

    net_queue_stop(&queue->net, queue->vif->device->is_parting);
    queue_service_stopped(service);
}

static const char *queue_reason(const struct queue_service *service)
{
    return VIF_QUEUE_OF(service, service)->net.reason;
}

static const struct queue_service_ops service_ops = {
    .start = start_queue,
    .stop = stop_queue,
    .reason = queue_reason,
};

/* Worker's thread. */
static void on_broken(struct net_queue *net)
{
    struct vif_queue *queue = net->owner;

    queue_service_broke(&queue->service);
}

static void on_link_letter(struct letter *letter)
{
    struct vif_queue *queue = VIF_QUEUE_OF(letter, new_link);
    struct device *device = queue->vif->device;
    char reason[256];
    int ret;

    atomic_store(&queue->is_link_on_its_way, false);
    if (!queue->service.worker || !daemon_xs())
        return;
    ret = vif_keys_publish_link(device, atomic_load(&queue->net.has_link), reason, sizeof(reason));
    if (ret && ret != -ENOENT)
        log_limited(&device->limit, LOG_LEVEL_WARNING, device->label, "%s", reason);
}

/* Worker's thread. A letter that is on its way tells of this change, too. */
static void on_link(struct net_queue *net)
{
    struct vif_queue *queue = net->owner;

    if (atomic_exchange(&queue->is_link_on_its_way, true))
        return;
    queue->new_link.deliver = on_link_letter;
    mailbox_post(daemon_mailbox(), &queue->new_link);
}

static void queue_prepare(struct vif_queue *queue, const struct vif_frontend_keys *keys, unsigned int index)
{
    struct vif *vif = queue->vif;
    const struct device *device = vif->device;
    struct net_queue *net = &queue->net;

    net_queue_clear(net);
    net->owner = queue;
    net->port = vif->port;
    net->domid = device->domid;
    net->rings = keys->rings[index];
    net->identity =
        (struct net_journal_identity){ .domid = device->domid, .devid = device->devid, .queue = index };
    memcpy(net->identity.ref, net->rings.ref, sizeof(net->identity.ref));
    memcpy(net->identity.event_channel, net->rings.event_channel, sizeof(net->identity.event_channel));
    memcpy(net->identity.generation, device->generation, sizeof(net->identity.generation));
    net->journal_path = queue->journal_path;
    net->is_adopting = device->is_adopting;
    net->our_offer = our_offer(vif);
    net->their_offer = keys->offer;
    net->has_rx_notify = keys->has_rx_notify;
    net->rate = vif->keys.rate;
    net->drain_us = config_get()->vif_drain_ms * 1000ull;
    snprintf(net->label, sizeof(net->label), "%s q%u", device->label, index);
    net->on_broken = on_broken;
    net->on_link = on_link;
    net->worker = queue_service_take(&vif->services, &queue->service);
    log_info(device->label, "ring refs %u and %u, event channels %u and %u, worker %u%s",
             net->rings.ref[NET_CHANNEL_TX], net->rings.ref[NET_CHANNEL_RX],
             net->rings.event_channel[NET_CHANNEL_TX], net->rings.event_channel[NET_CHANNEL_RX],
             net->worker->index, keys->has_rx_notify ? "" : ", without rx notification");
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
    for (unsigned int i = 0; i < keys.queue_count; i++)
        queue_prepare(&vif->queue[i], &keys, i);
    queue_services_start(&vif->services);
}

/* The rate is live */

static void vif_refresh(struct device *device);

static void rate_is_set(struct letter *letter)
{
    struct vif_queue *queue = VIF_QUEUE_OF(letter, new_rate);

    queue->is_rate_on_its_way = false;
    if (queue->vif->services.is_connected)
        vif_refresh(queue->vif->device); /* it may have changed again */
}

/* Worker's thread. Letters arrive in order: the queue has not been stopped yet. */
static void set_rate(struct letter *letter)
{
    struct vif_queue *queue = VIF_QUEUE_OF(letter, new_rate);

    net_queue_set_rate(&queue->net, &queue->rate);
    letter->deliver = rate_is_set;
    mailbox_post(daemon_mailbox(), letter);
}

static bool is_rate_on_its_way(const struct vif *vif)
{
    bool is_on_its_way = false;

    for (unsigned int i = 0; i < VIF_QUEUES; i++)
        is_on_its_way |= vif->queue[i].is_rate_on_its_way;
    return is_on_its_way;
}

static void vif_refresh(struct device *device)
{
    struct vif *vif = device->priv;
    struct credit_rate rate;
    char reason[256];

    if (!vif->services.is_connected || is_rate_on_its_way(vif))
        return;
    if (vif_keys_read_rate(device, &rate, reason, sizeof(reason))) {
        log_limited(&device->limit, LOG_LEVEL_WARNING, device->label, "%s: the rate stays as it was", reason);
        return;
    }
    if (rate.bytes == vif->keys.rate.bytes && rate.period_us == vif->keys.rate.period_us)
        return;
    log_info(device->label, "rate: %llu bytes in %u us", (unsigned long long)rate.bytes, rate.period_us);
    vif->keys.rate = rate;
    for (unsigned int i = 0; i < VIF_QUEUES; i++) {
        struct vif_queue *queue = &vif->queue[i];

        if (!queue->service.worker)
            continue;
        queue->rate = rate;
        queue->is_rate_on_its_way = true;
        queue->new_rate.deliver = set_rate;
        mailbox_post(&queue->service.worker->mailbox, &queue->new_rate);
    }
}

/* Disconnect */

static void vif_disconnect(struct device *device)
{
    struct vif *vif = device->priv;

    if (vif)
        queue_services_stop(&vif->services);
    else
        device_done(device, 0, NULL);
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
    for (unsigned int i = 0; i < VIF_QUEUES && !device->is_parting; i++)
        unlink(vif->queue[i].journal_path); /* of rings that could not be taken over */
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
