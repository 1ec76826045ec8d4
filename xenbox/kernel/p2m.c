// SPDX-License-Identifier: MIT
/* p2m.c: see p2m.h. */
#include <config.h>

#include "xenbox/kernel/p2m.h"

int page_take(struct xb_page *page)
{
    uint32_t state = atomic_load(&page->state);

    /* Anything but an empty placeholder would lose what it has. */
    if (atomic_load(&page->p2m) != XB_P2M_INVALID || (state != XB_PAGE_FREE && state != XB_PAGE_PLACEHOLDER))
        return -EBUSY;
    page->user_map = page->kernel_map = 0;
    atomic_store(&page->refs, 1);
    atomic_store(&page->state, XB_PAGE_PLACEHOLDER);
    return 0;
}

void page_give_back(struct xb_page *page)
{
    atomic_store(&page->refs, 0);
    if (atomic_load(&page->state) == XB_PAGE_MAPPED)
        atomic_store(&page->state, XB_PAGE_PLACEHOLDER);
}

void page_set_foreign(struct xb_page *page, uint32_t frame)
{
    page->private = frame;
    atomic_store(&page->p2m, XB_P2M_FOREIGN | frame);
    atomic_store(&page->state, XB_PAGE_MAPPED);
}

void page_clear_foreign(struct xb_page *page)
{
    page->private = 0;
    atomic_store(&page->p2m, XB_P2M_INVALID);
    atomic_store(&page->state, XB_PAGE_PLACEHOLDER);
}

uint32_t page_bus_frame(const struct xb_page *page)
{
    uint64_t value = atomic_load(&page->p2m);

    if (value == XB_P2M_INVALID || (value & XB_P2M_IDENTITY))
        return XB_NO_FRAME;
    value &= ~XB_P2M_FOREIGN;
    return value < XB_MAX_FRAMES ? (uint32_t)value : XB_NO_FRAME;
}

bool frame_to_local_pfn(const struct xb_tables *tables, uint16_t domid, uint32_t frame, bool is_shared,
                        uint32_t *pfn)
{
    uint32_t number;

    if (frame >= XB_MAX_FRAMES)
        return false;
    number = atomic_load(&tables->frame[frame].m2p);
    if (number >= XB_MAX_FRAMES || is_shared)
        return false;
    /* p2m[number] of this domain: its own RAM is numbered by frames. */
    if (number != frame || atomic_load(&tables->frame[number].owner) != XB_OWNER(domid))
        return false;
    *pfn = number;
    return true;
}
