// SPDX-License-Identifier: MIT
/*
 * gnttab.h: a gnttab or gntshr handle (the public header has one type for both), for the files of
 * libxengnttab.
 */
#ifndef XENBOX_LIB_GNTTAB_H
#define XENBOX_LIB_GNTTAB_H

#include <xengnttab.h>

#include "xenbox/lib/client.h"
#include "xenbox/lib/toolcore.h"

/* One map call: what one unmap call takes back. */
struct region {
    void *address;
    uint32_t count;
    bool has_notify; /* one page; the hypervisor process unmaps it */
    uint32_t map[]; /* records */
};

struct xengntdev_handle {
    struct client client;
    Xentoolcore__Active_Handle active;
    pthread_mutex_t lock; /* the journal, regions and free records */
    void *regions; /* tree by address: struct region, for gntshr struct shared_region */
    uint32_t *free_maps; /* stack of record indices that are free */
    uint32_t free_count;
    bool is_restricted;
};

int gnttab_error(int error); /* sets errno from a negative errno, returns -1 */

/* Does any of these bytes lie in a region that the handle has mapped? The caller holds the handle's lock. */
bool gnttab_has_mapped(struct xengntdev_handle *handle, const void *address, size_t bytes);

#endif
