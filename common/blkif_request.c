// SPDX-License-Identifier: MIT
/*
 * blkif_request.c: decoding and checking of block requests. No I/O, no state, no logging: any thread.
 */
#include <config.h>

#include "common/blkif_request.h"

#include <errno.h>

/* What each operation is, and what it may do to a read-only disk (catalogue C12: one table for all of them). */
static const struct operation {
    const char *name;
    bool has_data;
    bool is_write;
} operations[] = {
    [BLKIF_OP_READ] = { .name = "read", .has_data = true },
    [BLKIF_OP_WRITE] = { .name = "write", .has_data = true, .is_write = true },
    [BLKIF_OP_WRITE_BARRIER] = { .name = "write-barrier", .has_data = true, .is_write = true },
    [BLKIF_OP_FLUSH_DISKCACHE] = { .name = "flush" },
    [BLKIF_OP_RESERVED_1] = { .name = "packet" },
    [BLKIF_OP_DISCARD] = { .name = "discard", .is_write = true },
    [BLKIF_OP_INDIRECT] = { .name = "indirect" },
};

static const struct {
    int16_t status;
    const char *text;
} verdicts[BLKIF_VERDICTS] = {
    [BLKIF_VERDICT_OK] = { BLKIF_RSP_OKAY, "good" },
    [BLKIF_VERDICT_UNKNOWN_OPERATION] = { BLKIF_RSP_EOPNOTSUPP, "an operation that was not offered" },
    [BLKIF_VERDICT_READONLY] = { BLKIF_RSP_ERROR, "a write to a read-only disk" },
    [BLKIF_VERDICT_SEGMENT_COUNT] = { BLKIF_RSP_ERROR, "a segment count outside 1 to 11" },
    [BLKIF_VERDICT_INDIRECT_COUNT] = { BLKIF_RSP_ERROR,
                                       "more or fewer indirect segments than 1 to those offered" },
    [BLKIF_VERDICT_INDIRECT_OPERATION] = { BLKIF_RSP_ERROR, "an indirect request that is no read or write" },
    [BLKIF_VERDICT_INDIRECT_PAGE] = { BLKIF_RSP_ERROR, "a page of indirect segments that cannot be read" },
    [BLKIF_VERDICT_SEGMENT_RANGE] = { BLKIF_RSP_ERROR, "a segment that is not first <= last <= 7" },
    [BLKIF_VERDICT_ALIGNMENT] = { BLKIF_RSP_ERROR, "a range that is not aligned to the disk's sector" },
    [BLKIF_VERDICT_BEYOND_END] = { BLKIF_RSP_ERROR, "a range past the end of the disk" },
    [BLKIF_VERDICT_EMPTY] = { BLKIF_RSP_ERROR, "a discard of no sectors" },
};

static const char *const abi_names[] = {
    [BLKIF_ABI_NATIVE] = XEN_IO_PROTO_ABI_NATIVE,
    [BLKIF_ABI_X86_32] = XEN_IO_PROTO_ABI_X86_32,
};

int blkif_abi_parse(const char *protocol, enum blkif_abi *abi)
{
    if (!protocol) {
        *abi = BLKIF_ABI_NATIVE;
        return 0;
    }
    for (unsigned int i = 0; i < sizeof(abi_names) / sizeof(abi_names[0]); i++) {
        if (strcmp(protocol, abi_names[i]) == 0) {
            *abi = i;
            return 0;
        }
    }
    return -EINVAL;
}

_Static_assert(BLKIF_SEGMENTS_MAX * sizeof(struct blkif_request_segment) <= BLKIF_GRANT_BYTES, "in one page");

const char *blkif_abi_name(enum blkif_abi abi)
{
    return abi_names[abi];
}

/* The same for both layouts; only the offsets differ. Segments beyond the maximum do not exist in the slot. */
#define COMMAND_FROM(command, request)                                                                       \
    do {                                                                                                     \
        (command)->operation = (request)->operation;                                                         \
        (command)->segment_count = (request)->nr_segments;                                                   \
        (command)->id = (request)->id;                                                                       \
        (command)->sector = (request)->sector_number;                                                        \
        memcpy((command)->seg, (request)->seg, sizeof((request)->seg));                                      \
    } while (0)

#define COMMAND_FROM_DISCARD(command, request)                                                               \
    do {                                                                                                     \
        (command)->operation = (request)->operation;                                                         \
        (command)->segment_count = (request)->flag;                                                          \
        (command)->id = (request)->id;                                                                       \
        (command)->sector = (request)->sector_number;                                                        \
        (command)->discard_sectors = (request)->nr_sectors;                                                  \
    } while (0)

#define COMMAND_FROM_INDIRECT(command, request)                                                              \
    do {                                                                                                     \
        (command)->is_indirect = true;                                                                       \
        (command)->operation = (request)->indirect_op;                                                       \
        (command)->segment_count = (request)->nr_segments;                                                   \
        (command)->id = (request)->id;                                                                       \
        (command)->sector = (request)->sector_number;                                                        \
        (command)->indirect_ref = (request)->indirect_grefs[0];                                              \
    } while (0)

void blkif_command_decode(struct blkif_command *command, const void *slot, enum blkif_abi abi)
{
    const uint8_t operation = *(const uint8_t *)slot; /* first byte of every layout */
    const bool is_indirect = operation == BLKIF_OP_INDIRECT, is_discard = operation == BLKIF_OP_DISCARD;

    command->sectors = 0;
    command->indirect_ref = 0;
    command->is_indirect = false;
    command->is_lost = false;
    if (is_indirect && abi == BLKIF_ABI_X86_32)
        COMMAND_FROM_INDIRECT(command, (const struct blkif_x86_32_request_indirect *)slot);
    else if (is_indirect)
        COMMAND_FROM_INDIRECT(command, (const struct blkif_request_indirect *)slot);
    else if (is_discard && abi == BLKIF_ABI_X86_32)
        COMMAND_FROM_DISCARD(command, (const struct blkif_x86_32_request_discard *)slot);
    else if (is_discard)
        COMMAND_FROM_DISCARD(command, (const struct blkif_request_discard *)slot);
    else if (abi == BLKIF_ABI_X86_32)
        COMMAND_FROM(command, (const struct blkif_x86_32_request *)slot);
    else
        COMMAND_FROM(command, (const struct blkif_request *)slot);
}

static bool is_count_possible(const struct blkif_command *command, const struct blkif_limits *limits)
{
    uint16_t most = command->is_indirect ? limits->indirect_segments : BLKIF_MAX_SEGMENTS_PER_REQUEST;

    return command->segment_count >= 1 && command->segment_count <= most;
}

uint32_t blkif_command_indirect_bytes(const struct blkif_command *command, const struct blkif_limits *limits)
{
    if (!command->is_indirect || !is_count_possible(command, limits))
        return 0;
    return command->segment_count * (uint32_t)sizeof(command->seg[0]);
}

/* What is special about a request whose segments are in a page of their own. */
static enum blkif_verdict check_indirect(const struct blkif_command *command,
                                         const struct blkif_limits *limits)
{
    if (limits->indirect_segments == 0)
        return BLKIF_VERDICT_UNKNOWN_OPERATION;
    if (command->operation != BLKIF_OP_READ && command->operation != BLKIF_OP_WRITE)
        return BLKIF_VERDICT_INDIRECT_OPERATION;
    if (!is_count_possible(command, limits))
        return BLKIF_VERDICT_INDIRECT_COUNT;
    return command->is_lost ? BLKIF_VERDICT_INDIRECT_PAGE : BLKIF_VERDICT_OK;
}

/* The whole of the disk's sectors, and on the disk. A length of 64 bits: nothing is added to it. */
static enum blkif_verdict check_range(uint64_t sector, uint64_t sectors, const struct blkif_limits *limits)
{
    if ((sector | sectors) & (limits->sector_bytes / BLKIF_SECTOR_BYTES - 1))
        return BLKIF_VERDICT_ALIGNMENT;
    if (sectors > limits->sectors || sector > limits->sectors - sectors)
        return BLKIF_VERDICT_BEYOND_END;
    return BLKIF_VERDICT_OK;
}

static enum blkif_verdict check_segments(struct blkif_command *command, const struct blkif_limits *limits)
{
    uint32_t mask = limits->sector_bytes / BLKIF_SECTOR_BYTES - 1;
    uint32_t sectors = 0;

    if (!is_count_possible(command, limits))
        return BLKIF_VERDICT_SEGMENT_COUNT;
    for (unsigned int i = 0; i < command->segment_count; i++) {
        const struct blkif_request_segment *segment = &command->seg[i];

        /* Compared directly: a difference of unsigned values would hide first > last (catalogue C04). */
        if (segment->first_sect > segment->last_sect || segment->last_sect >= BLKIF_GRANT_SECTORS)
            return BLKIF_VERDICT_SEGMENT_RANGE;
        if ((segment->first_sect | (segment->last_sect + 1u)) & mask)
            return BLKIF_VERDICT_ALIGNMENT;
        sectors += blkif_segment_sectors(segment);
    }
    command->sectors = sectors;
    return check_range(command->sector, sectors, limits);
}

static bool is_offered(uint8_t operation, const struct blkif_limits *limits)
{
    switch (operation) {
    case BLKIF_OP_READ:
    case BLKIF_OP_WRITE:
        return true;
    case BLKIF_OP_FLUSH_DISKCACHE:
        return limits->can_flush;
    case BLKIF_OP_DISCARD:
        return limits->can_discard;
    default:
        return false;
    }
}

enum blkif_verdict blkif_command_check(struct blkif_command *command, const struct blkif_limits *limits)
{
    enum blkif_verdict verdict = command->is_indirect ? check_indirect(command, limits) : BLKIF_VERDICT_OK;

    command->sectors = 0;
    if (verdict != BLKIF_VERDICT_OK)
        return verdict;
    if (!is_offered(command->operation, limits))
        return BLKIF_VERDICT_UNKNOWN_OPERATION;
    if (operations[command->operation].is_write && limits->is_readonly)
        return BLKIF_VERDICT_READONLY;
    if (operations[command->operation].has_data)
        return check_segments(command, limits);
    command->segment_count = 0; /* of a discard the flags; and some frontends leave old segments in a flush */
    if (command->operation != BLKIF_OP_DISCARD)
        return BLKIF_VERDICT_OK;
    return command->discard_sectors ? check_range(command->sector, command->discard_sectors, limits)
                                    : BLKIF_VERDICT_EMPTY;
}

int16_t blkif_verdict_status(enum blkif_verdict verdict)
{
    return verdicts[verdict].status;
}

const char *blkif_verdict_text(enum blkif_verdict verdict)
{
    return verdicts[verdict].text;
}

const char *blkif_operation_name(uint8_t operation)
{
    return operation < sizeof(operations) / sizeof(operations[0]) ? operations[operation].name : "unknown";
}
