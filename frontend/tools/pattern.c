// SPDX-License-Identifier: MIT
/*
 * pattern.c: see pattern.h.
 */
#include <config.h>

#include <string.h>

#include "frontend/tools/pattern.h"

#define PATTERN_MAGIC 0x7966697265766678u /* "xfverify" in memory */
#define PATTERN_WORDS (PATTERN_SECTOR / sizeof(uint64_t))

enum { WORD_MAGIC, WORD_SEED, WORD_SECTOR, WORD_SEQUENCE, WORD_DATA };

/* splitmix64: each call is a step of a Weyl sequence and a finaliser. */
uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t random_below(uint64_t *state, uint64_t bound)
{
    return (uint64_t)((unsigned __int128)random_next(state) * bound >> 64);
}

void pattern_fill(uint8_t *data, uint64_t seed, uint64_t sector, uint64_t sequence)
{
    uint64_t words[PATTERN_WORDS] = { PATTERN_MAGIC, seed, sector, sequence };
    uint64_t state = seed;

    state = random_next(&state) ^ sector;
    state = random_next(&state) ^ sequence;
    for (size_t i = WORD_DATA; i < PATTERN_WORDS; i++)
        words[i] = random_next(&state);
    memcpy(data, words, PATTERN_SECTOR);
}

/* What is this sector, if it is one of ours? */
static void identify(const uint8_t *data, struct pattern_found *found)
{
    uint64_t words[PATTERN_WORDS];
    uint8_t again[PATTERN_SECTOR];

    memcpy(words, data, PATTERN_SECTOR);
    found->seed = words[WORD_SEED];
    found->sector = words[WORD_SECTOR];
    found->sequence = words[WORD_SEQUENCE];
    pattern_fill(again, found->seed, found->sector, found->sequence);
    found->is_pattern = memcmp(again, data, PATTERN_SECTOR) == 0;
}

bool pattern_check(const uint8_t *data, uint64_t seed, uint64_t sector, uint64_t sequence,
                   struct pattern_found *found)
{
    uint8_t expected[PATTERN_SECTOR];
    size_t at = 0;

    pattern_fill(expected, seed, sector, sequence);
    if (memcmp(expected, data, PATTERN_SECTOR) == 0)
        return true;
    while (expected[at] == data[at])
        at++;
    found->at = at;
    found->expected = expected[at];
    found->found = data[at];
    identify(data, found);
    return false;
}

bool pattern_check_any(const uint8_t *data, uint64_t seed, uint64_t sector, struct pattern_found *found)
{
    uint64_t sequence;

    memcpy(&sequence, data + WORD_SEQUENCE * sizeof(sequence), sizeof(sequence));
    return pattern_check(data, seed, sector, sequence, found);
}
