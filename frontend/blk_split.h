// SPDX-License-Identifier: MIT
/*
 * blk_split.h: cutting a request into what one ring request can carry. Pure.
 */
#ifndef XENSPLIT_FRONTEND_BLK_SPLIT_H
#define XENSPLIT_FRONTEND_BLK_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "common/blkif_request.h"

struct blk_piece { /* one segment: sectors first to last, inclusive, of the page */
    uint32_t page; /* counted from the start of the buffer */
    uint8_t first_sector;
    uint8_t last_sector;
};

struct blk_cut {
    size_t bytes; /* that the pieces cover */
    unsigned int count;
    struct blk_piece piece[BLKIF_SEGMENTS_MAX];
};

/*
 * The longest ring request that starts at byte `at` of a buffer made of pages and has at most length bytes and
 * most pieces (1 to BLKIF_SEGMENTS_MAX). Bytes are multiples of the sector size, and so is every end of a piece,
 * since the sector size divides the page.
 */
void blk_split(size_t at, size_t length, unsigned int most, struct blk_cut *cut);

#endif
