// SPDX-License-Identifier: MIT
/*
 * gnttab.h: a gnttab or gntshr handle (the public header has one type for both), for the files of
 * libxengnttab.
 */
#ifndef XENBOX_LIB_GNTTAB_H
#define XENBOX_LIB_GNTTAB_H

#include <xengnttab.h>

#include "xenbox/kernel/faults.h"
#include "xenbox/lib/client.h"
#include "xenbox/lib/toolcore.h"

struct region; /* gnttab_region.h */
struct pv_arena; /* gnttab_pv.c */
struct grant_map; /* grant_op.h */

struct xengntdev_handle {
    struct client client;
    Xentoolcore__Active_Handle active;
    pthread_mutex_t lock; /* the journal, regions and free records */
    void *regions; /* tree by address: struct region, for gntshr struct shared_region */
    uint32_t *free_maps; /* stack of record indices that are free */
    uint32_t free_count;
    bool is_restricted;
    _Atomic bool is_closed; /* by the program */
    struct region *leaving; /* only with bug H04: the last one that was unmapped under I/O */
    struct faults faults; /* what is to go wrong */
    _Atomic(struct pv_arena *) arenas; /* pv: addresses of kernel aliases */
    struct grant_map *queued; /* pv, only with bug A07: an operation left behind */
    bool is_dma; /* I/O goes by p2m, as a device's does, not by the kernel alias */
    bool has_reader;
    _Atomic bool reader_ends;
    pthread_t reader;
    _Atomic unsigned users; /* the program, and each region that I/O keeps after its unmap */
};

/* The last put closes the handle. No lock is needed, and none of the handle's may be held at the last put. */
void gnttab_get(struct xengntdev_handle *handle);
void gnttab_put(struct xengntdev_handle *handle);

int gnttab_error(int error); /* sets errno from a negative errno, returns -1 */

/* Does any of these bytes lie in a region that the handle has mapped? The caller holds the handle's lock. */
bool gnttab_has_mapped(struct xengntdev_handle *handle, const void *address, size_t bytes);

#endif
