// SPDX-License-Identifier: MIT
/*
 * buffer_pool.c: a stack of bounce buffers in one mapping, and the line of those who wait for one.
 */
#include <config.h>

#include "backend/disk/buffer_pool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define POOL_BYTES ((size_t)BUFFER_POOL_CHUNKS * BUFFER_POOL_CHUNK_BYTES)

int buffer_pool_init(struct buffer_pool *pool)
{
    void *memory =
        mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    memset(pool, 0, sizeof(*pool));
    if (memory == MAP_FAILED)
        return -ENOMEM;
    pool->memory = memory;
    return 0;
}

void buffer_pool_fini(struct buffer_pool *pool)
{
    if (pool->memory)
        munmap(pool->memory, POOL_BYTES);
    memset(pool, 0, sizeof(*pool));
}

/* A buffer that was never used: the first of a chunk makes the chunk known to the engine. */
static unsigned int take_fresh(struct buffer_pool *pool)
{
    unsigned int chunk = pool->fresh / BUFFER_POOL_CHUNK_BUFFERS;

    if (pool->fresh % BUFFER_POOL_CHUNK_BUFFERS == 0 && pool->on_chunk)
        pool->is_registered[chunk] =
            pool->on_chunk(pool->on_chunk_arg, chunk, pool->memory + chunk * BUFFER_POOL_CHUNK_BYTES);
    return pool->fresh++;
}

void *buffer_pool_take(struct buffer_pool *pool, struct buffer_waiter *waiter)
{
    unsigned int number;

    if (waiter->is_promised) {
        waiter->is_promised = false;
        pool->promised--;
    } else if (pool->free_count + BUFFER_POOL_BUFFERS - pool->fresh <= pool->promised) {
        return NULL;
    }
    number = pool->free_count > 0 ? pool->free[--pool->free_count] : take_fresh(pool);
    return pool->memory + (size_t)number * BUFFER_BYTES;
}

static void unlink_waiter(struct buffer_pool *pool, struct buffer_waiter *waiter)
{
    struct buffer_waiter **link = &pool->first, *before = NULL;

    while (*link != waiter) {
        before = *link;
        link = &before->next;
    }
    *link = waiter->next;
    if (pool->last == waiter)
        pool->last = before;
    waiter->is_waiting = false;
}

static void promise_next(struct buffer_pool *pool)
{
    struct buffer_waiter *waiter = pool->first;

    if (!waiter)
        return;
    unlink_waiter(pool, waiter);
    waiter->is_promised = true;
    pool->promised++;
    waiter->wake(waiter);
}

void buffer_pool_give(struct buffer_pool *pool, void *buffer)
{
    pool->free[pool->free_count++] = (uint16_t)(((char *)buffer - pool->memory) / BUFFER_BYTES);
    promise_next(pool);
}

void buffer_pool_wait(struct buffer_pool *pool, struct buffer_waiter *waiter)
{
    if (waiter->is_waiting)
        return;
    waiter->is_waiting = true;
    waiter->next = NULL;
    if (pool->first)
        pool->last->next = waiter;
    else
        pool->first = waiter;
    pool->last = waiter;
}

void buffer_pool_leave(struct buffer_pool *pool, struct buffer_waiter *waiter)
{
    if (waiter->is_waiting)
        unlink_waiter(pool, waiter);
    if (waiter->is_promised) {
        waiter->is_promised = false;
        pool->promised--;
        promise_next(pool);
    }
}

int buffer_pool_chunk(const struct buffer_pool *pool, const void *start, size_t bytes)
{
    size_t offset = (const char *)start - pool->memory;
    size_t chunk = offset / BUFFER_POOL_CHUNK_BYTES;

    if ((const char *)start < pool->memory || offset + bytes > (chunk + 1) * BUFFER_POOL_CHUNK_BYTES ||
        chunk >= BUFFER_POOL_CHUNKS || !pool->is_registered[chunk])
        return -1;
    return (int)chunk;
}
