// SPDX-License-Identifier: MIT
/*
 * blkif_ring.h: the backend's side of a block ring, in either layout.
 *
 * The page is shared with a peer that may change any byte of it at any time. Every index is loaded once a call
 * and checked against our own; a slot is copied once (catalogue C01, C02) and no pointer into the page leaves
 * this file. Owner's thread only. Batches go: available, copy and consume so many, answer, push; push before the
 * next available, so that what is owed never exceeds the ring.
 */
#ifndef XENSPLIT_COMMON_BLKIF_RING_H
#define XENSPLIT_COMMON_BLKIF_RING_H

#include <errno.h>
#include <stdbool.h>

#include "common/blkif_abi.h"
#include "common/ring_index.h"

#define BLKIF_RING_BYTES 4096u
#define BLKIF_CACHE_LINE_BYTES 64u
#define BLKIF_RING_SLOTS 32u /* of one page, in both layouts */

_Static_assert(__CONST_RING_SIZE(blkif, BLKIF_RING_BYTES) == BLKIF_RING_SLOTS, "native ring");
_Static_assert(__CONST_RING_SIZE(blkif_x86_32, BLKIF_RING_BYTES) == BLKIF_RING_SLOTS, "x86_32 ring");

/* Room for the private copy of a slot in either layout. */
union blkif_slot {
    struct blkif_request native;
    struct blkif_x86_32_request x86_32;
};

struct blkif_ring {
    enum blkif_abi abi;
    union {
        blkif_back_ring_t native;
        blkif_x86_32_back_ring_t x86_32;
    };
};

/* The private half and the page's header are the same in both layouts: index work goes through `native`. */
_Static_assert(sizeof(blkif_back_ring_t) == sizeof(blkif_x86_32_back_ring_t), "private half");
_Static_assert(offsetof(blkif_sring_t, ring) == offsetof(blkif_x86_32_sring_t, ring), "header of the page");

/* requests and responses: how many were consumed and answered before, both 0 on a fresh ring. */
static inline void blkif_ring_attach(struct blkif_ring *ring, void *page, enum blkif_abi abi,
                                     RING_IDX requests, RING_IDX responses)
{
    ring->abi = abi;
    BACK_RING_ATTACH(&ring->native, (blkif_sring_t *)page, requests, BLKIF_RING_BYTES);
    ring->native.rsp_prod_pvt = responses;
}

static inline RING_IDX blkif_ring_load(const RING_IDX *index)
{
    return ring_load(index);
}

/* How many requests wait, 0 to BLKIF_RING_SLOTS; -EPROTO: the accounting is broken (ring_index.h). */
static inline int blkif_ring_available(const struct blkif_ring *ring)
{
    return ring_waiting(&ring->native.sring->req_prod, ring->native.req_cons, ring->native.rsp_prod_pvt,
                        BLKIF_RING_SLOTS);
}

/*
 * Asks the processor for the slots of the next requests, all at once and to be written to, since their answers go to
 * the same place: one by one each would be waited for, as the peer's processor has them.
 */
static inline void blkif_ring_expect(const struct blkif_ring *ring, unsigned int count)
{
    const RING_IDX first = ring->native.req_cons % BLKIF_RING_SLOTS;
    const size_t bytes =
        ring->abi == BLKIF_ABI_X86_32 ? sizeof(struct blkif_x86_32_request) : sizeof(struct blkif_request);
    const char *const slots = (const char *)&ring->native.sring->ring;

    if (count > BLKIF_RING_SLOTS - first)
        count = BLKIF_RING_SLOTS - first; /* the others begin at the front */
    for (size_t at = first * bytes; at < (first + count) * bytes; at += BLKIF_CACHE_LINE_BYTES)
        __builtin_prefetch(slots + at, 1);
}

/* Copies the next slot; it is consumed only by blkif_ring_consume. */
static inline void blkif_ring_copy(const struct blkif_ring *ring, union blkif_slot *slot)
{
    if (ring->abi == BLKIF_ABI_X86_32)
        RING_COPY_REQUEST(&ring->x86_32, ring->x86_32.req_cons, &slot->x86_32);
    else
        RING_COPY_REQUEST(&ring->native, ring->native.req_cons, &slot->native);
}

static inline void blkif_ring_consume(struct blkif_ring *ring)
{
    ring->native.req_cons++;
}

/* Writes one response slot, every byte of it (catalogue C10), visible to the peer after the next push. */
static inline void blkif_ring_answer(struct blkif_ring *ring, uint64_t id, uint8_t operation, int16_t status)
{
    RING_IDX index = ring->native.rsp_prod_pvt++;

    if (ring->abi == BLKIF_ABI_X86_32) {
        struct blkif_x86_32_response response;

        memset(&response, 0, sizeof(response));
        response.id = id;
        response.operation = operation;
        response.status = status;
        memcpy(RING_GET_RESPONSE(&ring->x86_32, index), &response, sizeof(response));
    } else {
        struct blkif_response response;

        memset(&response, 0, sizeof(response));
        response.id = id;
        response.operation = operation;
        response.status = status;
        memcpy(RING_GET_RESPONSE(&ring->native, index), &response, sizeof(response));
    }
}

/* Publishes what was answered; true when the peer asked to be woken for it. */
static inline bool blkif_ring_push(struct blkif_ring *ring)
{
    bool must_notify;

    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&ring->native, must_notify);
    return must_notify;
}

/* There is a request, or an index that cannot be. */
static inline bool blkif_ring_has_more(const struct blkif_ring *ring)
{
    return blkif_ring_load(&ring->native.sring->req_prod) != ring->native.req_cons;
}

/*
 * Asks for no notification: the index that would be worth one lies behind, and comes again after 2^32 requests. What
 * was asked for before may still come.
 */
static inline void blkif_ring_silence(struct blkif_ring *ring)
{
    ring->native.sring->req_event = ring->native.req_cons;
}

/* Before sleeping: asks to be woken for the next request; true when there already is one. */
static inline bool blkif_ring_final_check(struct blkif_ring *ring)
{
    return ring_await(&ring->native.sring->req_prod, &ring->native.sring->req_event, ring->native.req_cons,
                      1);
}

#endif
