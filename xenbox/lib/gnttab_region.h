// SPDX-License-Identifier: MIT
/*
 * gnttab_region.h: one map call of a gnttab handle: its records, its pins, its pages in the address space.
 *
 * Callers hold the handle's lock, except where it says otherwise.
 */
#ifndef XENBOX_LIB_GNTTAB_REGION_H
#define XENBOX_LIB_GNTTAB_REGION_H

#include "xenbox/kernel/user_pages.h"
#include "xenbox/lib/gnttab.h"

/* What a map call asks for. */
struct region_request {
    uint32_t count;
    const uint32_t *domids;
    uint32_t domid_step; /* 0 when all refs are of domids[0] */
    const uint32_t *refs;
    int prot;
    uint32_t notify_offset; /* not in the page: no byte to clear */
    uint32_t notify_port; /* -1: no event */
};

/* Maps it, or undoes all of it. -EIO: the box is gone. */
int region_map(struct xengntdev_handle *handle, const struct region_request *request, void **address);

/* The region that was mapped there by one call with that count, or NULL. */
struct region *region_find(struct xengntdev_handle *handle, const void *address, uint32_t count);

/*
 * Takes it out of the address space at once. Its pins go at once, or when no I/O refers to its pages any more;
 * the region keeps the handle until then. In a box that punishes they stay for good. Never waits for I/O.
 */
int region_unmap(struct region *region);

/* With bug H04: takes a region apart that is being unmapped. -EINVAL: there is none at that address. */
int region_unmap_again(struct xengntdev_handle *handle, const void *address);

/* The same for all regions of a handle that is being closed. */
void region_unmap_all(struct xengntdev_handle *handle);

/* In a forked child: forgets all of them. There are no mappings there. */
void region_forget_all(struct xengntdev_handle *handle);

#endif
