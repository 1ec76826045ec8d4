// SPDX-License-Identifier: MIT
/*
 * blkfront.h: the handle of a vbd, shared by the files that make it: blkfront.c (life), blk_pump.c (progress)
 * and blk_io.c (requests).
 */
#ifndef XENSPLIT_FRONTEND_BLKFRONT_H
#define XENSPLIT_FRONTEND_BLKFRONT_H

#include "frontend/attach.h"
#include "frontend/attach_fsm.h"
#include "frontend/blk_link.h"
#include "frontend/blk_queue.h"
#include "frontend/error.h"
#include "frontend/xenfront.h"

struct xenfront_blk {
    struct xenfront_blk_options options; /* with the defaults filled in */
    struct front_error error;
    enum xenfront_state state;
    enum attach_phase phase;
    int cause; /* why it is broken: a negative errno */
    int close_result;
    bool is_open; /* attach is valid */
    bool is_linked; /* link is valid */
    bool is_draining; /* closing, as soon as nothing is in flight */
    bool is_backend_event; /* the step runs because the backend wrote its state */
    bool is_inside; /* a function that runs callbacks is running */
    bool has_info;
    uint64_t deadline_ms; /* of connecting or closing; 0: none */
    uint64_t progress_ms; /* when responses were last seen to come, or the first request went out */
    uint64_t progress_responses; /* stats.ring_responses then */
    uint32_t spins; /* waits that ended without sleeping, since the last pump */

    struct attach attach;
    struct blk_link link;
    struct blk_queue queue;
    struct xenfront_blk_info info;
    struct xenfront_blk_stats stats;

    int epoll_fd;
    bool is_masked; /* an event was taken and not unmasked yet */
    bool is_again; /* the pump stopped with work left */
    uint32_t idle_events; /* in a row, without a response behind them */
    uint64_t responses_before; /* stats.ring_responses at the last event */
    uint64_t unmask_ms; /* not before; 0: at once */
};

/* blkfront.c */
/* Acts on the states in the store until there is nothing to do but wait. */
void blk_step(struct xenfront_blk *blk);
/*
 * Latches the device: everything in flight is completed with err, and the backend is told. The sentence is
 * set already.
 */
void blk_break(struct xenfront_blk *blk, int err);
/* Nothing is in flight any more: start the closing handshake. */
void blk_drained(struct xenfront_blk *blk);
/* The deadline of connecting or closing has passed. */
void blk_expired(struct xenfront_blk *blk);

/* blk_pump.c */
uint64_t blk_now_ms(void);
int blk_poll_add(struct xenfront_blk *blk, int fd, uint32_t source);
/* The program's callbacks that have run so far. */
uint64_t blk_completed(const struct xenfront_blk *blk);
/* Issues and publishes what waits, notifies if asked. Returns the number of ring requests. */
uint32_t blk_push(struct xenfront_blk *blk);

enum blk_source { BLK_SOURCE_STORE, BLK_SOURCE_EVENTS }; /* what a descriptor in the epoll set is */

#endif
