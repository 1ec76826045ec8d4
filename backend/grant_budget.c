// SPDX-License-Identifier: MIT
/*
 * grant_budget.c: see grant_budget.h. Two counters are taken from, that of the guest first; what the other one refuses
 * is given back to it.
 */
#include <config.h>

#include "backend/grant_budget.h"

#include <stdatomic.h>
#include <xen/xen.h>

static uint32_t budget = GRANT_BUDGET_PAGES;
static uint32_t share = GRANT_BUDGET_PAGES / 4;
static atomic_uint taken;
/* Zero pages until a domain has something. By the number alone: a successor waits at most for what still goes. */
static atomic_uint taken_by[DOMID_FIRST_RESERVED + 1u];

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t rest(uint32_t limit, uint32_t used)
{
    return used < limit ? limit - used : 0;
}

static atomic_uint *counter_of(uint16_t domid)
{
    return &taken_by[least(domid, DOMID_FIRST_RESERVED)];
}

void grant_budget_set(uint32_t pages, uint32_t guest_share)
{
    budget = pages;
    share = guest_share ? guest_share : pages / 4;
    if (!guest_share && share < GRANT_BUDGET_FLOOR)
        share = GRANT_BUDGET_FLOOR;
}

uint32_t grant_budget_share(void)
{
    return share;
}

uint32_t grant_budget_pages(void)
{
    return budget;
}

/* What all together leave, for a guest that is below its floor by so many pages. */
static uint32_t take_of_all(uint32_t count, uint32_t below_floor)
{
    unsigned int before = atomic_load(&taken);
    uint32_t open, granted;

    do {
        open = rest(budget - budget / 4, before);
        if (open < below_floor)
            open = least(below_floor, rest(budget, before));
        granted = least(count, open);
    } while (!atomic_compare_exchange_weak(&taken, &before, before + granted));
    return granted;
}

uint32_t grant_budget_take(uint16_t domid, uint32_t count, enum grant_limit *limit)
{
    atomic_uint *mine = counter_of(domid);
    unsigned int before = atomic_load(mine);
    uint32_t wanted, granted;

    do {
        wanted = least(count, rest(share, before));
    } while (!atomic_compare_exchange_weak(mine, &before, before + wanted));
    granted = take_of_all(wanted, rest(GRANT_BUDGET_FLOOR, before));
    if (granted < wanted)
        atomic_fetch_sub(mine, wanted - granted);
    *limit = granted < wanted ? GRANT_LIMIT_ALL : wanted < count ? GRANT_LIMIT_GUEST : GRANT_LIMIT_NONE;
    return granted;
}

void grant_budget_give(uint16_t domid, uint32_t count)
{
    atomic_fetch_sub(&taken, count);
    atomic_fetch_sub(counter_of(domid), count);
}
