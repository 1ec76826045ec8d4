// SPDX-License-Identifier: MIT
/* hypercall.c: see hypercall.h. Finds the handler; the sizes of the arguments are hypercall_shape.c's. */
#define __XEN_TOOLS__ 1
#include <config.h>

#include "xenbox/hv/hypercall.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>

#include "xenbox/hv/hypercall_handler.h"
#include "xenbox/hv/hypercall_shape.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct xb_domain *hypercall_tables(const struct hypercall *call, uint32_t domid)
{
    return &call->box->tables->domain[domid];
}

int hypercall_domain(const struct hypercall *call, domid_t domid)
{
    if (domid == DOMID_SELF)
        domid = call->caller;
    if (domid != call->caller && call->caller != 0)
        return -EPERM;
    if (domid >= XB_MAX_DOMAINS || hypercall_tables(call, domid)->state == XB_DOMAIN_FREE)
        return -ESRCH;
    return domid;
}

static const struct hypercall_handler *handler_find(uint32_t nr, uint32_t cmd)
{
    static const struct hypercall_handler *const tables[] = {
        hypercall_version_handlers,
        hypercall_control_handlers,
        hypercall_domain_handlers,
    };

    for (size_t i = 0; i < COUNT(tables); i++) {
        for (const struct hypercall_handler *handler = tables[i]; handler->handle; handler++) {
            if (handler->nr == nr && handler->cmd == cmd)
                return handler;
        }
    }
    return NULL;
}

/* Domctl and sysctl are domain 0's alone, and bound to the version of their interface. */
static int64_t hypercall_admit(const struct hypercall *call, uint32_t nr)
{
    if (nr == __HYPERVISOR_domctl &&
        ((struct xen_domctl *)call->arg)->interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    if (nr == __HYPERVISOR_sysctl &&
        ((struct xen_sysctl *)call->arg)->interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    return (nr == __HYPERVISOR_domctl || nr == __HYPERVISOR_sysctl) && call->caller != 0 ? -EPERM : 0;
}

/* Each of them once, so that a tool that asks in a loop does not fill the log. */
static void hypercall_log_unknown(uint16_t caller, uint32_t nr, uint32_t cmd)
{
    static uint64_t logged[64];
    char name[64];

    if (nr < COUNT(logged) && cmd < 64) {
        if (logged[nr] & 1ull << cmd)
            return;
        logged[nr] |= 1ull << cmd;
    }
    fprintf(stderr, "xenbox-hv: hypercall %s of domain %u is not implemented\n",
            hypercall_name(nr, cmd, name, sizeof(name)), caller);
}

void hypercall_handle(struct box *box, uint16_t caller, struct xb_hypercall *request, void *arg, size_t room)
{
    const struct hypercall_shape *shape = hypercall_shape_find(request->nr, request->cmd);
    const struct hypercall_handler *handler = handler_find(request->nr, request->cmd);
    struct hypercall call = { .box = box, .caller = caller, .arg = arg };

    if (!shape || !handler) {
        hypercall_log_unknown(caller, request->nr, request->cmd);
        request->result = -ENOSYS;
        request->size = 0;
        return;
    }
    if (request->size != shape->size || room < shape->size) {
        request->result = -EFAULT;
        request->size = 0;
        return;
    }
    if (shape->element_size) {
        uint32_t wanted;

        memcpy(&wanted, (char *)arg + shape->count_offset, sizeof(wanted));
        call.array = (char *)arg + shape->size;
        call.array_room = (uint32_t)((room - shape->size) / shape->element_size);
        if (call.array_room > wanted)
            call.array_room = wanted;
    }
    request->result = hypercall_admit(&call, request->nr);
    if (request->result == 0)
        request->result = handler->handle(&call);
    request->size += call.array_used * shape->element_size;
}
