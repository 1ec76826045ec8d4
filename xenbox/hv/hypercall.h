// SPDX-License-Identifier: MIT
/*
 * hypercall.h: the hypercalls that programs make through libxencall, on the copy of their argument.
 *
 * Only what the store, libxenctrl's queries and the usual tools need is here; for the rest see
 * hypercall_shape.c. Domain 0 is the privileged one.
 */
#ifndef XENBOX_HV_HYPERCALL_H
#define XENBOX_HV_HYPERCALL_H

#include "xenbox/hv/box.h"

/*
 * Executes one hypercall for a program of domain `caller`. `arg` holds call->size bytes of argument and has
 * room for `room`; at the end call->result is what the hypercall returns (negative: a Xen errno) and
 * call->size says how much of `arg` goes back. What is not implemented is -ENOSYS, and logged once by name.
 */
void hypercall_handle(struct box *box, uint16_t caller, struct xb_hypercall *call, void *arg, size_t room);

#endif
