// SPDX-License-Identifier: MIT
/*
 * blkif_abi.h: the layouts that a block ring may have. A guest writes requests as its own compiler lays them
 * out and says which in its `protocol` node: 64-bit fields are aligned to 8 bytes on x86_64 and to 4 on x86_32.
 * The native layout is the one of <xen/io/blkif.h>; the x86_32 one is the same structure packed to 4.
 */
#ifndef XENSPLIT_COMMON_BLKIF_ABI_H
#define XENSPLIT_COMMON_BLKIF_ABI_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/barrier.h"
#include <xen/grant_table.h>
#include <xen/event_channel.h>
#define XEN_RING_HAS_UNCONSUMED_IS_BOOL
#include <xen/io/ring.h>
#include <xen/io/blkif.h>
#include <xen/io/protocols.h>

enum blkif_abi { BLKIF_ABI_NATIVE, BLKIF_ABI_X86_32 };

#pragma pack(push, 4)
struct blkif_x86_32_request {
    uint8_t operation;
    uint8_t nr_segments;
    blkif_vdev_t handle;
    uint64_t id;
    blkif_sector_t sector_number;
    struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

struct blkif_x86_32_request_discard {
    uint8_t operation;
    uint8_t flag;
    blkif_vdev_t handle;
    uint64_t id;
    blkif_sector_t sector_number;
    uint64_t nr_sectors;
};
struct blkif_x86_32_request_indirect {
    uint8_t operation;
    uint8_t indirect_op;
    uint16_t nr_segments;
    uint64_t id;
    blkif_sector_t sector_number;
    blkif_vdev_t handle;
    grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
};

struct blkif_x86_32_response {
    uint64_t id;
    uint8_t operation;
    int16_t status;
};
#pragma pack(pop)

DEFINE_RING_TYPES(blkif_x86_32, struct blkif_x86_32_request, struct blkif_x86_32_response);

/* From blkif.h and the i386 psABI; the ring would be garbage if a compiler saw it otherwise. */
_Static_assert(sizeof(struct blkif_request) == 112 && sizeof(struct blkif_response) == 16, "x86_64 layout");
_Static_assert(offsetof(struct blkif_request, id) == 8, "x86_64 layout");
_Static_assert(sizeof(struct blkif_x86_32_request) == 108, "x86_32 layout");
_Static_assert(sizeof(struct blkif_x86_32_response) == 12, "x86_32 layout");
_Static_assert(offsetof(struct blkif_request_discard, nr_sectors) == 24, "x86_64 layout");
_Static_assert(offsetof(struct blkif_x86_32_request_discard, nr_sectors) == 20, "x86_32 layout");
_Static_assert(offsetof(struct blkif_request_indirect, indirect_grefs) == 28, "x86_64 layout");
_Static_assert(offsetof(struct blkif_x86_32_request_indirect, indirect_grefs) == 24, "x86_32 layout");
_Static_assert(sizeof(struct blkif_request_indirect) <= sizeof(struct blkif_request), "fits into a slot");
_Static_assert(sizeof(struct blkif_request_segment) == 8, "the same on both, also in an indirect page");
_Static_assert(offsetof(struct blkif_x86_32_request, id) == 4, "x86_32 layout");

/* The `protocol` node's value, NULL when absent; 0 or -EINVAL for a layout that nobody here speaks. */
int blkif_abi_parse(const char *protocol, enum blkif_abi *abi);
const char *blkif_abi_name(enum blkif_abi abi);

#endif
