// SPDX-License-Identifier: MIT
/*
 * hypercall_shape.h: how many bytes a hypercall's argument has, known alike to the library that copies them
 * and to the hypervisor process that works on the copy.
 *
 * On the wire (XB_OP_HYPERCALL) stand struct xb_hypercall, the argument structure, and in an answer right
 * behind it the elements of the array that the structure's guest handle refers to. The handle itself is not
 * touched.
 */
#ifndef XENBOX_HV_HYPERCALL_SHAPE_H
#define XENBOX_HV_HYPERCALL_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "xenbox/hv/proto.h"

struct hypercall_shape {
    uint32_t nr; /* __HYPERVISOR_* */
    uint32_t cmd; /* the sub-operation: the first argument, or of domctl and sysctl the structure's cmd */
    uint32_t size; /* of the structure; 0: the hypercall has none; a multiple of 8 where an array follows */
    /* An array that is filled by the hypervisor; element_size 0: there is none. */
    uint32_t element_size;
    uint32_t handle_offset; /* of the guest handle in the structure */
    uint32_t count_offset; /* of the 32-bit number of elements that the caller has room for */
};

/* How many elements of the array one answer has room for. */
#define HYPERCALL_ARRAY_MAX(shape)                                                                           \
    ((XB_MAX_PAYLOAD - (uint32_t)sizeof(struct xb_hypercall) - (shape)->size) / (shape)->element_size)

/* NULL: not implemented. */
const struct hypercall_shape *hypercall_shape_find(uint32_t nr, uint32_t cmd);

/* "sysctl 3": for messages. Returns `text`. */
const char *hypercall_name(uint32_t nr, uint32_t cmd, char *text, size_t size);

#endif
