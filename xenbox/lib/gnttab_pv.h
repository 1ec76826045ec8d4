// SPDX-License-Identifier: MIT
/*
 * gnttab_pv.h: what gntdev and the rest of a PV kernel do for a mapped page beside its user alias: the kernel alias,
 * p2m, the override, and where I/O on the page goes.
 *
 * In a box of mode autotranslated nothing here does anything. Callers hold the handle's lock, except where it says
 * otherwise.
 */
#ifndef XENBOX_LIB_GNTTAB_PV_H
#define XENBOX_LIB_GNTTAB_PV_H

#include "xenbox/kernel/override.h"
#include "xenbox/lib/grant_op.h"

struct pv_temporary;

/* One page of a region. */
struct pv_page {
    uint32_t user, kernel; /* records; NO_RECORD */
    bool is_pinned; /* the user alias has its pin */
    bool has_p2m, has_override;
    uint64_t saved_p2m; /* what the placeholder had before */
    void *kernel_address; /* taken down when the alias was made: what is to be unmapped */
    struct override override;
    struct grant_map kernel_op;
    struct pv_temporary *temporaries; /* pv32: the kernel aliases in use */
};

/* A handle gets one more chunk of records, and with it placeholders: their kernel aliases get addresses. */
int pv_chunk_added(struct xengntdev_handle *handle, uint32_t chunk);

/* Starts and ends what a handle has of its own. The lock is not needed. */
int pv_open(struct xengntdev_handle *handle);
void pv_close(struct xengntdev_handle *handle);

/* A record for a user alias whose placeholder can be used. */
int pv_record_take(struct xengntdev_handle *handle, uint32_t *record);

/*
 * The other views of pages whose user aliases have been tried, as `user` says of each. 0, or the negative errno of the
 * first step that failed; what was done by then is for pv_page_unmap().
 */
int pv_pages_map(struct xengntdev_handle *handle, struct pv_page *pages, const struct grant_map *user,
                 uint32_t count);

/* Undoes for one page exactly what was done: kernel alias, p2m, override. */
void pv_page_unmap(struct xengntdev_handle *handle, struct pv_page *page);

/* The user alias is at `address` now: I/O on it finds the placeholder. */
void pv_page_show(struct xengntdev_handle *handle, struct pv_page *page, uintptr_t address);

/*
 * Where I/O on the page really goes: its kernel alias, or what p2m says when $XENBOX_IO is "dma". 0: it cannot be
 * reached. Each address is given back with pv_page_address_put(). Both take the handle's lock.
 */
uintptr_t pv_page_address(struct xengntdev_handle *handle, struct pv_page *page);
void pv_page_address_put(struct xengntdev_handle *handle, struct pv_page *page, uintptr_t address);

#endif
