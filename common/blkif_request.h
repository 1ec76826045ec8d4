// SPDX-License-Identifier: MIT
/*
 * blkif_request.h: what a block request says, and whether it may be served.
 *
 * Pure: bytes in, request out, nothing else is touched, so that decoding can be repeated, replayed and fuzzed.
 * The bytes are a private copy of a ring slot (blkif_ring.h); they were written by the peer and may be anything.
 * Sectors are of 512 bytes here and everywhere in blkif, whatever the disk's own sector is.
 */
#ifndef XENSPLIT_COMMON_BLKIF_REQUEST_H
#define XENSPLIT_COMMON_BLKIF_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/blkif_abi.h"

#define BLKIF_SECTOR_BYTES 512u
#define BLKIF_GRANT_BYTES 4096u /* a grant is 4096 bytes on every architecture */
#define BLKIF_GRANT_SECTORS (BLKIF_GRANT_BYTES / BLKIF_SECTOR_BYTES)

/*
 * The most segments of a request whose segments are in a page of their own: 128 KiB, what Linux's frontend uses
 * unless it is told otherwise. They are in the first of the request's indirect pages, which has room for 512.
 */
#define BLKIF_SEGMENTS_MAX 32u

/*
 * A request in the one form that the rest of the code knows. seg[] holds what the slot had room for; the
 * segments of an indirect request are fetched by who can read grants (blkif_command_indirect_bytes), and are a
 * private copy like the rest from then on. A discard has a count of sectors in their place, and flags where others
 * have the number of segments.
 */
struct blkif_command {
    uint64_t id; /* opaque: echoed, never an index (catalogue C16) */
    uint64_t sector;
    uint32_t sectors; /* sum over the segments; set by blkif_command_check, 0 where there are none */
    uint32_t indirect_ref; /* of an indirect request: the page with its segments */
    uint16_t segment_count; /* as the peer wrote it */
    uint8_t operation; /* BLKIF_OP_* or anything; of an indirect request the inner one, which is echoed */
    uint8_t is_indirect : 1;
    uint8_t is_lost : 1; /* the indirect page cannot be read */
    union {
        struct blkif_request_segment seg[BLKIF_SEGMENTS_MAX];
        uint64_t discard_sectors; /* BLKIF_OP_DISCARD only; as the peer wrote it */
    };
};

/* What the disk is, as far as a request can violate it. */
struct blkif_limits {
    uint64_t sectors; /* size of the disk */
    uint32_t sector_bytes; /* logical sector: 512 or a larger power of two up to 4096 */
    bool is_readonly;
    bool can_flush;
    bool can_discard;
    uint16_t indirect_segments; /* that are offered, at most BLKIF_SEGMENTS_MAX; 0: no indirect requests */
};

enum blkif_verdict {
    BLKIF_VERDICT_OK,
    BLKIF_VERDICT_UNKNOWN_OPERATION,
    BLKIF_VERDICT_READONLY,
    BLKIF_VERDICT_SEGMENT_COUNT,
    BLKIF_VERDICT_INDIRECT_COUNT,
    BLKIF_VERDICT_INDIRECT_OPERATION,
    BLKIF_VERDICT_INDIRECT_PAGE,
    BLKIF_VERDICT_SEGMENT_RANGE,
    BLKIF_VERDICT_ALIGNMENT,
    BLKIF_VERDICT_BEYOND_END,
    BLKIF_VERDICT_EMPTY,
    BLKIF_VERDICTS
};

/*
 * slot: a private copy of a whole slot. Every field of *command is set, but for
 * what is in seg[] beyond the slot's own segments.
 */
void blkif_command_decode(struct blkif_command *command, const void *slot, enum blkif_abi abi);

/*
 * How many bytes of the start of page indirect_ref are to be copied to seg[] before the check; 0 when there is
 * nothing to fetch, or the check refuses the command anyway. Where the copy fails, set is_lost.
 */
uint32_t blkif_command_indirect_bytes(const struct blkif_command *command, const struct blkif_limits *limits);

/* The whole check, once. Only after BLKIF_VERDICT_OK may sector, sectors, seg[] and discard_sectors be used. */
enum blkif_verdict blkif_command_check(struct blkif_command *command, const struct blkif_limits *limits);

/* The status that the peer gets (BLKIF_RSP_*), and the words for the log. */
int16_t blkif_verdict_status(enum blkif_verdict verdict);
const char *blkif_verdict_text(enum blkif_verdict verdict);
const char *blkif_operation_name(uint8_t operation);

static inline uint32_t blkif_segment_sectors(const struct blkif_request_segment *segment)
{
    return (uint32_t)segment->last_sect - segment->first_sect + 1;
}

#endif
