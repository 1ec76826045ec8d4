// SPDX-License-Identifier: MIT
/*
 * xs_ring.h: the guest's side of a domain's xenstore ring, the page behind grant ref 1 (<xen/io/xs_wire.h>).
 *
 * The page is shared with the store: the index that we own is kept here and only published there, the index
 * of the store is read once an operation and checked against it. No notification is sent from here.
 */
#ifndef XENBOX_KERNEL_XS_RING_H
#define XENBOX_KERNEL_XS_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct xenstore_domain_interface;

struct xs_ring {
    struct xenstore_domain_interface *page;
    uint32_t req_prod;
    uint32_t rsp_cons;
};

void xs_ring_init(struct xs_ring *ring, struct xenstore_domain_interface *page);

/*
 * Bytes put on or taken from the ring, 0 when it is full or empty; -EPROTO: the store's index is impossible.
 * Both may do less than the ring allows, up to its end: call again until 0.
 */
ssize_t xs_ring_write(struct xs_ring *ring, const void *data, size_t len);
ssize_t xs_ring_read(struct xs_ring *ring, void *data, size_t len);

#endif
