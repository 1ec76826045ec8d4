// SPDX-License-Identifier: MIT
/*
 * net_queue.c: the life of a pair of rings and the turns of their passes.
 *
 * Rules that hold throughout: a slot is copied once and the copy is what is checked and used; a response goes out after
 * the last use of the guest's page; an event channel is unmasked only when there is no work left, and never again once
 * the queue is broken.
 */
#include <config.h>

#include "backend/net/net_queue.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <event2/event.h>

#include "backend/config.h"
#include "backend/grant_unmap.h"
#include "backend/net/net_scratch.h"
#include "backend/worker.h"

#define RX_PASSES 4u /* batches that one turn delivers before other queues get theirs */

static const char *const ring_names[NET_CHANNELS] = { "tx-ring-ref", "rx-ring-ref" };

void net_queue_say(struct net_queue *queue, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(queue->reason, sizeof(queue->reason), fmt, args);
    va_end(args);
}

uint64_t net_queue_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static bool is_split(const struct net_queue *queue)
{
    return queue->rings.event_channel[NET_CHANNEL_TX] != queue->rings.event_channel[NET_CHANNEL_RX];
}

void net_queue_notify(struct net_queue *queue, enum net_channel which)
{
    queue->counters.kicks_sent++;
    channel_notify(&queue->end[is_split(queue) ? which : NET_CHANNEL_TX].channel);
}

static void start_timer(struct event *event, uint64_t wait_us)
{
    const struct timeval wait = { .tv_sec = (time_t)(wait_us / 1000000u),
                                  .tv_usec = (long)(wait_us % 1000000u) };

    event_add(event, &wait);
}

void net_queue_wait_for_credit(struct net_queue *queue, uint64_t wait_us)
{
    start_timer(queue->credit_event, wait_us);
}

void net_queue_wait_for_pages(struct net_queue *queue, uint64_t wait_us)
{
    const bool is_running = evtimer_pending(queue->pages_event, NULL);

    if (wait_us && !is_running)
        start_timer(queue->pages_event, wait_us);
    else if (!wait_us && is_running)
        event_del(queue->pages_event);
}

/* Lets go of everything, in an order in which nothing that is still held uses what is gone. */
static void queue_release(struct net_queue *queue, bool is_kept)
{
    struct event **events[] = { &queue->pass_event, &queue->credit_event, &queue->pages_event };

    if (!is_kept)
        port_set_carrier(queue->port, false);
    port_detach(queue->port);
    for (unsigned int i = 0; i < NET_CHANNELS; i++)
        channel_unbind(&queue->end[i].channel);
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (*events[i])
            event_free(*events[i]);
        *events[i] = NULL;
    }
    grant_io_release(&queue->grants);
    for (unsigned int i = 0; i < NET_CHANNELS; i++) {
        if (queue->page[i])
            grant_unmap(queue->worker->gnttab, queue->page[i], 1, queue->label);
        queue->page[i] = NULL;
    }
    net_journal_close(&queue->journal, is_kept);
    if (queue->scratch)
        net_scratch_put();
    queue->scratch = NULL;
    queue->state = NET_QUEUE_STOPPED;
}

static void queue_break(struct net_queue *queue)
{
    queue->state = NET_QUEUE_BROKEN;
    port_watch(queue->port, false);
    event_del(queue->pass_event);
    event_del(queue->credit_event);
    event_del(queue->pages_event);
    queue->on_broken(queue);
}

static bool is_ready(void *arg)
{
    const struct net_queue *queue = arg;

    return netif_tx_ring_has_more(&queue->tx.ring);
}

/*
 * True: there are packets to send; else the guest will notify, or a timer or the port will. Spins only when no other
 * queue of this worker has had a turn since our last one.
 */
static bool queue_look(struct net_queue *queue)
{
    const bool may_spin = queue->worker->served == queue;

    queue->worker->served = queue;
    if (net_tx_is_held(&queue->tx))
        return false;
    if (is_ready(queue))
        return true;
    if (may_spin && spin_until(&queue->spin, config_get()->spin_us * 1000, is_ready, queue))
        return true;
    return netif_tx_ring_final_check(&queue->tx.ring);
}

static void queue_unmask(struct net_queue *queue)
{
    for (unsigned int i = 0; i < NET_CHANNELS; i++) {
        if (!queue->end[i].is_masked)
            continue;
        queue->end[i].is_masked = false;
        channel_unmask(&queue->end[i].channel);
    }
}

/* 1: there may be more to receive. */
static int receive(struct net_queue *queue)
{
    int ret = 1;

    for (unsigned int i = 0; i < RX_PASSES && ret == 1; i++)
        ret = net_rx_pass(queue);
    return ret;
}

static void queue_pass(struct net_queue *queue)
{
    static const struct timeval now;
    int sent, received;

    if (queue->state != NET_QUEUE_RUNNING)
        return;
    sent = net_tx_pass(queue);
    received = sent < 0 ? sent : receive(queue);
    if (received < 0)
        queue_break(queue);
    else if (queue_look(queue) || received > 0)
        event_add(queue->pass_event, &now); /* after the other queues of this worker */
    else
        queue_unmask(queue);
}

static void on_pass(evutil_socket_t fd, short what, void *arg)
{
    queue_pass(arg);
}

static void on_credit(evutil_socket_t fd, short what, void *arg)
{
    struct net_queue *queue = arg;

    queue->tx.waits_for_credit = false;
    queue_pass(queue);
}

static void on_pages(evutil_socket_t fd, short what, void *arg)
{
    struct net_queue *queue = arg;

    if (net_rx_expire(queue) < 0)
        queue_break(queue);
    else
        queue_pass(queue);
}

static void on_event(struct channel *channel)
{
    struct net_channel_end *end =
        (struct net_channel_end *)((char *)channel - offsetof(struct net_channel_end, channel));

    end->queue->counters.kicks_received++;
    end->is_masked = true;
    queue_pass(end->queue);
}

static void on_frames(void *owner)
{
    queue_pass(owner);
}

static void on_room(void *owner)
{
    struct net_queue *queue = owner;

    queue->tx.waits_for_room = false;
    queue_pass(queue);
}

/* In the middle of a pass, perhaps: what follows from it is done afterwards. */
static void on_link(void *owner, bool has_link, const char *why)
{
    struct net_queue *queue = owner;

    log_limited(&queue->log_limit, has_link ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, queue->label, "port %s: %s",
                port_info(queue->port)->target, why);
    atomic_store(&queue->has_link, has_link);
    queue->on_link(queue);
    queue->tx.waits_for_room = false;
    if (queue->state == NET_QUEUE_RUNNING)
        event_active(queue->pass_event, EV_TIMEOUT, 0);
}

static int start_memory(struct net_queue *queue)
{
    struct event_base *base = queue->worker->base;

    queue->pass_event = event_new(base, -1, 0, on_pass, queue);
    queue->credit_event = evtimer_new(base, on_credit, queue);
    queue->pages_event = evtimer_new(base, on_pages, queue);
    queue->scratch = net_scratch_get();
    if (queue->pass_event && queue->credit_event && queue->pages_event && queue->scratch &&
        grant_io_init(&queue->grants, queue->worker->gnttab, queue->domid, GRANT_IO_COPY, queue->label) == 0)
        return 0;
    net_queue_say(queue, "no memory for a queue");
    return -ENOMEM;
}

static int start_rings(struct net_queue *queue)
{
    for (unsigned int i = 0; i < NET_CHANNELS; i++) {
        queue->page[i] = xengnttab_map_grant_ref(queue->worker->gnttab, queue->domid, queue->rings.ref[i],
                                                 PROT_READ | PROT_WRITE);
        if (!queue->page[i]) {
            const int error = errno ? errno : EINVAL;

            net_queue_say(
                queue,
                "%s: expected a writable grant of domain %u to this one, found that ref %u cannot be "
                "mapped: %s",
                ring_names[i], queue->domid, queue->rings.ref[i], strerror(error));
            return -error;
        }
    }
    netif_tx_ring_attach(&queue->tx.ring, queue->page[NET_CHANNEL_TX]);
    netif_rx_ring_attach(&queue->rx.ring, queue->page[NET_CHANNEL_RX]);
    return 0;
}

/* Where the rings stand: at the beginning, or where the predecessor left them. */
static int start_journal(struct net_queue *queue)
{
    int ret = net_journal_open(&queue->journal, queue->journal_path, &queue->identity, queue->is_adopting);

    if (ret) {
        net_queue_say(queue, "answers in %s: %s", queue->journal_path,
                      ret == -ESTALE ? "they belong to another guest, ring or channel" : strerror(-ret));
        return ret;
    }
    ret = queue->is_adopting ? net_journal_replay(&queue->journal, &queue->tx.ring, &queue->rx.ring) : 0;
    if (ret)
        net_queue_say(queue,
                      "rings: expected response producers as the last daemon left them, found %u and %u",
                      queue->tx.ring.rsp_prod_pvt, queue->rx.ring.rsp_prod_pvt);
    return ret;
}

static int start_channels(struct net_queue *queue)
{
    for (unsigned int i = 0; i < (is_split(queue) ? 2u : 1u); i++) {
        const int ret = channel_bind(&queue->end[i].channel, queue->worker, queue->domid,
                                     queue->rings.event_channel[i], on_event);

        queue->end[i].queue = queue;
        if (ret) {
            net_queue_say(
                queue,
                "event-channel%s: expected an unbound port of domain %u for this one, found that port %u "
                "cannot be bound: %s",
                !is_split(queue)      ? ""
                : i == NET_CHANNEL_TX ? "-tx"
                                      : "-rx",
                queue->domid, queue->rings.event_channel[i], strerror(-ret));
            return ret;
        }
    }
    return 0;
}

int net_queue_start(struct net_queue *queue)
{
    const struct port_events events = {
        .owner = queue, .on_frames = on_frames, .on_room = on_room, .on_link = on_link
    };
    int ret = start_memory(queue);

    if (ret == 0)
        ret = start_rings(queue);
    if (ret == 0)
        ret = start_journal(queue);
    if (ret == 0)
        ret = port_attach(queue->port, queue->worker->base, &queue->their_offer, &events, queue->reason,
                          sizeof(queue->reason));
    if (ret == 0)
        ret = start_channels(queue);
    if (ret) {
        queue_release(queue, false);
        return ret;
    }
    credit_set(&queue->tx.credit, &queue->rate, net_queue_now_us());
    queue->state = NET_QUEUE_RUNNING;
    port_set_carrier(queue->port, true);
    atomic_store(&queue->has_link, port_has_link(queue->port));
    if (!atomic_load(&queue->has_link))
        on_link(queue, false, "there is nobody at the far end yet");
    /* A predecessor may have died between a push and its notification. */
    for (unsigned int i = 0; i < (is_split(queue) ? 2u : 1u); i++)
        channel_notify(&queue->end[i].channel);
    event_active(queue->pass_event, EV_TIMEOUT, 0);
    return 0;
}

void net_queue_stop(struct net_queue *queue, bool is_kept)
{
    queue_release(queue, is_kept);
}

void net_queue_set_rate(struct net_queue *queue, const struct credit_rate *rate)
{
    credit_set(&queue->tx.credit, rate, net_queue_now_us());
    event_del(queue->credit_event);
    queue->tx.waits_for_credit = false;
    if (queue->state == NET_QUEUE_RUNNING)
        event_active(queue->pass_event, EV_TIMEOUT, 0);
}

void net_queue_inspect(const struct net_queue *queue, struct device_report *report)
{
    static const char *const states[] = {
        [NET_QUEUE_STOPPED] = "stopped",
        [NET_QUEUE_RUNNING] = "running",
        [NET_QUEUE_BROKEN] = "broken",
    };

    report->has_figures = true;
    report->queue_state = queue->rx.is_stalled ? "stalled" : states[queue->state];
    report->has_link = atomic_load(&queue->has_link);
    report->has_channel = queue->state != NET_QUEUE_STOPPED;
    report->port = queue->end[NET_CHANNEL_TX].channel.port;
    report->in_flight = queue->tx.count - queue->tx.at;
    report->spin_limit_ns = queue->spin.limit_ns;
    report->counters.kicks_received = queue->counters.kicks_received;
    report->counters.kicks_sent = queue->counters.kicks_sent;
    report->net = queue->counters;
    report->net.port_refused = port_counters(queue->port)->refused;
}

void net_queue_clear(struct net_queue *queue)
{
    const struct grant_io grants = queue->grants;

    memset(queue, 0, offsetof(struct net_queue, rx) + offsetof(struct net_rx, held_bytes));
    memset(&queue->scratch, 0, sizeof(*queue) - offsetof(struct net_queue, scratch));
    queue->grants = grants;
}

void net_queue_fini(struct net_queue *queue)
{
    grant_io_fini(&queue->grants);
}
