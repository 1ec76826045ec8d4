// SPDX-License-Identifier: MIT
/*
 * engine.h: asynchronous file I/O for one worker, and the bounce buffers that go with it. Two kinds: io_uring,
 * and libaio for systems that forbid io_uring. A queue submits while it takes in requests and calls
 * engine_start once at the end: one system call for all.
 *
 * Worker's thread only, except where stated. Callers see neither short transfers nor EINTR, EAGAIN or a full
 * queue: those are continued, retried and waited for here, in order.
 */
#ifndef XENSPLIT_BACKEND_DISK_ENGINE_H
#define XENSPLIT_BACKEND_DISK_ENGINE_H

#include <event2/event.h>

#include "backend/config.h"
#include "backend/disk/buffer_pool.h"
#include "backend/disk/disk.h"

struct engine;

/*
 * Before the worker's loop runs, on its thread. ENGINE_AUTO prefers io_uring and says in the log why when it
 * cannot be had. Negative errno when not even libaio works.
 */
int engine_create(struct engine **engine, struct event_base *base, enum engine_kind kind);
/* For tests, before it is used: plan as faults.h says. 0, or negative errno and a reason. */
int engine_misbehave(struct engine *engine, const char *plan, char *reason, size_t reason_size);
/* Nothing in flight. Safe on NULL. */
void engine_destroy(struct engine *engine);
/* Any thread: it does not change. */
const char *engine_name(const struct engine *engine);
/* I/O that the kernel has. */
unsigned int engine_in_flight(const struct engine *engine);

struct buffer_pool *engine_buffers(struct engine *engine);

/* io->fd and io->is_direct are set. Queued until engine_start. */
void engine_submit(struct engine *engine, struct disk_io *io);
/* Starts what was queued. */
void engine_start(struct engine *engine);
/* For who does not wait for the loop: takes the completions that are there. Without a system call. */
void engine_poll(struct engine *engine);
/* No file is involved: done() comes from the loop, as for any other. */
void engine_finish(struct engine *engine, struct disk_io *io, int error);

#endif
