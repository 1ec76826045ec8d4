// SPDX-License-Identifier: MIT
/*
 * net_queue.h: one pair of rings and what serves it: net_tx.c takes what the guest sends, net_rx.c gives it what comes
 * from the port. A queue belongs to one worker; everything but filling in the first part of the struct happens on that
 * worker's thread. No lock and no allocation after the start. Nothing is in flight between two passes: what was taken
 * from a ring has been answered, but for packets that wait for the guest's rate or the port's room.
 */
#ifndef XENSPLIT_BACKEND_NET_NET_QUEUE_H
#define XENSPLIT_BACKEND_NET_NET_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/channel.h"
#include "backend/device_report.h"
#include "backend/grant_io.h"
#include "backend/net/net_journal.h"
#include "backend/net/net_rx.h"
#include "backend/net/net_tx.h"
#include "backend/port/port.h"
#include "backend/spin.h"
#include "common/log.h"

struct worker;
struct event;
struct net_scratch;

enum net_queue_state {
    NET_QUEUE_STOPPED, /* holds nothing */
    NET_QUEUE_RUNNING,
    NET_QUEUE_BROKEN, /* does nothing any more, and waits to be stopped */
};

enum net_channel { NET_CHANNEL_TX, NET_CHANNEL_RX, NET_CHANNELS };

/* What the frontend wrote about one queue. */
struct net_rings {
    uint32_t ref[NET_CHANNELS];
    uint32_t event_channel[NET_CHANNELS]; /* alike: one for both */
};

struct net_queue {
    /* Filled in before the start. */
    void *owner; /* of the callback */
    struct worker *worker;
    struct port *port;
    uint16_t domid;
    struct net_journal_identity identity; /* whose rings, which refs and ports */
    const char *journal_path;
    bool is_adopting; /* the rings are in use already, and the journal says how far */
    struct net_rings rings;
    struct netif_offer our_offer; /* what the guest may send */
    struct netif_offer their_offer; /* what the guest takes */
    bool has_rx_notify; /* the guest notifies of posted pages */
    struct credit_rate rate;
    uint64_t drain_us; /* how long a guest may take nothing */
    char label[64]; /* "vif 3/0 q0" */
    void (*on_broken)(struct net_queue *queue); /* once: `reason` says why */
    void (*on_link)(struct net_queue *queue); /* has_link has changed */

    /* Why the start failed or the queue broke. */
    char reason[192];
    atomic_bool has_link; /* of the port: read by any thread */

    /* For net_tx.c and net_rx.c. */
    struct net_tx tx;
    struct net_rx rx;
    struct net_journal journal;
    struct grant_io grants;
    struct net_scratch *scratch;
    struct net_counters counters;
    struct log_limit log_limit;

    /* Private to net_queue.c. */
    enum net_queue_state state;
    struct net_channel_end {
        struct net_queue *queue;
        struct channel channel;
        bool is_masked; /* an event was taken and not unmasked yet */
    } end[NET_CHANNELS];
    void *page[NET_CHANNELS];
    struct event *pass_event;
    struct event *credit_event;
    struct event *pages_event;
    struct spin spin;
};

/* Forgets the last start; what has been allocated stays. Not while it holds anything. */
void net_queue_clear(struct net_queue *queue);
/* Any thread, after a stop: frees what is left. Safe on zeroes and twice. */
void net_queue_fini(struct net_queue *queue);

/*
 * Maps, binds, attaches the port, and serves from now on: from the beginning, or from where the rings' last server
 * stopped. Negative errno and `reason`: nothing is held.
 */
int net_queue_start(struct net_queue *queue);
/* Lets everything go. is_kept: the rings will be adopted by another daemon. */
void net_queue_stop(struct net_queue *queue, bool is_kept);
/* Between two passes: the rate has changed. */
void net_queue_set_rate(struct net_queue *queue, const struct credit_rate *rate);
/* Between two passes: copies the figures of the queue. */
void net_queue_inspect(const struct net_queue *queue, struct device_report *report);

/* For net_tx.c and net_rx.c. */
void net_queue_say(struct net_queue *queue, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void net_queue_notify(struct net_queue *queue, enum net_channel which);
uint64_t net_queue_now_us(void);
void net_queue_wait_for_credit(struct net_queue *queue, uint64_t wait_us);
/* net_rx_expire follows, unless the time is set to 0 before. What is running already stays. */
void net_queue_wait_for_pages(struct net_queue *queue, uint64_t wait_us);

#endif
