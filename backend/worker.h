// SPDX-License-Identifier: MIT
/*
 * worker.h: a thread that owns queues. It has its own event_base (without locks), its own event-channel and
 * grant handles (a handle is not for two threads), its own I/O engine, and a mailbox. Everything a queue does on
 * the request path happens on its worker's thread.
 */
#ifndef XENSPLIT_BACKEND_WORKER_H
#define XENSPLIT_BACKEND_WORKER_H

#include <event2/event.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "backend/mailbox.h"
#include "backend/poller.h"

struct engine;

struct worker {
    unsigned int index;
    struct event_base *base;
    struct mailbox mailbox;
    xenevtchn_handle *evtchn;
    unsigned int channels; /* that are bound on it (channel.c): with more than one somebody may be waiting */
    xengnttab_handle *gnttab;
    struct engine *engine; /* disk/engine.h: asynchronous file I/O and the bounce pool of this worker */
    struct poller poller; /* queues that are looked at all the time */
    const void *served; /* the queue that had the last turn: who had it twice may spin (spin.h) */
    /* private to worker.c from here */
    struct event *evtchn_event;
    unsigned int queues; /* main thread: how many queues it was given */
    struct worker_thread *thread; /* NULL: not running */
};

/* Main thread. Starts count workers; on failure -errno, none running, and the log says which part failed. */
int workers_start(unsigned int count);
/* Main thread. Every queue must have been stopped. Joins all. Safe twice. */
void workers_stop(void);
unsigned int workers_count(void);
struct worker *worker_get(unsigned int index);
struct worker *worker_current(void); /* any thread: the worker that it is, or NULL */
/* The one with the fewest queues; counts the new one. Give it back with worker_drop_queue. Main thread. */
struct worker *worker_take_queue(void);
void worker_drop_queue(struct worker *worker);
/* A queue has moved. Main thread. */
void worker_move_queue(struct worker *from, struct worker *to);

#endif
