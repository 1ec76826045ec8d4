// SPDX-License-Identifier: MIT
/*
 * user_pages.c: see user_pages.h.
 *
 * A tree of mappings by address under one lock, and in front of it the bounds of all of them, which are read
 * without it. Bounds only grow while there is any mapping.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "xenbox/hv/bugs.h"
#include "xenbox/kernel/io_engine.h"
#include "xenbox/kernel/user_pages.h"

#define WATCH_MIN_NS 1000000
#define WATCH_MAX_NS 50000000

/* The pages of one mapping that one buffer touches. */
struct span {
    struct user_mapping *mapping;
    uint32_t first, pages;
    uintptr_t *address; /* that I/O uses, for each page; NULL: the program's own */
};

struct user_pages {
    enum xb_io_kind kind;
    unsigned spans, room;
    struct span *span;
    struct span few[2]; /* as many as nearly every request needs */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *mappings;
static size_t mapping_count;
static size_t leaving_count;
static bool is_watched; /* a thread looks after those that are leaving */
static _Atomic uintptr_t lowest = UINTPTR_MAX, highest;
static void (*_Atomic settle_fn)(void);

static uintptr_t mapping_end(const struct user_mapping *mapping)
{
    return mapping->address + (uintptr_t)mapping->pages * XB_FRAME_SIZE;
}

static int mapping_compare(const void *a, const void *b)
{
    const struct user_mapping *left = a, *right = b;

    return (left->address > right->address) - (left->address < right->address);
}

/* What is looked for. */
struct range {
    uintptr_t from, to;
    struct user_mapping *first; /* the lowest mapping that overlaps it, of those seen so far */
};

/* Goes left from a mapping that overlaps, so that the search ends at the lowest one. */
static int mapping_compare_range(const void *key, const void *node)
{
    struct range *range = (struct range *)key;
    struct user_mapping *mapping = (struct user_mapping *)node;

    if (range->from >= mapping_end(mapping))
        return 1;
    if (range->to > mapping->address)
        range->first = mapping;
    return -1;
}

/* The lowest mapping that overlaps [from, to), or NULL. */
static struct user_mapping *mapping_find(uintptr_t from, uintptr_t to)
{
    struct range range = { .from = from, .to = to };

    tfind(&range, &mappings, mapping_compare_range);
    return range.first;
}

static void fork_prepare(void)
{
    pthread_mutex_lock(&lock);
}

static void fork_parent(void)
{
    pthread_mutex_unlock(&lock);
}

/* The nodes are leaked: they cost the child nothing, and freeing them would copy its parent's memory. */
static void fork_child(void)
{
    mappings = NULL;
    mapping_count = leaving_count = 0;
    is_watched = false;
    atomic_store(&lowest, UINTPTR_MAX);
    atomic_store(&highest, 0);
    pthread_mutex_unlock(&lock);
}

static void fork_watch(void)
{
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}

int user_mapping_add(struct user_mapping *mapping)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    bool is_added;

    pthread_once(&once, fork_watch);
    mapping->io_refs = 0;
    mapping->is_leaving = false;
    mapping->is_tainted = atomic_load(&mapping->tables->domain[mapping->domid].damage) != 0;
    pthread_mutex_lock(&lock);
    is_added = tsearch(mapping, &mappings, mapping_compare) != NULL;
    if (is_added) {
        mapping_count++;
        if (mapping->address < atomic_load(&lowest))
            atomic_store(&lowest, mapping->address);
        if (mapping_end(mapping) > atomic_load(&highest))
            atomic_store(&highest, mapping_end(mapping));
    }
    pthread_mutex_unlock(&lock);
    return is_added ? 0 : -ENOMEM;
}

/* As a kernel's worker does it: looks soon, then less often. */
static void *watch(void *unused)
{
    long wait_ns = WATCH_MIN_NS;
    bool is_over = false;

    while (!is_over) {
        nanosleep(&(struct timespec){ .tv_nsec = wait_ns }, NULL);
        if (wait_ns < WATCH_MAX_NS)
            wait_ns += WATCH_MIN_NS;
        user_pages_settle();
        pthread_mutex_lock(&lock);
        is_over = leaving_count == 0;
        is_watched = !is_over;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* The caller holds the lock. Without a thread it takes until somebody looks for another reason. */
static void watch_start(void)
{
    sigset_t all, old;
    pthread_t thread;

    if (is_watched || !atomic_load(&settle_fn))
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    is_watched = pthread_create(&thread, NULL, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (is_watched)
        pthread_detach(thread);
}

void user_pages_set_settle(void (*settle)(void))
{
    atomic_store(&settle_fn, settle);
}

void user_pages_settle(void)
{
    void (*settle)(void) = atomic_load(&settle_fn);

    if (settle)
        settle();
}

bool user_mapping_remove(struct user_mapping *mapping)
{
    bool is_gone;

    pthread_mutex_lock(&lock);
    tdelete(mapping, &mappings, mapping_compare);
    if (--mapping_count == 0) {
        atomic_store(&lowest, UINTPTR_MAX);
        atomic_store(&highest, 0);
    }
    is_gone = mapping->io_refs == 0;
    mapping->is_leaving = !is_gone;
    if (!is_gone) {
        leaving_count++;
        watch_start();
    }
    pthread_mutex_unlock(&lock);
    return is_gone;
}

void user_mapping_wait(struct user_mapping *mapping)
{
    bool is_idle = false;

    while (!is_idle) {
        user_pages_settle();
        pthread_mutex_lock(&lock);
        is_idle = mapping->io_refs == 0;
        pthread_mutex_unlock(&lock);
        if (!is_idle)
            nanosleep(&(struct timespec){ .tv_nsec = WATCH_MIN_NS }, NULL);
    }
}

bool user_pages_have_bug(const struct user_pages *pins, unsigned bug)
{
    return bug_is_on(pins->span[0].mapping->tables, bug);
}

bool user_pages_any(void)
{
    return atomic_load_explicit(&highest, memory_order_relaxed) != 0;
}

bool user_pages_may_touch(const void *address, size_t bytes)
{
    uintptr_t from = (uintptr_t)address;

    return from < atomic_load_explicit(&highest, memory_order_relaxed) &&
           from + bytes > atomic_load_explicit(&lowest, memory_order_relaxed);
}

bool user_pages_touch(const void *address, size_t bytes)
{
    bool is_touched;

    if (!bytes || !user_pages_may_touch(address, bytes))
        return false;
    pthread_mutex_lock(&lock);
    is_touched = mapping_find((uintptr_t)address, (uintptr_t)address + bytes) != NULL;
    pthread_mutex_unlock(&lock);
    return is_touched;
}

struct user_mapping *user_mapping_get(uintptr_t from, uintptr_t to)
{
    struct user_mapping *mapping;

    pthread_mutex_lock(&lock);
    mapping = mapping_find(from, to);
    if (mapping)
        mapping->io_refs++;
    pthread_mutex_unlock(&lock);
    return mapping;
}

void user_mapping_put(struct user_mapping *mapping)
{
    bool is_last;

    pthread_mutex_lock(&lock);
    is_last = --mapping->io_refs == 0 && mapping->is_leaving;
    pthread_mutex_unlock(&lock);
    if (is_last)
        mapping->ops->release(mapping);
}

/* One reference more or less to each page of a span, where the hypervisor process sees it. */
static void span_count(const struct span *span, enum xb_io_kind kind, int change)
{
    const struct user_mapping *mapping = span->mapping;

    for (uint32_t page = span->first; page < span->first + span->pages; page++) {
        uint32_t index = mapping->map[page];
        struct xb_map *map = &mapping->tables->map[index / XB_CHUNK_MAPS][index % XB_CHUNK_MAPS];

        atomic_fetch_add(&map->io_refs[kind], (uint16_t)change);
    }
}

static struct span *span_add(struct user_pages *pins)
{
    if (pins->spans == pins->room) {
        struct span *more = malloc(2 * pins->room * sizeof(*more));

        if (!more)
            return NULL;
        for (unsigned i = 0; i < pins->spans; i++)
            more[i] = pins->span[i];
        if (pins->span != pins->few)
            free(pins->span);
        pins->span = more;
        pins->room *= 2;
    }
    return &pins->span[pins->spans++];
}

static struct user_pages *pins_create(enum xb_io_kind kind)
{
    struct user_pages *pins = malloc(sizeof(*pins));

    if (pins) {
        pins->kind = kind;
        pins->spans = 0;
        pins->room = sizeof(pins->few) / sizeof(pins->few[0]);
        pins->span = pins->few;
    }
    return pins;
}

static bool is_any_gone(const struct user_mapping *mapping, uintptr_t from, uintptr_t to)
{
    for (; mapping->is_gone && from < to && from < mapping_end(mapping);
         from = (from | (XB_FRAME_SIZE - 1)) + 1) {
        if (from >= mapping->address && mapping->is_gone[(from - mapping->address) / XB_FRAME_SIZE])
            return true;
    }
    return false;
}

/* The caller holds the lock. */
static int buffer_pin(uintptr_t from, uintptr_t to, bool is_write, enum xb_io_kind kind,
                      struct user_pages **pins)
{
    struct user_mapping *mapping;
    uintptr_t last;
    struct span *span;

    for (; from < to && (mapping = mapping_find(from, to)); from = mapping_end(mapping)) {
        if ((mapping->is_readonly && is_write) || is_any_gone(mapping, from, to) ||
            bug_is_on(mapping->tables, BUG_H06))
            return -EFAULT;
        if (mapping->is_tainted)
            return -ENOMEM;
        if (!*pins)
            *pins = pins_create(kind);
        span = *pins ? span_add(*pins) : NULL;
        if (!span)
            return -ENOMEM;
        if (from < mapping->address)
            from = mapping->address;
        span->address = NULL;
        last = (to < mapping_end(mapping) ? to : mapping_end(mapping)) - 1;
        span->mapping = mapping;
        span->first = (from - mapping->address) / XB_FRAME_SIZE;
        span->pages = (last - mapping->address) / XB_FRAME_SIZE - span->first + 1;
        span_count(span, kind, 1);
        mapping->io_refs++;
    }
    return 0;
}

/* Where I/O on the pages goes. On failure some are known, and are given back with the pin. */
static int span_resolve(struct span *span, enum xb_io_kind kind)
{
    const struct user_mapping_ops *ops = span->mapping->ops;
    bool is_at_once = kind == XB_IO_AIO && !io_engine_has_faults(); /* in io_submit() */

    if (!ops->page_address || (ops->is_alias_enough && is_at_once))
        return 0;
    span->address = calloc(span->pages, sizeof(span->address[0]));
    if (!span->address)
        return -ENOMEM;
    for (uint32_t i = 0; i < span->pages; i++) {
        span->address[i] = ops->page_address(span->mapping, span->first + i);
        if (!span->address[i])
            return -EFAULT;
    }
    return 0;
}

static void span_unresolve(struct span *span)
{
    for (uint32_t i = 0; span->address && i < span->pages && span->address[i]; i++)
        span->mapping->ops->page_address_put(span->mapping, span->first + i, span->address[i]);
    free(span->address);
}

int user_pages_pin(const struct iovec *buffers, unsigned count, bool is_write, enum xb_io_kind kind,
                   struct user_pages **pins)
{
    bool is_locked = false;
    int ret = 0;

    *pins = NULL;
    for (unsigned i = 0; ret == 0 && i < count; i++) {
        uintptr_t from = (uintptr_t)buffers[i].iov_base, to = from + buffers[i].iov_len;

        if (to <= from || !user_pages_may_touch(buffers[i].iov_base, buffers[i].iov_len))
            continue;
        if (!is_locked)
            pthread_mutex_lock(&lock);
        is_locked = true;
        ret = buffer_pin(from, to, is_write, kind, pins);
    }
    if (is_locked)
        pthread_mutex_unlock(&lock);
    for (unsigned i = 0; ret == 0 && *pins && i < (*pins)->spans; i++)
        ret = span_resolve(&(*pins)->span[i], kind);
    if (ret < 0 && *pins) {
        user_pages_unpin(*pins);
        *pins = NULL;
    }
    return ret;
}

/* Takes back the reference of one span. Returns the mapping if it is to be released. */
static struct user_mapping *span_unpin(const struct span *span, enum xb_io_kind kind)
{
    struct user_mapping *mapping = span->mapping;
    bool is_last;

    pthread_mutex_lock(&lock);
    span_count(span, kind, -1);
    is_last = --mapping->io_refs == 0 && mapping->is_leaving;
    leaving_count -= is_last;
    if (bug_is_on(mapping->tables, BUG_H08))
        is_last = mapping->is_leaving;
    pthread_mutex_unlock(&lock);
    return is_last ? mapping : NULL;
}

void user_pages_unpin(struct user_pages *pins)
{
    for (unsigned i = 0; i < pins->spans; i++) {
        struct user_mapping *mapping;

        span_unresolve(&pins->span[i]);
        mapping = span_unpin(&pins->span[i], pins->kind);
        if (mapping)
            mapping->ops->release(mapping);
    }
    if (pins->span != pins->few)
        free(pins->span);
    free(pins);
}

/*
 * Where I/O on the pinned page at `address` goes; the address itself if it is no granted one. Spans come in the order
 * of the buffers.
 */
static uintptr_t pins_translate(const struct user_pages *pins, uintptr_t address, unsigned *next)
{
    for (unsigned i = 0; i < pins->spans; i++) {
        const struct span *span = &pins->span[(*next + i) % pins->spans];
        uintptr_t start = span->mapping->address + (uintptr_t)span->first * XB_FRAME_SIZE;

        if (address < start || address >= start + (uintptr_t)span->pages * XB_FRAME_SIZE)
            continue;
        *next = (*next + i) % pins->spans;
        if (span->address && bug_is_on(span->mapping->tables, BUG_H14))
            return span->address[0] + (address - start);
        return span->address ? span->address[(address - start) / XB_FRAME_SIZE] + address % XB_FRAME_SIZE
                             : address;
    }
    return address;
}

/* Appends bytes to the last piece, or as a new one. */
static bool piece_add(struct iovec *pieces, unsigned *count, unsigned room, uintptr_t address, size_t bytes)
{
    struct iovec *last = *count ? &pieces[*count - 1] : NULL;

    if (last && (uintptr_t)last->iov_base + last->iov_len == address) {
        last->iov_len += bytes;
        return true;
    }
    if (*count == room)
        return false;
    pieces[(*count)++] = (struct iovec){ .iov_base = (void *)address, .iov_len = bytes };
    return true;
}

int user_pages_translate(const struct user_pages *pins, const struct iovec *buffers, unsigned count,
                         struct iovec *pieces, unsigned room)
{
    unsigned made = 0, cursor = 0;

    for (unsigned i = 0; i < count; i++) {
        uintptr_t from = (uintptr_t)buffers[i].iov_base, to = from + buffers[i].iov_len, next;

        for (; from < to; from = next) {
            uintptr_t address = pins_translate(pins, from, &cursor);

            next = (from | (XB_FRAME_SIZE - 1)) + 1;
            if (next > to)
                next = to;
            if (!piece_add(pieces, &made, room, address, next - from))
                return -E2BIG;
        }
    }
    return made;
}
