// SPDX-License-Identifier: MIT
/*
 * pool.h: pages that are granted to the backend. A region is one call's worth of pages, contiguous here, each
 * with a grant reference of its own; a pool hands out the pages of a region one by one, last in, first out,
 * so that a backend which caches mappings sees the same few pages (blkif.h, feature-persistent).
 *
 * The pages are made for sharing and hold nothing else (E04), are zeroed before anybody is told their
 * reference (E03), and leave this process only through xengntshr_unshare(), behind which one atomic step
 * takes the grant back or parks the page (E01). A region that could not be taken back is quarantined: it
 * stays mapped and is never used again (E02). One thread; no allocation after init.
 */
#ifndef XENSPLIT_FRONTEND_POOL_H
#define XENSPLIT_FRONTEND_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xengnttab.h>

#define GRANT_SIZE 4096u /* a granted page, on every machine */

struct region {
    xengntshr_handle *shr;
    uint8_t *base;
    uint32_t *refs;
    uint32_t count;
};

struct pool {
    struct region region;
    uint32_t *stack; /* page numbers that are free; the top is stack[free - 1] */
    uint32_t free;
};

/* Grants count pages, writable, to domid. -ENOSPC: a limit; else what xengntshr_share_pages() says. */
int region_init(struct region *region, xengntshr_handle *shr, uint32_t domid, uint32_t count);
/* Takes the grants back. Returns how many pages had to be quarantined: 0 or all. Safe twice and on zeroes. */
uint32_t region_fini(struct region *region);

int pool_init(struct pool *pool, xengntshr_handle *shr, uint32_t domid, uint32_t count);
uint32_t pool_fini(struct pool *pool);

/* n must not be more than pool->free. */
void pool_take(struct pool *pool, uint32_t *pages, uint32_t n);
void pool_put(struct pool *pool, const uint32_t *pages, uint32_t n);

static inline uint8_t *region_page(const struct region *region, uint32_t page)
{
    return region->base + (size_t)page * GRANT_SIZE;
}

#endif
