// SPDX-License-Identifier: MIT
/* aio_context.c: see aio_context.h. */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "xenbox/lib/aio_context.h"

#define BUCKETS 64u
#define RING_MAGIC 0xa10a10a1u

/* What a kernel puts at the address that is a context's name. */
struct aio_ring {
    unsigned id, nr;
    unsigned head;
    _Atomic unsigned tail;
    unsigned magic, compat, incompat, header_length;
    struct io_event event[];
};

struct pinned {
    SLIST_ENTRY(pinned) link;
    struct iocb *iocb;
    struct user_pages *pins;
};

SLIST_HEAD(pinned_list, pinned);

struct context {
    LIST_ENTRY(context) link;
    io_context_t name;
    struct pinned_list bucket[BUCKETS]; /* by iocb */
    unsigned count;
    unsigned seen; /* where the ring's tail was at the last look */
};

static LIST_HEAD(, context) contexts = LIST_HEAD_INITIALIZER(contexts);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t ending = PTHREAD_RWLOCK_INITIALIZER; /* for reading: of who unpins what was found */
static _Atomic unsigned busy; /* pinned requests */

bool aio_is_busy(void)
{
    return atomic_load_explicit(&busy, memory_order_relaxed) != 0;
}

static struct pinned_list *bucket_of(struct context *context, const struct iocb *iocb)
{
    return &context->bucket[((uintptr_t)iocb >> 4 ^ (uintptr_t)iocb >> 10) % BUCKETS];
}

static struct aio_ring *ring_of(const struct context *context)
{
    return (struct aio_ring *)context->name;
}

static struct context *context_find(io_context_t name)
{
    struct context *context;

    LIST_FOREACH (context, &contexts, link) {
        if (context->name == name)
            return context;
    }
    return NULL;
}

static struct context *context_get(io_context_t name)
{
    struct context *context = context_find(name);

    if (context)
        return context;
    context = calloc(1, sizeof(*context));
    if (!context)
        return NULL;
    context->name = name;
    LIST_INSERT_HEAD(&contexts, context, link);
    user_pages_set_settle(aio_settle_all);
    return context;
}

/* Takes one of the iocb's requests out. */
static struct pinned *pinned_take(struct context *context, const struct iocb *iocb)
{
    struct pinned_list *bucket = bucket_of(context, iocb);
    struct pinned *pinned;

    SLIST_FOREACH(pinned, bucket, link)
    {
        if (pinned->iocb != iocb)
            continue;
        SLIST_REMOVE(bucket, pinned, pinned, link);
        context->count--;
        return pinned;
    }
    return NULL;
}

/* Moves what is over to `done`. The caller holds the lock. */
static void context_look(struct context *context, struct pinned_list *done)
{
    struct aio_ring *ring = ring_of(context);
    struct pinned *pinned;
    unsigned tail;

    if (ring->magic != RING_MAGIC || ring->incompat || ring->nr == 0)
        return;
    tail = atomic_load_explicit(&ring->tail, memory_order_acquire) % ring->nr;
    for (; context->count && context->seen != tail; context->seen = (context->seen + 1) % ring->nr) {
        pinned = pinned_take(context, ring->event[context->seen].obj);
        if (pinned)
            SLIST_INSERT_HEAD(done, pinned, link);
    }
    context->seen = tail;
}

/* Gives the lock back and ends what was found: without the lock, for the last reference may end a mapping. */
static void unlock_and_end(struct pinned_list *done)
{
    struct pinned *pinned;

    pthread_rwlock_rdlock(&ending);
    pthread_mutex_unlock(&lock);
    while ((pinned = SLIST_FIRST(done))) {
        SLIST_REMOVE_HEAD(done, link);
        user_pages_unpin(pinned->pins);
        free(pinned);
        atomic_fetch_sub(&busy, 1);
    }
    pthread_rwlock_unlock(&ending);
}

/*
 * What other threads have found is unpinned, too. A program that has taken an event may unmap the pages at once, and
 * one of its threads may have seen that event in the context of another.
 */
static void others_end(void)
{
    pthread_rwlock_wrlock(&ending);
    pthread_rwlock_unlock(&ending);
}

int aio_pinned_add(io_context_t name, struct iocb *iocb, struct user_pages *pins)
{
    struct pinned *pinned = malloc(sizeof(*pinned));
    struct pinned_list done = SLIST_HEAD_INITIALIZER(done);
    struct context *context;

    if (!pinned)
        return -ENOMEM;
    *pinned = (struct pinned){ .iocb = iocb, .pins = pins };
    pthread_mutex_lock(&lock);
    context = context_get(name);
    if (context) {
        context_look(context, &done);
        SLIST_INSERT_HEAD(bucket_of(context, iocb), pinned, link);
        context->count++;
        atomic_fetch_add(&busy, 1);
    }
    unlock_and_end(&done);
    if (context)
        return 0;
    free(pinned);
    return -ENOMEM;
}

struct user_pages *aio_pinned_cancel(io_context_t name, struct iocb *iocb)
{
    struct user_pages *pins = NULL;
    struct pinned *pinned = NULL;
    struct context *context;

    pthread_mutex_lock(&lock);
    context = context_find(name);
    if (context)
        pinned = pinned_take(context, iocb);
    pthread_mutex_unlock(&lock);
    if (pinned) {
        pins = pinned->pins;
        atomic_fetch_sub(&busy, 1);
    }
    free(pinned);
    return pins;
}

void aio_settle(io_context_t name)
{
    struct pinned_list done = SLIST_HEAD_INITIALIZER(done);
    struct context *context;

    if (!aio_is_busy())
        return;
    pthread_mutex_lock(&lock);
    context = context_find(name);
    if (context && context->count)
        context_look(context, &done);
    unlock_and_end(&done);
    others_end();
}

void aio_settle_all(void)
{
    struct pinned_list done = SLIST_HEAD_INITIALIZER(done);
    struct context *context;

    if (!aio_is_busy())
        return;
    pthread_mutex_lock(&lock);
    LIST_FOREACH (context, &contexts, link) {
        if (context->count)
            context_look(context, &done);
    }
    unlock_and_end(&done);
    others_end();
}

void aio_forget(io_context_t name)
{
    struct pinned_list done = SLIST_HEAD_INITIALIZER(done);
    struct context *context;
    struct pinned *pinned;

    pthread_mutex_lock(&lock);
    context = context_find(name);
    if (context) {
        LIST_REMOVE(context, link);
        for (unsigned i = 0; i < BUCKETS; i++) {
            while ((pinned = SLIST_FIRST(&context->bucket[i]))) {
                SLIST_REMOVE_HEAD(&context->bucket[i], link);
                SLIST_INSERT_HEAD(&done, pinned, link);
            }
        }
        free(context);
    }
    unlock_and_end(&done);
}
