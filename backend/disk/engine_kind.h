// SPDX-License-Identifier: MIT
/*
 * engine_kind.h: what engine.c and the two kinds of engine share, and nobody else includes.
 */
#ifndef XENSPLIT_BACKEND_DISK_ENGINE_KIND_H
#define XENSPLIT_BACKEND_DISK_ENGINE_KIND_H

#include "backend/disk/engine.h"
#include "backend/mailbox.h"

#define ENGINE_DEPTH 256u /* requests that the kernel works on at a time; more wait their turn */

/* First in, first out. Zeroed is empty. */
struct disk_io_list {
    struct disk_io *first, *last;
};

static inline void disk_io_list_append(struct disk_io_list *list, struct disk_io *io)
{
    io->next = NULL;
    if (list->first)
        list->last->next = io;
    else
        list->first = io;
    list->last = io;
}

static inline struct disk_io *disk_io_list_take(struct disk_io_list *list)
{
    struct disk_io *io = list->first;

    if (io)
        list->first = io->next;
    return io;
}

/* Back to where it was taken from. */
static inline void disk_io_list_return(struct disk_io_list *list, struct disk_io *io)
{
    io->next = list->first;
    if (!list->first)
        list->last = io;
    list->first = io;
}

struct engine {
    const struct engine_ops *ops;
    struct faults *faults; /* NULL: none */
    struct event_base *base;
    struct buffer_pool buffers;
    struct mailbox mailbox; /* the offload pool answers into it */
    struct disk_io_list waiting; /* not given to the kernel yet */
    struct disk_io_list finished; /* done() is due */
    struct event *finish_event;
    unsigned int in_flight;
    void *priv; /* of the kind */
};

/* Every function is required. */
struct engine_ops {
    const char *name;
    int (*open)(struct engine *engine); /* negative errno: not available here */
    void (*close)(struct engine *engine);
    /* Moves from engine->waiting to the kernel what has room, with one system call; how many that were. */
    unsigned int (*start)(struct engine *engine);
    /* Hands every completion that is there to engine_complete; no system call when there is none. */
    void (*reap)(struct engine *engine);
};

extern const struct engine_ops engine_ops_uring;
extern const struct engine_ops engine_ops_aio;

/* Has to be given to the offload pool, whatever the kind of engine: the kernel has no asynchronous way. */
static inline bool engine_must_offload(const struct disk_io *io)
{
    return io->op == DISK_DISCARD;
}

/* io->job.work is set, and writes io->result. Counts as in flight. */
void engine_offload(struct engine *engine, struct disk_io *io);
/* The next of those that wait, for the kernel. */
struct disk_io *engine_take(struct engine *engine);
/* The kernel did not take it after all: it is the next again. */
void engine_return(struct engine *engine, struct disk_io *io);
/* The kernel is through with io: bytes moved, or negative errno. Continues, retries or finishes it. */
void engine_complete(struct engine *engine, struct disk_io *io, int64_t result);
/* The kernel has completions for us, or room again: takes and starts all that can be, then calls done(). */
void engine_turn(struct engine *engine);

#endif
