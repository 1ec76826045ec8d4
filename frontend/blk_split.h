// SPDX-License-Identifier: MIT
/*
 * blk_split.h: cutting a request into what one ring request can carry, and walking an iovec. Pure.
 */
#ifndef XENSPLIT_FRONTEND_BLK_SPLIT_H
#define XENSPLIT_FRONTEND_BLK_SPLIT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/barrier.h"
#include <xen/io/blkif.h>

struct blk_piece { /* one segment: sectors first to last, inclusive, of the page */
    uint32_t page; /* counted from the start of the buffer */
    uint8_t first_sector;
    uint8_t last_sector;
};

struct blk_cut {
    size_t bytes; /* that the pieces cover */
    unsigned int count;
    struct blk_piece piece[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

/*
 * The longest ring request that starts at byte `at` of a buffer made of pages and has at most length bytes.
 * Both are multiples of the sector size, and so is every end of a piece, since the sector size divides the
 * page.
 */
void blk_split(size_t at, size_t length, struct blk_cut *cut);

/* A place in an iovec. Entries of length 0 are skipped. */
struct iov_cursor {
    const struct iovec *iov;
    size_t offset; /* in *iov */
};

/* Move length bytes between the places at cursor and memory, and the cursor with them. */
void iov_copy_out(struct iov_cursor *cursor, void *to, size_t length);
void iov_copy_in(struct iov_cursor *cursor, const void *from, size_t length);
void iov_skip(struct iov_cursor *cursor, size_t length);
/* The sum of all lengths; SIZE_MAX when it does not fit. */
size_t iov_length(const struct iovec *iov, int count);

#endif
