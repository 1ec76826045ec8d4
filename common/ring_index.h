// SPDX-License-Identifier: MIT
/*
 * ring_index.h: the indices of any ring, as a backend must look at the peer's: loaded once, compared with its own.
 */
#ifndef XENSPLIT_COMMON_RING_INDEX_H
#define XENSPLIT_COMMON_RING_INDEX_H

#include <errno.h>

#include "common/barrier.h"
#include <xen/xen.h>
#include <xen/io/ring.h>

/* Once: the peer may change it at any time. */
static inline RING_IDX ring_load(const RING_IDX *index)
{
    return *(const volatile RING_IDX *)index;
}

/*
 * How many requests wait; -EPROTO when the producer is not between our consumer and one ring ahead of our
 * responses: the accounting is broken for good (catalogue C11). Slots may be read after it.
 */
static inline int ring_waiting(const RING_IDX *req_prod, RING_IDX req_cons, RING_IDX rsp_prod_pvt,
                               unsigned int slots)
{
    RING_IDX waiting = ring_load(req_prod) - req_cons;
    RING_IDX owed = req_cons - rsp_prod_pvt;

    if (waiting > slots - owed)
        return -EPROTO;
    xen_rmb(); /* the slots are read after the index that says they are there */
    return (int)waiting;
}

/*
 * Before sleeping: asks to be woken when the producer comes to `wanted` more requests than were consumed; true when
 * they are there already (or an index that cannot be is).
 */
static inline int ring_await(const RING_IDX *req_prod, RING_IDX *req_event, RING_IDX req_cons,
                             unsigned int wanted)
{
    if (ring_load(req_prod) - req_cons >= wanted)
        return 1;
    *(volatile RING_IDX *)req_event = req_cons + wanted;
    xen_mb(); /* the peer sees the event index before we look at its producer for the last time */
    return ring_load(req_prod) - req_cons >= wanted;
}

#endif
