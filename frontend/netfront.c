// SPDX-License-Identifier: MIT
/*
 * netfront.c: a vif as a kind of frontend device: its part of connecting and of progress (see front.h), and the
 * handle's public functions but those for packets.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/net_store.h"
#include "frontend/netfront.h"

#define KNOWN_FLAGS                                                                                          \
    (XENFRONT_NET_TAKEOVER | XENFRONT_NET_NO_SG | XENFRONT_NET_NO_GSO | XENFRONT_NET_NO_CSUM |               \
     XENFRONT_NET_ONE_CHANNEL)
#define MAX_DEVID 65535u

/* The event channels, by their index in the link: the last one is also the first when there is one. */
#define TX_PORT 0
#define RX_PORT(net) ((net)->front.link.ports - 1)

static int options_resolve(struct xenfront_net *net, const struct xenfront_net_options *given)
{
    struct xenfront_net_options *options = &net->options;
    struct xenfront_net_options zero = { .size = sizeof(zero) };
    const struct xenfront_net_options *from = given ? given : &zero;
    bool no_sg = from->flags & XENFRONT_NET_NO_SG, no_csum = from->flags & XENFRONT_NET_NO_CSUM;
    bool has_gso = !no_sg && !no_csum && !(from->flags & XENFRONT_NET_NO_GSO);

    if (from->size != sizeof(*from) || (from->flags & ~KNOWN_FLAGS))
        return -EINVAL;
    *options = *from;
    if (!options->tx_pages)
        options->tx_pages = NET_TX_SLOTS;
    net->ours = (struct netif_offer){
        .can_sg = !no_sg,
        .can_csum_ipv4 = !no_csum,
        .can_csum_ipv6 = !no_csum,
        .can_gso_tcpv4 = has_gso,
        .can_gso_tcpv6 = has_gso,
    };
    return options->tx_pages >= NETIF_PARTS_MAX && options->tx_pages <= NET_TX_SLOTS ? 0 : -EINVAL;
}

/* What the backend takes, as far as the options let us send it. Segments need room and a blank checksum. */
static void offer_settle(struct xenfront_net *net, struct xenfront_net_info *info)
{
    const struct netif_offer *ours = &net->ours;

    info->can_sg &= ours->can_sg;
    info->can_csum_ipv4 &= ours->can_csum_ipv4;
    info->can_csum_ipv6 &= ours->can_csum_ipv6;
    info->can_gso_tcpv4 &= ours->can_gso_tcpv4 && info->can_sg && info->can_csum_ipv4;
    info->can_gso_tcpv6 &= ours->can_gso_tcpv6 && info->can_sg && info->can_csum_ipv6;
    info->is_split &= !(net->options.flags & XENFRONT_NET_ONE_CHANNEL);
    net->theirs = (struct netif_offer){
        .can_sg = info->can_sg,
        .can_csum_ipv4 = info->can_csum_ipv4,
        .can_csum_ipv6 = info->can_csum_ipv6,
        .can_gso_tcpv4 = info->can_gso_tcpv4,
        .can_gso_tcpv6 = info->can_gso_tcpv6,
    };
}

static int queue_make(struct xenfront_net *net)
{
    struct front *front = &net->front;
    struct net_queue *queue = &net->queue;
    struct link *link = &front->link;
    int err = link_init(link, front->attach.backend_domid, 2, net->info.is_split ? 2 : 1,
                        net->options.tx_pages, &front->error);

    if (err == 0)
        err = link_region(link, &queue->rx_pages, NET_RX_SLOTS, &front->error);
    if (err < 0)
        return err;
    net_tx_init(&queue->tx, region_page(&link->rings, 0), &link->pool.region);
    net_rx_init(&queue->rx, region_page(&link->rings, 1), &queue->rx_pages);
    net_rx_post(&queue->rx);
    net_rx_push(&queue->rx); /* before the first look at the ring from the other side: nobody is to be told */
    return 0;
}

static int net_publish(struct front *front)
{
    struct xenfront_net *net = FRONT_OF(struct xenfront_net, front);
    struct xenfront_net_info info = {
        .devid = front->attach.devid,
        .backend_domid = front->attach.backend_domid,
        .ring_slots = (uint32_t)NET_TX_SLOTS,
        .tx_pages = net->options.tx_pages,
        .rx_pages = (uint32_t)NET_RX_SLOTS,
    };
    struct net_transport transport;
    int err = net_store_offer(&front->attach, &info);

    if (err < 0)
        return err;
    offer_settle(net, &info);
    snprintf(info.backend_path, sizeof(info.backend_path), "%s", front->attach.backend);
    net->info = info;
    err = queue_make(net);
    if (err < 0)
        return err;
    transport = (struct net_transport){
        .tx_ring_ref = front->link.rings.refs[0],
        .rx_ring_ref = front->link.rings.refs[1],
        .is_split = info.is_split,
        .event_channel_tx = front->link.port[TX_PORT].port,
        .event_channel_rx = front->link.port[RX_PORT(net)].port,
        .ours = net->ours,
    };
    return net_store_publish(&front->attach, &transport);
}

static int net_connect(struct front *front)
{
    struct xenfront_net *net = FRONT_OF(struct xenfront_net, front);
    int err = net_store_connect(&front->attach, &net->info.is_link_up);

    if (err < 0)
        return err;
    net->has_info = true;
    /* Linux' backend looks at the rx ring only when it is told to. */
    front_kick(front, RX_PORT(net));
    return 0;
}

static void net_refresh(struct front *front)
{
    net_store_refresh(&front->attach, &FRONT_OF(struct xenfront_net, front)->info.is_link_up);
}

static void net_abort(struct front *front, int err)
{
    struct xenfront_net *net = FRONT_OF(struct xenfront_net, front);

    net_tx_abort(&net->queue.tx);
    net_rx_abort(&net->queue.rx);
}

static uint32_t net_unlink(struct front *front)
{
    return region_fini(&FRONT_OF(struct xenfront_net, front)->queue.rx_pages);
}

static uint32_t net_in_flight(const struct front *front)
{
    return net_tx_outstanding(&FRONT_OF(const struct xenfront_net, front)->queue.tx);
}

static bool net_is_expecting(const struct front *front)
{
    return true; /* a packet may come at any time */
}

static uint64_t net_responses(const struct front *front)
{
    const struct xenfront_net *net = FRONT_OF(const struct xenfront_net, front);

    return net->queue.tx_counts.responses + net->stats.ring_responses;
}

static uint64_t net_completed(const struct front *front)
{
    return 0; /* packets are fetched, nothing is called */
}

uint32_t net_push(struct front *front)
{
    struct xenfront_net *net = FRONT_OF(struct xenfront_net, front);
    struct net_tx *tx = &net->queue.tx;
    uint32_t before = net_tx_outstanding(tx), sent;

    if (net_tx_push(tx))
        front_kick(front, TX_PORT);
    sent = net_tx_outstanding(tx) - before;
    if (sent)
        front_sent(front, before == 0);
    return sent;
}

static int net_take(struct front *front)
{
    struct net_queue *queue = &FRONT_OF(struct xenfront_net, front)->queue;
    int taken = net_tx_reap(&queue->tx, &queue->tx_counts);

    if (taken < 0)
        front_error_set(&front->error, taken, "the backend broke the ring: %s", queue->tx.problem);
    return taken;
}

static enum front_pass net_arm(struct front *front)
{
    struct net_queue *queue = &FRONT_OF(struct xenfront_net, front)->queue;
    bool is_eager = front->is_draining || front->limits.io_timeout_ms;

    if (front->state == XENFRONT_CONNECTED && net_rx_arm(&queue->rx))
        return FRONT_PASS_READY;
    return net_tx_arm(&queue->tx, is_eager) ? FRONT_PASS_MORE : FRONT_PASS_DONE;
}

static bool net_peek(const struct front *front)
{
    const struct net_queue *queue = &FRONT_OF(const struct xenfront_net, front)->queue;

    return net_rx_peek(&queue->rx) || net_tx_peek(&queue->tx);
}

static const struct front_ops net_ops = {
    .kind = "vif",
    .publish = net_publish,
    .connect = net_connect,
    .refresh = net_refresh,
    .abort = net_abort,
    .unlink = net_unlink,
    .in_flight = net_in_flight,
    .outstanding = net_in_flight,
    .is_expecting = net_is_expecting,
    .responses = net_responses,
    .completed = net_completed,
    .push = net_push,
    .take = net_take,
    .arm = net_arm,
    .peek = net_peek,
};

struct xenfront_net *xenfront_net_new(const struct xenfront_net_options *options)
{
    struct xenfront_net *net = calloc(1, sizeof(*net));
    struct front_limits limits;
    int err = -ENOMEM;

    if (!net)
        goto fail;
    err = options_resolve(net, options);
    if (err < 0)
        goto fail;
    err = -ENOMEM;
    net->whole = malloc(XENFRONT_NET_MAX_BYTES);
    if (!net->whole)
        goto fail;
    limits = (struct front_limits){
        .spin_us = net->options.spin_us,
        .io_timeout_ms = net->options.io_timeout_ms,
        .is_takeover = net->options.flags & XENFRONT_NET_TAKEOVER,
    };
    err = front_init(&net->front, &net_ops, &limits);
    if (err < 0)
        goto fail;
    return net;
fail:
    xenfront_net_free(net);
    errno = -err;
    return NULL;
}

void xenfront_net_free(struct xenfront_net *net)
{
    if (!net)
        return;
    front_fini(&net->front);
    free(net->whole);
    free(net);
}

int xenfront_net_open(struct xenfront_net *net, const char *device)
{
    struct front_error *error = &net->front.error;
    uint64_t number = 0;
    uint32_t devid;
    int err;

    if (net->front.is_open)
        return front_error_set(error, -EISCONN, "a device is open on this handle");
    if (device && xenbus_parse_u64(device, strlen(device), 0, MAX_DEVID, &number) < 0)
        return front_error_set(error, -EINVAL, "device: a number like 0 expected, found '%s'", device);
    devid = (uint32_t)number;
    if (device)
        snprintf(error->device, sizeof(error->device), "vif %" PRIu32, devid);
    err = front_open(&net->front, device ? &devid : NULL);
    if (err < 0) {
        error->device[0] = '\0';
        return err;
    }
    net->front.attach.live_key = NET_STORE_LIVE_KEY;
    snprintf(error->device, sizeof(error->device), "vif %" PRIu32, net->front.attach.devid);
    return 0;
}

int xenfront_net_start(struct xenfront_net *net, uint32_t timeout_ms)
{
    return front_start(&net->front, timeout_ms);
}

int xenfront_net_connect(struct xenfront_net *net, uint32_t timeout_ms)
{
    return front_connect(&net->front, timeout_ms);
}

int xenfront_net_shutdown(struct xenfront_net *net, uint32_t timeout_ms)
{
    return front_shutdown(&net->front, timeout_ms);
}

int xenfront_net_close(struct xenfront_net *net, uint32_t timeout_ms)
{
    return front_close(&net->front, timeout_ms);
}

int xenfront_net_fd(const struct xenfront_net *net)
{
    return net->front.epoll_fd;
}

int xenfront_net_timeout_ms(const struct xenfront_net *net)
{
    return front_timeout_ms(&net->front);
}

/* Has the program something to fetch? */
static int ready(struct xenfront_net *net, int err)
{
    return err < 0 ? err : net->front.state == XENFRONT_CONNECTED && net_rx_peek(&net->queue.rx);
}

int xenfront_net_pump(struct xenfront_net *net)
{
    return ready(net, front_pump(&net->front));
}

int xenfront_net_poll(struct xenfront_net *net)
{
    return ready(net, front_poll(&net->front));
}

int xenfront_net_wait(struct xenfront_net *net, int timeout_ms)
{
    return ready(net, front_wait(&net->front, timeout_ms));
}

unsigned int xenfront_net_in_flight(const struct xenfront_net *net)
{
    return net_in_flight(&net->front);
}

enum xenfront_state xenfront_net_state(const struct xenfront_net *net)
{
    return net->front.state;
}

const char *xenfront_net_name(const struct xenfront_net *net)
{
    return net->front.error.device;
}

const char *xenfront_net_error(const struct xenfront_net *net)
{
    return net->front.error.text;
}

int xenfront_net_info(const struct xenfront_net *net, struct xenfront_net_info *info)
{
    if (!net->has_info)
        return -ENOTCONN;
    *info = net->info;
    return 0;
}

void xenfront_net_stats(const struct xenfront_net *net, struct xenfront_net_stats *stats)
{
    const struct net_tx_counts *counts = &net->queue.tx_counts;

    *stats = net->stats;
    stats->tx_errors = counts->errors;
    stats->tx_dropped = counts->dropped;
    stats->ring_responses += counts->responses;
    stats->kicks = net->front.kicks;
    stats->interrupts = net->front.interrupts;
    stats->spurious = net->front.spurious;
    stats->quarantined_pages = net->front.quarantined_pages;
}

int net_broken(struct xenfront_net *net, const char *problem)
{
    front_error_set(&net->front.error, -EPROTO, "the backend broke the ring: %s", problem);
    front_break(&net->front, -EPROTO);
    front_step(&net->front);
    return -EPROTO;
}
