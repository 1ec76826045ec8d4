// SPDX-License-Identifier: MIT
/*
 * blk_queue.h: one ring and what serves it: takes requests from the shared page, moves them through
 * blk_request.c in batches, answers them. A queue belongs to one worker; everything but filling in the first
 * part of the struct happens on that worker's thread. No lock and no allocation after the start, nor in a start
 * that is not the queue's first.
 */
#ifndef XENSPLIT_BACKEND_BLK_BLK_QUEUE_H
#define XENSPLIT_BACKEND_BLK_BLK_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <event2/event_struct.h>

#include "backend/blk/blk_loan.h"
#include "backend/blk/blk_request.h"
#include "backend/channel.h"
#include "backend/device_report.h"
#include "backend/disk/buffer_pool.h"
#include "backend/grant_io.h"
#include "backend/poller.h"
#include "backend/spin.h"
#include "common/blkif_ring.h"
#include "common/inflight.h"
#include "common/log.h"

struct worker;

enum blk_queue_state {
    BLK_QUEUE_STOPPED, /* holds nothing */
    BLK_QUEUE_RUNNING,
    BLK_QUEUE_BROKEN, /* takes nothing in; finishes what is in flight */
    BLK_QUEUE_STOPPING, /* the same; stops when that is done */
    BLK_QUEUE_QUIESCING, /* the same; is quiet then */
    BLK_QUEUE_QUIET, /* in the middle: the ring is mapped, no channel, no worker's resources, nothing in flight */
};

struct blk_queue {
    /* Filled in before the start. */
    void *owner; /* of the callbacks */
    struct worker *worker;
    struct disk *disk;
    struct blkif_limits limits;
    struct inflight_identity identity; /* whose ring, which ref, port and layout */
    const char *inflight_path;
    char label[64]; /* "vbd 3/51712 q0" */
    enum grant_io_method method;
    const char *method_reason; /* a literal */
    bool is_polled; /* looked at all the time; the guest need not notify. May be changed while quiet */
    bool is_void; /* the disk has no data: requests are checked and answered */
    bool is_adopting; /* the ring is in use already, and the in-flight file says how far */
    void (*on_broken)(struct blk_queue *queue); /* once: takes nothing in any more; `reason` says why */
    void (*on_stopped)(struct blk_queue *queue); /* once a stop; the queue may be freed */

    /* Why the start failed or the queue broke. */
    char reason[320];

    /* Private to blk_queue.c. */
    enum blk_queue_state state;
    void (*on_quiet)(struct blk_queue *queue); /* somebody waits for it; NULL: nobody */
    struct worker *left; /* the ring is mapped at this one, too: blk_queue_leave */
    void *left_page;
    bool is_kept; /* leave the in-flight file for the next daemon */
    bool is_masked; /* an event was taken and not unmasked yet */
    bool is_armed; /* the guest was asked to notify */
    bool is_passing;
    struct channel channel;
    void *page;
    struct blkif_ring ring;
    struct inflight inflight;
    struct grant_io grants;
    bool may_borrow; /* I/O may go straight to mapped pages (blk_loan.h) */
    const char *borrow_reason; /* stays valid */
    struct blk_loan *loans; /* BLKIF_RING_SLOTS; NULL: none is taken */
    struct blk_loan *loan_memory; /* the same, kept from start to start */
    uint32_t loan_align_bytes;
    struct buffer_waiter waiter;
    struct poller_entry poll;
    struct event pass_event; /* not by reference: a start allocates nothing */
    struct spin spin;
    unsigned int idle_events; /* that came since the last request */
    struct log_limit log_limit;
    struct queue_counters counters;
    unsigned int intake_chunk; /* requests that are taken in together at the most */
    unsigned int answer_chunk; /* that are answered together */
    unsigned int owed; /* taken from the ring and not answered */
    struct blk_request *idle; /* a stack */
    struct blk_request_list replayed; /* from the in-flight file: come before the ring */
    struct blk_request_list done; /* to be answered */
    struct blk_request request[BLKIF_RING_SLOTS];
};

/* Any thread, stopped: ready to be filled in for another start, which uses the same memory. */
void blk_queue_clear(struct blk_queue *queue);
/* Any thread, stopped: frees the memory. Safe on zeroes and twice. */
void blk_queue_fini(struct blk_queue *queue);
/* Maps, binds, and serves from now on. Negative errno and `reason`: nothing is held. */
int blk_queue_start(struct blk_queue *queue);
/*
 * Takes nothing in any more, finishes what is in flight, lets everything go, and calls on_stopped, perhaps
 * before it returns. is_kept: the ring will be adopted by another daemon.
 */
void blk_queue_stop(struct blk_queue *queue, bool is_kept);

/*
 * Takes nothing in any more, finishes what is in flight, lets the event channel and everything of the worker's go, and
 * calls on_quiet, perhaps before it returns. The state is QUIET then, or BROKEN when the ring broke on the way. What
 * the guest asks for meanwhile waits in the ring.
 */
void blk_queue_quiesce(struct blk_queue *queue, void (*on_quiet)(struct blk_queue *queue));
/*
 * On the thread of worker, which owns the queue from now on: the one that it had, or another one. Its event channel is
 * bound anew. Negative errno and `reason`: it is quiet still, and its worker is the one that it had. After a change
 * blk_queue_leave has to be called.
 */
int blk_queue_resume(struct blk_queue *queue, struct worker *worker);
/* On the thread of the worker that it had before: lets go of the mapping there. */
void blk_queue_leave(struct blk_queue *queue);
/* Quiet, and nobody can resume it: it is broken for the reason that is there. */
void blk_queue_give_up(struct blk_queue *queue);

/* Between two passes: copies the figures of the queue. */
void blk_queue_inspect(const struct blk_queue *queue, struct device_report *report);

/* blk_request.c: the disk is through with it. */
void blk_queue_request_done(struct blk_queue *queue, struct blk_request *request);

/* Between blk_queue.c and blk_queue_life.c. */
void blk_queue_pass(struct blk_queue *queue);
void blk_queue_on_pass(evutil_socket_t fd, short what, void *arg);
channel_fn blk_queue_on_event;
bool blk_queue_on_look(struct poller_entry *entry);
void blk_queue_release(struct blk_queue *queue);
void blk_queue_park(struct blk_queue *queue);
void blk_queue_say(struct blk_queue *queue, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
