// SPDX-License-Identifier: MIT
/*
 * hypercall_handler.h: for the files that implement hypercalls. Each has a table of handlers, ended by one
 * without a function; hypercall.c looks a call up in all of them. A handler finds its argument, of the size
 * that hypercall_shape.c gives, in call->arg, changes it in place, and returns what the hypercall returns.
 */
#ifndef XENBOX_HV_HYPERCALL_HANDLER_H
#define XENBOX_HV_HYPERCALL_HANDLER_H

#include <stdint.h>

#include <xen/xen.h>

#include "xenbox/hv/box.h"

/* One call being worked on. */
struct hypercall {
    struct box *box;
    uint16_t caller;
    void *arg;
    void *array; /* where the elements of the answer go */
    uint32_t array_room; /* for how many of them */
    uint32_t array_used;
};

struct hypercall_handler {
    uint32_t nr, cmd;
    int64_t (*handle)(struct hypercall *call);
};

extern const struct hypercall_handler hypercall_version_handlers[]; /* xen_version */
extern const struct hypercall_handler hypercall_control_handlers[]; /* of the toolstack, on other domains */
extern const struct hypercall_handler hypercall_domain_handlers[]; /* what a domain asks for itself */

const struct xb_domain *hypercall_tables(const struct hypercall *call, uint32_t domid);

/* The domain that a hypercall names: its domid, -ESRCH, or -EPERM when the caller may not touch it. */
int hypercall_domain(const struct hypercall *call, domid_t domid);

#endif
