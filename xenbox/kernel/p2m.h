// SPDX-License-Identifier: MIT
/*
 * p2m.h: what the kernel of a PV domain knows of its pages: p2m, m2p and the page structs of placeholders.
 *
 * A domain's own RAM is numbered as the machine numbers it: the pfn of frame f is f, and m2p[f] is f while f has an
 * owner. A placeholder is a pfn beyond all RAM, one for each map record of a user alias; its p2m entry is invalid until
 * a grant is mapped there and FOREIGN plus the frame then. The owner of a record's chunk alone writes its pages, under
 * its handle's lock; the hypervisor process clears them when the owner is gone.
 */
#ifndef XENBOX_KERNEL_P2M_H
#define XENBOX_KERNEL_P2M_H

#include <errno.h>
#include <stdbool.h>

#include "xenbox/hv/layout.h"

static inline struct xb_page *page_at(struct xb_tables *tables, uint32_t index)
{
    return &tables->page[index / XB_CHUNK_MAPS][index % XB_CHUNK_MAPS];
}

/* A placeholder for a new mapping. -EBUSY: it is no ballooned page, it has a frame (or is mapped already). */
int page_take(struct xb_page *page);

/* Back to the pool. */
void page_give_back(struct xb_page *page);

/* The placeholder stands for the frame from now on. */
void page_set_foreign(struct xb_page *page, uint32_t frame);

/* It stands for nothing. */
void page_clear_foreign(struct xb_page *page);

/* The frame that a device is told for the placeholder; XB_NO_FRAME. */
uint32_t page_bus_frame(const struct xb_page *page);

/*
 * The pfn of domain `domid` that has the frame as its RAM: what the m2p says, believed only if that is in range and the
 * p2m leads back to the frame. `is_shared`: the frame is mapped by its own domain, whose p2m is marked as foreign then.
 */
bool frame_to_local_pfn(const struct xb_tables *tables, uint16_t domid, uint32_t frame, bool is_shared,
                        uint32_t *pfn);

#endif
