// SPDX-License-Identifier: MIT
/*
 * front.h: the handle of a frontend device, whatever its kind: its life in the store (front.c: found, connected,
 * closed, broken) and its progress (front_pump.c: descriptors, events, deadlines, waiting). What the keys mean and
 * what goes over the rings is the kind's own, behind front_ops. The table in attach_fsm.c decides, the functions
 * here act: the same code connects, notices that the backend closes or vanishes, and closes.
 *
 * One thread. A kind's handle embeds a struct front; nothing here runs a callback of the program but through ops.
 */
#ifndef XENSPLIT_FRONTEND_FRONT_H
#define XENSPLIT_FRONTEND_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/attach.h"
#include "frontend/attach_fsm.h"
#include "frontend/error.h"
#include "frontend/link.h"
#include "frontend/xenfront.h"

struct front;

/* What a pass over the rings found. */
enum front_pass {
    FRONT_PASS_DONE, /* nothing; the next response brings an event */
    FRONT_PASS_MORE, /* responses came meanwhile: look again */
    FRONT_PASS_READY, /* something that the program has to fetch */
};

/* Each with an errno has set the sentence. Every entry is required. */
struct front_ops {
    const char *kind; /* as in device/<kind>/ */
    /* Makes the link (link_init) and what belongs to it, and writes the keys. -EAGAIN: the backend moved on. */
    int (*publish)(struct front *front);
    /* Reads what the backend offers and sets the state Connected. -EAGAIN: the backend moved on. */
    int (*connect)(struct front *front);
    /* Connected, and the backend wrote its state, or the key that is watched, again. */
    void (*refresh)(struct front *front);
    /* Ends everything in flight with err. Also without a connection. */
    void (*abort)(struct front *front, int err);
    /* The kind's own part of the connection goes; returns quarantined pages. The link goes after it. */
    uint32_t (*unlink)(struct front *front);

    uint32_t (*in_flight)(const struct front *front); /* what closing waits for */
    uint32_t (*outstanding)(const struct front *front); /* requests whose response must come in time */
    uint64_t (*responses)(const struct front *front); /* taken from the rings, ever */
    uint64_t (*completed)(const struct front *front); /* the pump returns how much it grew */
    /* Sends what waits and notifies if asked. Returns the number of ring requests. */
    uint32_t (*push)(struct front *front);
    /* Takes what came, without asking for events. A negative errno: the ring is broken. */
    int (*take)(struct front *front);
    enum front_pass (*arm)(struct front *front); /* asks for events, then looks again */
    bool (*is_expecting)(const struct front *front); /* may something come soon? Then a wait spins first */
    bool (*peek)(const struct front *front); /* has something come? No system call, asks for nothing */
};

struct front_limits { /* the program's wishes, for every kind */
    uint32_t spin_us;
    uint32_t io_timeout_ms;
    bool is_takeover;
};

struct front {
    const struct front_ops *ops;
    struct front_limits limits;
    struct front_error error;
    enum xenfront_state state;
    enum attach_phase phase;
    int cause; /* why it is broken: a negative errno */
    int close_result;
    bool is_open; /* attach is valid */
    bool is_linked; /* link is valid */
    bool is_draining; /* closing, as soon as nothing is in flight */
    bool is_backend_event; /* the step runs because the backend wrote something */
    bool is_inside; /* a function that runs callbacks is running */
    uint64_t deadline_ms; /* of connecting or closing; 0: none */
    uint64_t progress_ms; /* when responses were last seen to come, or the first request went out */
    uint64_t progress_responses; /* then */
    uint32_t spins; /* waits that ended without sleeping, since the last pump */

    struct attach attach;
    struct link link;

    int epoll_fd;
    bool is_again; /* the pump stopped with work left */
    uint32_t idle_events; /* in a row, without a response behind them */
    uint64_t responses_before; /* at the last event */
    uint64_t unmask_ms; /* not before; 0: at once */

    uint64_t kicks, interrupts, spurious, quarantined_pages; /* ever */
};

/* front.c */
int front_init(struct front *front, const struct front_ops *ops, const struct front_limits *limits);
/* Closes without waiting. The kind frees its own afterwards. Safe on zeroes. */
void front_fini(struct front *front);
/* Finds the device; front->error.device is set by the caller afterwards. devid NULL: the only one. */
int front_open(struct front *front, const uint32_t *devid);
int front_start(struct front *front, uint32_t timeout_ms);
int front_connect(struct front *front, uint32_t timeout_ms);
int front_shutdown(struct front *front, uint32_t timeout_ms);
int front_close(struct front *front, uint32_t timeout_ms);
/* 0 when connected; else why not, with the sentence. */
int front_check(struct front *front);
/* Acts on the states in the store until there is nothing to do but wait. */
void front_step(struct front *front);
/*
 * Latches the device: everything in flight is completed with err, and the backend is told. The sentence is
 * set already.
 */
void front_break(struct front *front, int err);
/* Nothing is in flight any more: start the closing handshake. */
void front_drained(struct front *front);
/* The deadline of connecting or closing has passed. */
void front_expired(struct front *front);

/* front_pump.c; as the functions of xenfront.h */
uint64_t front_now_ms(void);
enum front_source { FRONT_SOURCE_STORE, FRONT_SOURCE_EVENTS }; /* what a descriptor in the epoll set is */
int front_poll_add(struct front *front, int fd, enum front_source source);
int front_timeout_ms(const struct front *front);
int front_pump(struct front *front);
int front_poll(struct front *front);
int front_wait(struct front *front, int timeout_ms);
/* The program has fetched what there was (FRONT_PASS_READY): events may come again. */
void front_rest(struct front *front);
/* The backend asks for a notification. */
void front_kick(struct front *front, uint32_t port);
/* Requests went out that a response has to come to; was_idle: none was outstanding before. */
void front_sent(struct front *front, bool was_idle);

/* The kind's handle around a struct front that is its first member. */
#define FRONT_OF(type, front) ((type *)(void *)(front))

#endif
