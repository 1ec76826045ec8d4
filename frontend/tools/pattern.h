// SPDX-License-Identifier: MIT
/*
 * pattern.h: sectors that describe themselves. Each holds its own place on the disk, the number of the write
 * that put it there, the seed, and random bytes made from the three, so that a sector that is found says
 * where it belongs and when it was written: a lost write, a misplaced one and a torn one look different.
 * Pure.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_PATTERN_H
#define XENSPLIT_FRONTEND_TOOLS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_SECTOR 512u

/* A stream of random numbers; the state is the seed. */
uint64_t random_next(uint64_t *state);
/* 0 <= result < bound; bound is not 0. */
uint64_t random_below(uint64_t *state, uint64_t bound);

/* sector: its number on the disk. */
void pattern_fill(uint8_t *data, uint64_t seed, uint64_t sector, uint64_t sequence);

struct pattern_found {
    size_t at; /* the first byte that differs */
    uint8_t expected; /* there */
    uint8_t found;
    bool is_pattern; /* what was found is a whole sector of this kind, from: */
    uint64_t seed;
    uint64_t sector;
    uint64_t sequence;
};

/* True when data is what pattern_fill() writes; else *found says what it is. */
bool pattern_check(const uint8_t *data, uint64_t seed, uint64_t sector, uint64_t sequence,
                   struct pattern_found *found);
/* The same for any sequence number: true when data belongs at sector and is whole. */
bool pattern_check_any(const uint8_t *data, uint64_t seed, uint64_t sector, struct pattern_found *found);

#endif
