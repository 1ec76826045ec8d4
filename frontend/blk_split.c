// SPDX-License-Identifier: MIT
/*
 * blk_split.c: see blk_split.h.
 */
#include <config.h>

#include "frontend/blk_split.h"
#include "frontend/pool.h"
#include "frontend/xenfront.h"

void blk_split(size_t at, size_t length, unsigned int most, struct blk_cut *cut)
{
    cut->bytes = 0;
    cut->count = 0;
    while (length && cut->count < most) {
        size_t first = at % GRANT_SIZE;
        size_t bytes = GRANT_SIZE - first < length ? GRANT_SIZE - first : length;

        cut->piece[cut->count++] = (struct blk_piece){
            .page = (uint32_t)(at / GRANT_SIZE),
            .first_sector = (uint8_t)(first / XENFRONT_SECTOR_SIZE),
            .last_sector = (uint8_t)((first + bytes) / XENFRONT_SECTOR_SIZE - 1),
        };
        cut->bytes += bytes;
        at += bytes;
        length -= bytes;
    }
}
