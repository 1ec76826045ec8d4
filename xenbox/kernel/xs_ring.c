// SPDX-License-Identifier: MIT
/* xs_ring.c: see xs_ring.h. */
#include <config.h>

#include "xs_ring.h"

#include <errno.h>
#include <string.h>

#include <xen/io/xs_wire.h>

void xs_ring_init(struct xs_ring *ring, struct xenstore_domain_interface *page)
{
    *ring = (struct xs_ring){
        .page = page,
        .req_prod = __atomic_load_n(&page->req_prod, __ATOMIC_RELAXED),
        .rsp_cons = __atomic_load_n(&page->rsp_cons, __ATOMIC_RELAXED),
    };
}

/* Of `count` bytes at index `at`, those before the end of the array. */
static size_t run_length(uint32_t at, size_t count)
{
    size_t to_end = XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(at);

    return count < to_end ? count : to_end;
}

ssize_t xs_ring_write(struct xs_ring *ring, const void *data, size_t len)
{
    uint32_t used = ring->req_prod - __atomic_load_n(&ring->page->req_cons, __ATOMIC_ACQUIRE);
    size_t room;

    if (used > XENSTORE_RING_SIZE)
        return -EPROTO;
    room = XENSTORE_RING_SIZE - used;
    len = run_length(ring->req_prod, len < room ? len : room);
    memcpy(ring->page->req + MASK_XENSTORE_IDX(ring->req_prod), data, len);
    ring->req_prod += (uint32_t)len;
    __atomic_store_n(&ring->page->req_prod, ring->req_prod, __ATOMIC_RELEASE);
    return (ssize_t)len;
}

ssize_t xs_ring_read(struct xs_ring *ring, void *data, size_t len)
{
    uint32_t used = __atomic_load_n(&ring->page->rsp_prod, __ATOMIC_ACQUIRE) - ring->rsp_cons;

    if (used > XENSTORE_RING_SIZE)
        return -EPROTO;
    len = run_length(ring->rsp_cons, len < used ? len : used);
    memcpy(data, ring->page->rsp + MASK_XENSTORE_IDX(ring->rsp_cons), len);
    ring->rsp_cons += (uint32_t)len;
    __atomic_store_n(&ring->page->rsp_cons, ring->rsp_cons, __ATOMIC_RELEASE);
    return (ssize_t)len;
}
