// SPDX-License-Identifier: MIT
/*
 * rows_limits.c: rows of the catalogue about how much a domain may have mapped at a time. They want a box in which that
 * is little.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "tests/regress/regress.h"

#define LIMIT "maptrack-frames=2"
#define PAGES 8u /* each of which can be mapped often enough to meet the limit with all of them */
#define MAPS_MAX 1024u
#define HANDLES 4

/* The granter's pages, and how often they are mapped. */
static struct {
    uint32_t ref[PAGES];
    void *map[HANDLES][MAPS_MAX];
    unsigned count[HANDLES];
    xengnttab_handle *tab[HANDLES];
} some;

static void some_share(void)
{
    CHECK(pages_share(granter_share(), mapper, PAGES, some.ref, 1), "nothing is shared");
}

static unsigned some_sum(void)
{
    unsigned sum = 0;

    for (int i = 0; i < HANDLES; i++)
        sum += some.count[i];
    return sum;
}

/* One mapping more by that handle; false: it is refused. */
static bool map_one(int i)
{
    void *mapped;

    CHECK(some.count[i] < MAPS_MAX, "%u mappings, and no end", MAPS_MAX);
    if (!some.tab[i])
        some.tab[i] = mapper_tab();
    mapped = xengnttab_map_grant_ref(some.tab[i], granter, some.ref[some_sum() % PAGES], PROT_READ);
    CHECK(mapped || errno == EINVAL, "errno %d", errno);
    if (mapped)
        some.map[i][some.count[i]++] = mapped;
    return mapped;
}

static void unmap_some(int i, unsigned count)
{
    while (count--)
        CHECK(xengnttab_unmap(some.tab[i], some.map[i][--some.count[i]], 1) == 0, "unmap");
}

/* How many mappings the domain may have: as many as one handle gets when there is no other. */
static unsigned quota_find(void)
{
    unsigned quota;

    while (map_one(0))
        ;
    quota = some.count[0];
    CHECK(quota > 0, "nothing is mapped");
    unmap_some(0, quota);
    return quota;
}

/* Over many devices a domain gets no more than over one; others get on, and so does it when it has given back some. */
static void a30_a_domain_has_one_quota(void)
{
    xengntshr_handle *shr = mapper_share();
    xengnttab_handle *other = granter_tab();
    unsigned quota;
    uint32_t ref;
    uint8_t *page = xengntshr_share_pages(shr, granter, 1, &ref, 1), *mapped;

    CHECK(page, "nothing is shared");
    page_fill(page, 30);
    some_share();
    quota = quota_find();
    for (int i = 0; i < HANDLES; i++) {
        for (unsigned n = 0; n < quota / 2 && map_one(i); n++)
            ;
    }
    CHECK(some_sum() == quota, "%d handles have %u mappings, and one had %u", HANDLES, some_sum(), quota);
    row_check("at the limit");
    mapped = xengnttab_map_grant_ref(other, mapper, ref, RW);
    CHECK(mapped && page_differs(mapped, 30) < 0, "another domain cannot map");
    CHECK(xengnttab_unmap(other, mapped, 1) == 0, "unmap");
    unmap_some(0, 1);
    CHECK(map_one(HANDLES - 1) && !map_one(HANDLES - 1), "what was given back is not there");
    row_check("at the limit again");
}

/* Whatever one handle has had and gives back another one can have, to the last. */
static void b41_refused_only_at_the_quota(void)
{
    unsigned quota;

    some_share();
    quota = quota_find();
    while (map_one(1))
        ;
    CHECK(some.count[1] == quota, "a second handle gets %u of %u that the first one has free", some.count[1],
          quota);
    for (unsigned part = 1; part <= 4; part++) {
        unmap_some(1, some.count[1] / 2);
        while (map_one(0))
            ;
        CHECK(some_sum() == quota, "%u and %u, not %u in all", some.count[0], some.count[1], quota);
        CHECK(!map_one(1), "more than the quota");
        unmap_some(0, 1);
        CHECK(map_one(1), "one is free, and cannot be had");
        unmap_some(0, some.count[0] / 2);
    }
    row_check("at the end");
}

const struct row rows_limits[] = {
    { "A30", "a domain has one quota of mappings, over all its devices", IN_ALL, NEED_GUEST,
      a30_a_domain_has_one_quota, 0, LIMIT },
    { "B41", "a map is refused only when the domain's quota is used", IN_ALL, NEED_GUEST,
      b41_refused_only_at_the_quota, 0, LIMIT },
    { 0 },
};
