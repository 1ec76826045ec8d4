// SPDX-License-Identifier: MIT
/*
 * hypercall_shape.h: how many bytes a hypercall's argument has, known alike to the library that copies them
 * and to the hypervisor process that works on the copy.
 *
 * On the wire (XB_OP_HYPERCALL) stand struct xb_hypercall, the argument structure, and in an answer the elements
 * of the array behind the structure's guest handle, at HYPERCALL_ARRAY_OFFSET. The handle itself is not touched.
 */
#ifndef XENBOX_HV_HYPERCALL_SHAPE_H
#define XENBOX_HV_HYPERCALL_SHAPE_H

#include <stddef.h>
#include <stdint.h>

struct hypercall_shape {
    uint32_t nr; /* __HYPERVISOR_* */
    uint32_t cmd; /* the sub-operation: the first argument, or of domctl and sysctl the structure's cmd */
    uint32_t size; /* of the structure; 0: the hypercall has none */
    /* An array that is filled by the hypervisor; element_size 0: there is none. */
    uint32_t element_size;
    uint32_t handle_offset; /* of the guest handle in the structure */
    uint32_t count_offset; /* of the 32-bit number of elements that the caller has room for */
};

/* Where the array starts behind an argument structure of `size` bytes. */
#define HYPERCALL_ARRAY_OFFSET(size) (((size) + 7u) & ~7u)

/* NULL: not implemented. */
const struct hypercall_shape *hypercall_shape_find(uint32_t nr, uint32_t cmd);

/* "sysctl 3": for messages. Returns `text`. */
const char *hypercall_name(uint32_t nr, uint32_t cmd, char *text, size_t size);

#endif
