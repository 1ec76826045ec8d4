// SPDX-License-Identifier: MIT
/*
 * blk_ring.h: the frontend's half of a blkif ring and the table of what is outstanding on it. It works on a
 * page of memory and nothing else.
 *
 * The backend writes the other half and may write anything at any time. Requests go out from a private copy
 * and are never read back; a response is copied out once (E06, C02); the producer index is read once a pass
 * and must not claim more than is outstanding (C22); the id must be one that is outstanding and the operation
 * the one that was asked for (E07). What does not fit makes the ring broken for good: blk_ring_take() says so
 * each time, and ring->problem says why.
 *
 * An id is the slot number in the low half and a count of the slot's uses in the high half, so that a second
 * answer to an old request is not taken for the answer to the slot's next one.
 */
#ifndef XENSPLIT_FRONTEND_BLK_RING_H
#define XENSPLIT_FRONTEND_BLK_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/blkif_abi.h"
#include "frontend/pool.h"

#define BLK_RING_SLOTS __CONST_RING_SIZE(blkif, GRANT_SIZE)

/* What goes into a slot. Kind and id are at the same place in all. */
union blk_request {
    struct blkif_request plain;
    struct blkif_request_discard discard;
    struct blkif_request_indirect indirect;
};

struct blk_slot {
    uint64_t id;
    uint8_t operation; /* of an indirect request the inner one, which is what a backend answers to */
    bool is_indirect;
    bool is_pending;
};

struct blk_ring {
    blkif_front_ring_t front;
    RING_IDX published; /* our producer index as last pushed: the shared one is not ours to believe */
    RING_IDX seen; /* the backend's producer index as last checked */
    bool is_broken;
    uint32_t free_count;
    uint32_t free[BLK_RING_SLOTS];
    struct blk_slot slot[BLK_RING_SLOTS];
    char problem[160];
};

/* page: GRANT_SIZE bytes, shared with the backend but not announced yet. */
void blk_ring_init(struct blk_ring *ring, void *page);

/* The slot that the next put will take. One must be free. */
static inline uint32_t blk_ring_next(const struct blk_ring *ring)
{
    return ring->free[ring->free_count - 1];
}

/* Takes that slot, sets the request's id and puts the request on the ring, privately. */
void blk_ring_put(struct blk_ring *ring, union blk_request *request);
/* Publishes what was put. True: the backend asks for a notification. */
bool blk_ring_push(struct blk_ring *ring);

struct blk_answer {
    uint32_t slot; /* free again */
    uint8_t operation; /* as asked */
    int16_t status;
};

/* 1 with the next answer, 0 when there is none, -EPROTO when the ring is broken. */
int blk_ring_take(struct blk_ring *ring, struct blk_answer *answer);
/* Asks for an event with the next response. True: there are responses already, take them. */
bool blk_ring_arm(struct blk_ring *ring);
/* Is there something to take? Reads the shared index, asks for nothing. */
bool blk_ring_peek(const struct blk_ring *ring);

static inline uint32_t blk_ring_outstanding(const struct blk_ring *ring)
{
    return (uint32_t)BLK_RING_SLOTS - ring->free_count;
}

#endif
