// SPDX-License-Identifier: MIT
/*
 * grant_cache.c: see grant_cache.h. The table starts small and doubles, so that a device which uses few pages
 * costs little; slots are found by the reference itself, since a frontend's references lie close together. A
 * guest that chooses them to collide makes its own lookups longer, up to the length of its table.
 */
#include <config.h>

#include "backend/grant_cache.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/grant_budget.h"
#include "backend/grant_unmap.h"
#include "common/log.h"

#define GRANT_BYTES 4096u
#define TABLE_FIRST 64u /* slots; a power of two, like every later size */
#define TABLE_LAST 2048u
#define BATCH 64u /* references that one call maps */
#define FAILURES_MAX 4u /* of single pages, until it is given up */

_Static_assert(GRANT_CACHE_REFS < TABLE_LAST, "the table is never full");

static void refuse(struct grant_cache *cache, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void refuse(struct grant_cache *cache, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(cache->refusal, sizeof(cache->refusal), fmt, args);
    va_end(args);
    log_warning(cache->label, "no more pages are kept mapped, the others are copied: %s", cache->refusal);
}

static void table_put(struct grant_entry *table, uint32_t mask, uint32_t ref, char *page)
{
    uint32_t at = ref & mask;

    while (table[at].page)
        at = (at + 1) & mask;
    table[at] = (struct grant_entry){ .ref = ref, .page = page };
}

static int table_grow(struct grant_cache *cache, uint32_t slots)
{
    struct grant_entry *table = calloc(slots, sizeof(*table));

    if (!table)
        return -ENOMEM;
    for (uint32_t i = 0; cache->table && i <= cache->mask; i++)
        if (cache->table[i].page)
            table_put(table, slots - 1, cache->table[i].ref, cache->table[i].page);
    free(cache->table);
    cache->table = table;
    cache->mask = slots - 1;
    return 0;
}

/* Room for count more pages in as many extents, so that nothing can fail once they are mapped. */
static int make_room(struct grant_cache *cache, uint32_t count)
{
    uint32_t slots = cache->mask + 1, room = cache->extent_room ? cache->extent_room : 8;
    struct grant_extent *extents;

    while (slots < TABLE_LAST && (cache->count + count) * 2 > slots)
        slots *= 2;
    if (slots > cache->mask + 1 && table_grow(cache, slots))
        return -ENOMEM;
    while (room < cache->extent_count + count)
        room *= 2;
    if (room == cache->extent_room)
        return 0;
    extents = reallocarray(cache->extents, room, sizeof(*extents));
    if (!extents)
        return -ENOMEM;
    cache->extents = extents;
    cache->extent_room = room;
    return 0;
}

int grant_cache_init(struct grant_cache *cache, xengnttab_handle *gnttab, uint16_t domid, const char *label)
{
    cache->gnttab = gnttab;
    cache->domid = domid;
    cache->label = label;
    cache->failures = 0;
    cache->refusal[0] = '\0';
    return cache->table ? 0 : table_grow(cache, TABLE_FIRST);
}

void grant_cache_release(struct grant_cache *cache)
{
    for (uint32_t i = 0; i < cache->extent_count; i++)
        grant_unmap(cache->gnttab, cache->extents[i].base, cache->extents[i].count, cache->label);
    if (cache->count > 0) {
        memset(cache->table, 0, (cache->mask + 1) * sizeof(*cache->table));
        grant_budget_give(cache->domid, cache->count);
    }
    cache->count = 0;
    cache->extent_count = 0;
    cache->refusal[0] = '\0';
    cache->gnttab = NULL;
}

void grant_cache_fini(struct grant_cache *cache)
{
    grant_cache_release(cache);
    free(cache->table);
    free(cache->extents);
    memset(cache, 0, sizeof(*cache));
}

/* Maps all or none. The limits have been seen to. */
static int map(struct grant_cache *cache, uint32_t *refs, uint32_t count)
{
    char *base =
        xengnttab_map_domain_grant_refs(cache->gnttab, count, cache->domid, refs, PROT_READ | PROT_WRITE);

    if (!base)
        return errno ? -errno : -EINVAL;
    cache->extents[cache->extent_count++] = (struct grant_extent){ .base = base, .count = count };
    for (uint32_t i = 0; i < count; i++)
        table_put(cache->table, cache->mask, refs[i], base + (size_t)i * GRANT_BYTES);
    cache->count += count;
    return 0;
}

/* One bad page spoils a batch: the others are mapped one by one. */
static void map_singly(struct grant_cache *cache, uint32_t *refs, uint32_t count)
{
    int error;

    for (uint32_t i = 0; i < count; i++) {
        error = cache->failures < FAILURES_MAX ? map(cache, &refs[i], 1) : -EAGAIN;
        if (error)
            grant_budget_give(cache->domid, 1);
        if (error && error != -EAGAIN && ++cache->failures == FAILURES_MAX)
            refuse(cache, "mapping ref %u writable failed: %s", refs[i], strerror(-error));
    }
}

static void map_batch(struct grant_cache *cache, uint32_t *refs, uint32_t count)
{
    uint32_t left = GRANT_CACHE_REFS - cache->count, taken;
    enum grant_limit limit;

    if (count > left) {
        refuse(cache, "the limit of %u pages a ring", GRANT_CACHE_REFS);
        count = left;
    }
    taken = grant_budget_take(cache->domid, count, &limit);
    if (limit == GRANT_LIMIT_GUEST)
        refuse(cache, "the limit of %u pages of one guest (setting persistent-pages-guest)", grant_budget_share());
    if (limit == GRANT_LIMIT_ALL)
        refuse(cache, "the limit of %u pages of all devices together (setting persistent-pages)",
               grant_budget_pages());
    if (taken > 0 && make_room(cache, taken)) {
        grant_budget_give(cache->domid, taken);
        refuse(cache, "no memory for the table of pages");
    } else if (taken > 0 && map(cache, refs, taken)) {
        map_singly(cache, refs, taken);
    }
}

static bool is_among(const uint32_t *refs, uint32_t count, uint32_t ref)
{
    while (count > 0)
        if (refs[--count] == ref)
            return true;
    return false;
}

void grant_cache_add(struct grant_cache *cache, const uint32_t *refs, uint32_t count)
{
    uint32_t batch[BATCH], size = 0;

    for (uint32_t i = 0; i < count && !cache->refusal[0]; i++) {
        if (grant_cache_find(cache, refs[i]) || is_among(batch, size, refs[i]))
            continue;
        batch[size++] = refs[i];
        if (size == BATCH) {
            map_batch(cache, batch, size);
            size = 0;
        }
    }
    if (size > 0 && !cache->refusal[0])
        map_batch(cache, batch, size);
}
