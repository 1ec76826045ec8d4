// SPDX-License-Identifier: MIT
/*
 * blkfront.h: the handle of a vbd, shared by the files that make it: blkfront.c (what front.h asks of a kind) and
 * blk_io.c (requests).
 */
#ifndef XENSPLIT_FRONTEND_BLKFRONT_H
#define XENSPLIT_FRONTEND_BLKFRONT_H

#include "frontend/blk_queue.h"
#include "frontend/front.h"
#include "frontend/xenfront.h"

struct xenfront_blk {
    struct front front; /* first: see FRONT_OF */
    struct xenfront_blk_options options; /* with the defaults filled in */
    bool has_info;
    struct blk_queue queue;
    uint32_t unpublished; /* requests that were added since the last push */
    struct region lists; /* the segments of indirect requests, a page a slot; empty: the backend takes none */
    struct xenfront_blk_info info;
    struct xenfront_blk_stats stats; /* but what front counts */
};

/* Issues and publishes what waits, notifies if asked. Returns the number of ring requests. */
uint32_t blk_push(struct front *front);

#endif
