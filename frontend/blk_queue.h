// SPDX-License-Identifier: MIT
/*
 * blk_queue.h: the requests of the program on their way over one ring: waiting, cut into ring requests, put
 * together again, completed. Everything is allocated at the start; the request path allocates nothing and
 * makes no system call.
 *
 * Completion runs callbacks, and a callback may add requests; it never re-enters the functions that run
 * callbacks (the caller sees to that).
 */
#ifndef XENSPLIT_FRONTEND_BLK_QUEUE_H
#define XENSPLIT_FRONTEND_BLK_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/blk_ring.h"
#include "frontend/blk_split.h"
#include "frontend/iov.h"
#include "frontend/pool.h"
#include "frontend/xenfront.h"

/* A request of the program: free, or waiting (not all of it is on the ring yet), or with parts on the ring. */
struct blk_io {
    struct blk_io *next; /* in the list of free or of waiting ones */
    uint8_t operation; /* BLKIF_OP_* */
    bool is_waiting;
    int status; /* the first error */
    uint32_t parts; /* on the ring */
    uint64_t sector; /* of the next part */
    uint64_t left; /* bytes that are not on the ring yet */
    uint64_t length;
    struct iov_cursor cursor; /* of the next part, when the data is copied */
    struct iovec single; /* what the cursor walks, when the program gave no vector */
    const struct region *direct; /* the data's pages, when it is not copied */
    size_t direct_at; /* byte in them, of the next part */
    uint32_t *busy; /* counts the requests that use `direct` */
    xenfront_blk_fn fn;
    void *cookie;
};

/* What is in a slot of the ring. */
struct blk_part {
    struct blk_io *io;
    struct iov_cursor cursor; /* where a read's data goes */
    struct blk_cut cut;
    uint32_t pages; /* of the pool; 0 when the data is not copied */
    uint32_t page[BLKIF_SEGMENTS_MAX];
};

struct blk_queue {
    struct blk_ring ring;
    struct pool *pool;
    uint16_t handle; /* blkif_request.handle */
    unsigned int most; /* segments of a ring request */
    const struct region
        *lists; /* a page a slot, for the segments of indirect requests; NULL: none of those */
    struct blk_io *ios;
    uint32_t depth;
    uint32_t in_flight; /* ios that are not free */
    struct blk_io *free;
    struct blk_io *head; /* waiting, oldest first */
    struct blk_io **tail;
    struct xenfront_blk_stats *stats;
    struct blk_part part[BLK_RING_SLOTS];
};

int blk_queue_init(struct blk_queue *queue, uint32_t depth, struct xenfront_blk_stats *stats);
void blk_queue_fini(struct blk_queue *queue);
/* Starts on a new ring. No io may be in flight. */
void blk_queue_connect(struct blk_queue *queue, void *ring_page, struct pool *pool, uint16_t handle);
/*
 * The backend takes indirect requests of so many segments: those that a slot has no room for go into the slot's page
 * of lists. Between connect and the first request.
 */
void blk_queue_indirect(struct blk_queue *queue, const struct region *lists, unsigned int most);

/* Takes over a checked request: operation, sector, length, data, fn and cookie are set. 0 or -EAGAIN. */
int blk_queue_add(struct blk_queue *queue, const struct blk_io *request);
/* Puts on the ring what fits, privately. Returns the number of ring requests. */
uint32_t blk_queue_issue(struct blk_queue *queue);
/*
 * Takes responses, at most max, and runs the callbacks of what they complete. Returns the number of
 * callbacks, or -EPROTO when the ring is broken: the reason is in ring.problem, and blk_queue_abort() is due.
 */
int blk_queue_reap(struct blk_queue *queue, uint32_t max);
/* Completes everything in flight with status; the ring is not used any more. Returns the number of callbacks. */
int blk_queue_abort(struct blk_queue *queue, int status);

#endif
