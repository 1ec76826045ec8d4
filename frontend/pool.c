// SPDX-License-Identifier: MIT
/*
 * pool.c: see pool.h.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/pool.h"

int region_init(struct region *region, xengntshr_handle *shr, uint32_t domid, uint32_t count)
{
    int err;

    memset(region, 0, sizeof(*region));
    region->refs = calloc(count, sizeof(*region->refs));
    if (!region->refs)
        return -ENOMEM;
    region->base = xengntshr_share_pages(shr, domid, (int)count, region->refs, 1);
    if (!region->base) {
        err = -errno;
        free(region->refs);
        region->refs = NULL;
        return err ? err : -EIO;
    }
    region->shr = shr;
    region->count = count;
    memset(region->base, 0, (size_t)count * GRANT_SIZE);
    return 0;
}

uint32_t region_fini(struct region *region)
{
    uint32_t quarantined = 0;

    if (region->base && xengntshr_unshare(region->shr, region->base, region->count) < 0)
        quarantined = region->count;
    free(region->refs);
    memset(region, 0, sizeof(*region));
    return quarantined;
}

int pool_init(struct pool *pool, xengntshr_handle *shr, uint32_t domid, uint32_t count)
{
    int err;

    memset(pool, 0, sizeof(*pool));
    pool->stack = calloc(count, sizeof(*pool->stack));
    if (!pool->stack)
        return -ENOMEM;
    err = region_init(&pool->region, shr, domid, count);
    if (err < 0) {
        free(pool->stack);
        pool->stack = NULL;
        return err;
    }
    for (uint32_t i = 0; i < count; i++)
        pool->stack[i] = count - 1 - i;
    pool->free = count;
    return 0;
}

uint32_t pool_fini(struct pool *pool)
{
    uint32_t quarantined = region_fini(&pool->region);

    free(pool->stack);
    pool->stack = NULL;
    pool->free = 0;
    return quarantined;
}

void pool_take(struct pool *pool, uint32_t *pages, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        pages[i] = pool->stack[--pool->free];
}

void pool_put(struct pool *pool, const uint32_t *pages, uint32_t n)
{
    while (n)
        pool->stack[pool->free++] = pages[--n];
}
