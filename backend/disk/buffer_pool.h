// SPDX-License-Identifier: MIT
/*
 * buffer_pool.h: the bounce buffers of one worker. Each holds the data of one request, is aligned to a page, and
 * is handed out last in first out, so that the ones in use are warm; memory that was never used is never
 * touched. Buffers lie in chunks that an engine may register with the kernel when the first of it is needed.
 *
 * Worker's thread only. When the pool is empty, who wants one waits in line and is called when one comes back,
 * which is then kept for it, so that a busy queue cannot starve the others.
 */
#ifndef XENSPLIT_BACKEND_DISK_BUFFER_POOL_H
#define XENSPLIT_BACKEND_DISK_BUFFER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/blkif_request.h"

/* The longest request, and a page more: a power of two would put the starts of all on the same lines of a cache. */
#define BUFFER_BYTES ((BLKIF_SEGMENTS_MAX + 1) * BLKIF_GRANT_BYTES)
#define BUFFER_POOL_CHUNKS 64u
#define BUFFER_POOL_CHUNK_BUFFERS 8u
#define BUFFER_POOL_CHUNK_BYTES ((size_t)BUFFER_POOL_CHUNK_BUFFERS * BUFFER_BYTES)
#define BUFFER_POOL_BUFFERS (BUFFER_POOL_CHUNKS * BUFFER_POOL_CHUNK_BUFFERS)

struct buffer_waiter {
    struct buffer_waiter *next;
    void (*wake)(struct buffer_waiter *waiter); /* not in line any more; one buffer is kept for it */
    bool is_waiting;
    bool is_promised; /* woken, has not taken its buffer yet */
};

struct buffer_pool {
    char *memory;
    unsigned int fresh; /* buffers from this number on were never handed out */
    unsigned int free_count;
    uint16_t free[BUFFER_POOL_BUFFERS]; /* a stack */
    unsigned int promised; /* of the free ones */
    struct buffer_waiter *first, *last;
    /* Set by an engine: chunk is about to be used for the first time; true when the kernel knows it now. */
    bool (*on_chunk)(void *arg, unsigned int chunk, void *memory);
    void *on_chunk_arg;
    bool is_registered[BUFFER_POOL_CHUNKS];
};

int buffer_pool_init(struct buffer_pool *pool); /* 0 or -ENOMEM */
void buffer_pool_fini(struct buffer_pool *pool); /* safe on zeroes and twice */

/* NULL: none is there for this waiter; it may wait in line. */
void *buffer_pool_take(struct buffer_pool *pool, struct buffer_waiter *waiter);
void buffer_pool_give(struct buffer_pool *pool, void *buffer);

/* Safe when it waits already. */
void buffer_pool_wait(struct buffer_pool *pool, struct buffer_waiter *waiter);
/* Out of the line, and what was promised goes to the next. Safe at any time. */
void buffer_pool_leave(struct buffer_pool *pool, struct buffer_waiter *waiter);

/* The registered chunk that holds all of [start, start + bytes), or -1. */
int buffer_pool_chunk(const struct buffer_pool *pool, const void *start, size_t bytes);

#endif
