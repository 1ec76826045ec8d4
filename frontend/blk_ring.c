// SPDX-License-Identifier: MIT
/*
 * blk_ring.c: see blk_ring.h.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frontend/blk_ring.h"

void blk_ring_init(struct blk_ring *ring, void *page)
{
    blkif_sring_t *shared = page;

    memset(ring, 0, sizeof(*ring));
    XEN_FRONT_RING_INIT(&ring->front, shared, GRANT_SIZE);
    for (uint32_t i = 0; i < BLK_RING_SLOTS; i++) {
        ring->slot[i].id = i;
        ring->free[i] = (uint32_t)BLK_RING_SLOTS - 1 - i;
    }
    ring->free_count = BLK_RING_SLOTS;
}

_Static_assert(offsetof(struct blkif_request, id) == offsetof(struct blkif_request_indirect, id), "one id");
_Static_assert(offsetof(struct blkif_request, id) == offsetof(struct blkif_request_discard, id), "one id");

/*
 * What a request uses of its slot; the rest keeps what an older request left there. A line of the page that is not
 * written to need not travel to the backend's processor again.
 */
static size_t request_bytes(const union blk_request *request)
{
    if (request->plain.operation == BLKIF_OP_INDIRECT)
        return sizeof(request->indirect);
    if (request->plain.operation == BLKIF_OP_DISCARD)
        return sizeof(request->discard);
    return offsetof(struct blkif_request, seg) + request->plain.nr_segments * sizeof(request->plain.seg[0]);
}

void blk_ring_put(struct blk_ring *ring, union blk_request *request)
{
    bool is_indirect = request->plain.operation == BLKIF_OP_INDIRECT;
    struct blk_slot *slot = &ring->slot[blk_ring_next(ring)];

    ring->free_count--;
    slot->id += (uint64_t)1 << 32;
    slot->operation = is_indirect ? request->indirect.indirect_op : request->plain.operation;
    slot->is_indirect = is_indirect;
    slot->is_pending = true;
    request->plain.id = slot->id;
    memcpy(RING_GET_REQUEST(&ring->front, ring->front.req_prod_pvt), request, request_bytes(request));
    ring->front.req_prod_pvt++;
}

bool blk_ring_push(struct blk_ring *ring)
{
    bool notify;

    if (ring->published == ring->front.req_prod_pvt)
        return false;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&ring->front, notify);
    ring->published = ring->front.req_prod_pvt;
    return notify;
}

__attribute__((format(printf, 2, 3))) static int ring_break(struct blk_ring *ring, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(ring->problem, sizeof(ring->problem), fmt, args);
    va_end(args);
    ring->is_broken = true;
    return -EPROTO;
}

/* The slots of the answers that are there come to this processor together, and to be written to: requests follow. */
static void answers_expect(const struct blk_ring *ring)
{
    RING_IDX last = ring->seen;

    for (RING_IDX i = ring->front.rsp_cons; i != last; i++)
        __builtin_prefetch(RING_GET_RESPONSE(&ring->front, i), 1);
}

static RING_IDX producer_load(const struct blk_ring *ring)
{
    return __atomic_load_n(&ring->front.sring->rsp_prod, __ATOMIC_ACQUIRE);
}

int blk_ring_take(struct blk_ring *ring, struct blk_answer *answer)
{
    RING_IDX outstanding = ring->published - ring->front.rsp_cons;
    struct blkif_response response;
    struct blk_slot *slot;
    uint32_t index;

    if (ring->is_broken)
        return -EPROTO;
    if (ring->seen == ring->front.rsp_cons) {
        ring->seen = producer_load(ring);
        if (ring->seen - ring->front.rsp_cons > outstanding)
            return ring_break(ring, "response producer index: at most %u responses expected, found %u",
                              outstanding, ring->seen - ring->front.rsp_cons);
        if (ring->seen == ring->front.rsp_cons)
            return 0;
        answers_expect(ring);
    }
    RING_COPY_RESPONSE(&ring->front, ring->front.rsp_cons, &response);
    ring->front.rsp_cons++;
    index = (uint32_t)response.id;
    if (index >= BLK_RING_SLOTS)
        return ring_break(ring, "response id: a slot below %u expected, found %#" PRIx64,
                          (unsigned int)BLK_RING_SLOTS, response.id);
    slot = &ring->slot[index];
    if (!slot->is_pending)
        return ring_break(ring,
                          "response id: a request in flight expected, found %#" PRIx64 ", answered before",
                          response.id);
    if (slot->id != response.id)
        return ring_break(ring, "response id: %#" PRIx64 " expected in slot %u, found %#" PRIx64, slot->id,
                          index, response.id);
    /* "Copied from the request", says the header: Linux copies the inner operation, another may copy the outer. */
    if (slot->operation != response.operation &&
        !(slot->is_indirect && response.operation == BLKIF_OP_INDIRECT))
        return ring_break(ring, "response to %#" PRIx64 ": operation %u expected, found %u", response.id,
                          slot->operation, response.operation);
    slot->is_pending = false;
    ring->free[ring->free_count++] = index;
    *answer = (struct blk_answer){ .slot = index, .operation = slot->operation, .status = response.status };
    return 1;
}

bool blk_ring_arm(struct blk_ring *ring)
{
    bool is_more;

    RING_FINAL_CHECK_FOR_RESPONSES(&ring->front, is_more);
    return is_more;
}

bool blk_ring_peek(const struct blk_ring *ring)
{
    return producer_load(ring) != ring->front.rsp_cons;
}
