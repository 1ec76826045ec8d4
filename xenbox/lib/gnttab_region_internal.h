// SPDX-License-Identifier: MIT
/*
 * gnttab_region_internal.h: what the two halves of a region share: how it is mapped (gnttab_region.c) and how it goes
 * (gnttab_region_end.c). Callers hold the handle's lock, except where it says otherwise.
 */
#ifndef XENBOX_LIB_GNTTAB_REGION_INTERNAL_H
#define XENBOX_LIB_GNTTAB_REGION_INTERNAL_H

#include "xenbox/lib/gnttab_pv.h"
#include "xenbox/lib/gnttab_region.h"

struct region {
    struct user_mapping mapping; /* the first member */
    struct xengntdev_handle *handle;
    bool has_notify; /* one page; the hypervisor process unmaps it */
    bool is_stuck; /* its pins are not ours any more */
    struct pv_page *page;
    uint8_t *is_gone; /* pages that the program has unmapped by itself; NULL: none */
    uint32_t map[]; /* records */
};

/* For the tree of a handle's regions. */
int region_compare(const void *a, const void *b);
void region_free(struct region *region);

/* Takes it out of sight. True: no I/O refers to it. */
bool region_hide(struct region *region);

/* Undoes what was done for each page. */
void region_unpin(struct region *region);

/* For the registry of pages. Both take the handle's lock. */
void region_release(struct user_mapping *mapping);
void region_pages_gone(struct user_mapping *mapping, uint32_t first, uint32_t pages);

#endif
