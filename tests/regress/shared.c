// SPDX-License-Identifier: MIT
/* shared.c: see shared.h. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "tests/regress/shared.h"

struct shared share(uint32_t count)
{
    struct shared shared = { .shr = granter_share(), .count = count };

    shared.pages = pages_share(shared.shr, mapper, count, shared.ref, 1);
    CHECK(shared.pages, "%u pages cannot be shared: %s", count, strerror(errno));
    for (uint32_t i = 0; i < count; i++)
        page_fill(shared.pages + i * PAGE, i);
    return shared;
}

uint8_t *map_all(xengnttab_handle *tab, struct shared *shared, int prot)
{
    return xengnttab_map_domain_grant_refs(tab, shared->count, granter, shared->ref, prot);
}

void check_pages(const uint8_t *mapped, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        CHECK(page_differs(mapped + i * PAGE, i) < 0, "page %u is wrong at byte %d", i,
              page_differs(mapped + i * PAGE, i));
}

void check_usable(xengnttab_handle *tab, struct shared *shared)
{
    uint8_t *mapped = map_all(tab, shared, RW);

    CHECK(mapped, "cannot be mapped any more");
    check_pages(mapped, 0, shared->count);
    CHECK(xengnttab_unmap(tab, mapped, shared->count) == 0, "unmap: %s", strerror(errno));
    row_check("after map and unmap");
}
