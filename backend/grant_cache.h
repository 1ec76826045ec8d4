// SPDX-License-Identifier: MIT
/*
 * grant_cache.h: a guest's granted pages that are mapped once and kept, found by their reference. What a frontend
 * promises with feature-persistent is that a reference which it has used goes on to mean the same page until the
 * connection ends; references that are not known yet may come at any time. While a page is mapped the grant's
 * in-use bits are set, so a guest that breaks its promise cannot give the reference another page: what moves
 * through the old mapping hits the old page, which is that guest's own (catalogue C21).
 *
 * Nothing is unmapped before grant_cache_release, and whoever calls that has seen the end of all I/O on the pages.
 * What was mapped with one call is unmapped with one call (C17). A page that is not mapped, because a limit was
 * reached, is no error: its data moves another way.
 *
 * One thread at a time: the worker whose handle it is.
 */
#ifndef XENSPLIT_BACKEND_GRANT_CACHE_H
#define XENSPLIT_BACKEND_GRANT_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <xengnttab.h>

/* Of one ring: 32 requests of 32 segments and a page of segments each, as Linux's backend keeps. */
#define GRANT_CACHE_REFS 1056u

struct grant_entry {
    uint32_t ref;
    char *page; /* NULL: the slot is free */
};

struct grant_extent {
    char *base;
    uint32_t count;
};

struct grant_cache {
    xengnttab_handle *gnttab;
    uint16_t domid; /* whose grants; of one generation, since a connection ends with its domain */
    const char *label; /* for the log */
    struct grant_entry *table; /* open addressing; never full */
    uint32_t mask; /* slots of the table - 1 */
    uint32_t count; /* pages */
    struct grant_extent *extents; /* as they were mapped */
    uint32_t extent_count, extent_room;
    uint32_t failures; /* pages that could be copied but not mapped */
    char refusal[128]; /* why nothing more is mapped; empty: it may be */
};

/* A zeroed struct, or one that was released: its memory is used again. 0 or -ENOMEM. label: stays valid. */
int grant_cache_init(struct grant_cache *cache, xengnttab_handle *gnttab, uint16_t domid, const char *label);
/* Unmaps everything and keeps the memory. Safe on zeroes and twice. Logs errors. */
void grant_cache_release(struct grant_cache *cache);
void grant_cache_fini(struct grant_cache *cache);

/* Maps what is not mapped yet, as far as the limits allow. Logs once why it does not. */
void grant_cache_add(struct grant_cache *cache, const uint32_t *refs, uint32_t count);

/* The page that a reference was mapped to, or NULL. */
static inline char *grant_cache_find(const struct grant_cache *cache, uint32_t ref)
{
    for (uint32_t at = ref & cache->mask;; at = (at + 1) & cache->mask) {
        const struct grant_entry *entry = &cache->table[at];

        if (!entry->page || entry->ref == ref)
            return entry->page;
    }
}

#endif
