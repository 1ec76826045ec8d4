// SPDX-License-Identifier: MIT
/* hypercall_domain.c: event channels, grant table and memory of a domain, for itself or for domain 0. */
#define __XEN_TOOLS__ 1
#include <config.h>

#include <errno.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>

#include "xenbox/hv/domain.h"
#include "xenbox/hv/event_channel.h"
#include "xenbox/hv/frames.h"
#include "xenbox/hv/hypercall_handler.h"

/* A port that was made by a hypercall has no listener: it is a kernel's. */
#define NO_SINK 0

static int64_t evtchn_op_alloc_unbound(struct hypercall *call)
{
    struct evtchn_alloc_unbound *op = call->arg;
    int domid = hypercall_domain(call, op->dom);
    int port;

    if (domid < 0)
        return domid;
    port = port_alloc_unbound(call->box, (uint16_t)domid,
                              op->remote_dom == DOMID_SELF ? call->caller : op->remote_dom, NO_SINK);
    if (port < 0)
        return port;
    op->port = (evtchn_port_t)port;
    return 0;
}

static int64_t evtchn_op_bind_interdomain(struct hypercall *call)
{
    struct evtchn_bind_interdomain *op = call->arg;
    int port = port_bind_interdomain(call->box, call->caller,
                                     op->remote_dom == DOMID_SELF ? call->caller : op->remote_dom,
                                     op->remote_port, NO_SINK);

    if (port < 0)
        return port;
    op->local_port = (evtchn_port_t)port;
    return 0;
}

static int64_t evtchn_op_bind_virq(struct hypercall *call)
{
    struct evtchn_bind_virq *op = call->arg;
    int port = op->vcpu == 0 ? port_bind_virq(call->box, call->caller, op->virq, NO_SINK) : -ENOENT;

    if (port < 0)
        return port;
    op->port = (evtchn_port_t)port;
    return 0;
}

static int64_t evtchn_op_close(struct hypercall *call)
{
    return port_close(call->box, call->caller, ((struct evtchn_close *)call->arg)->port);
}

static int64_t evtchn_op_send(struct hypercall *call)
{
    return port_send(call->box, call->caller, ((struct evtchn_send *)call->arg)->port);
}

static int64_t evtchn_op_status(struct hypercall *call)
{
    struct evtchn_status *op = call->arg;
    int domid = hypercall_domain(call, op->dom);
    uint64_t link;

    if (domid < 0)
        return domid;
    if (op->port >= call->box->tables->limits.event_channels || op->port >= XB_MAX_PORTS)
        return -EINVAL;
    link = hypercall_tables(call, (uint32_t)domid)->port[op->port].link;
    op->vcpu = 0;
    switch (XB_LINK_TYPE(link)) {
    case XB_PORT_FREE:
        op->status = EVTCHNSTAT_closed;
        break;
    case XB_PORT_UNBOUND:
        op->status = EVTCHNSTAT_unbound;
        op->u.unbound.dom = XB_LINK_DOMID(link);
        break;
    case XB_PORT_INTERDOMAIN:
        op->status = EVTCHNSTAT_interdomain;
        op->u.interdomain.dom = XB_LINK_DOMID(link);
        op->u.interdomain.port = XB_LINK_PORT(link);
        break;
    case XB_PORT_VIRQ:
        op->status = EVTCHNSTAT_virq;
        op->u.virq = XB_LINK_PORT(link);
        break;
    }
    return 0;
}

/* Closes all ports of the domain; the other ends are unbound then. */
static int64_t evtchn_op_reset(struct hypercall *call)
{
    int domid = hypercall_domain(call, ((struct evtchn_reset *)call->arg)->dom);

    if (domid < 0)
        return domid;
    if (!domain_find(call->box, (uint32_t)domid))
        return -ESRCH;
    for (uint32_t port = 1; port < XB_MAX_PORTS; port++)
        port_close(call->box, (uint16_t)domid, port);
    return 0;
}

static int64_t gnttab_op_query_size(struct hypercall *call)
{
    struct gnttab_query_size *op = call->arg;
    int domid = hypercall_domain(call, op->dom);

    op->status = domid == -EPERM ? GNTST_permission_denied : domid < 0 ? GNTST_bad_domain : GNTST_okay;
    if (domid >= 0)
        op->nr_frames = op->max_nr_frames = call->box->tables->limits.grant_frames;
    return 0;
}

static int64_t gnttab_op_get_version(struct hypercall *call)
{
    struct gnttab_get_version *op = call->arg;
    int domid = hypercall_domain(call, op->dom);

    if (domid < 0)
        return domid;
    op->version = 1;
    return 0;
}

static int64_t memory_op_maximum_ram_page(struct hypercall *call)
{
    return XB_MAX_FRAMES - 1;
}

/* Domains share pages by grants only. */
static int64_t memory_op_shared_pages(struct hypercall *call)
{
    return 0;
}

static int64_t memory_op_current_reservation(struct hypercall *call)
{
    int domid = hypercall_domain(call, *(domid_t *)call->arg);

    if (domid < 0)
        return domid;
    return hypercall_tables(call, (uint32_t)domid)->tot_pages;
}

static int64_t memory_op_maximum_reservation(struct hypercall *call)
{
    int domid = hypercall_domain(call, *(domid_t *)call->arg);

    if (domid < 0)
        return domid;
    return hypercall_tables(call, (uint32_t)domid)->max_pages;
}

/* A guest frame number is the number of its frame in the box. */
static int64_t memory_op_maximum_gpfn(struct hypercall *call)
{
    int domid = hypercall_domain(call, *(domid_t *)call->arg);

    if (domid < 0)
        return domid;
    for (uint32_t frame = XB_MAX_FRAMES - 1; frame > 0; frame--) {
        if (frame % 64 == 63 && !call->box->frame_is_used[frame / 64])
            frame -= 63;
        else if (frame_is_owned(call->box, frame, (uint16_t)domid))
            return frame;
    }
    return 0;
}

static int64_t hvm_op_get_param(struct hypercall *call)
{
    struct xen_hvm_param *op = call->arg;
    int domid = hypercall_domain(call, op->domid);
    const struct xb_domain *domain;

    if (domid < 0)
        return domid;
    domain = hypercall_tables(call, (uint32_t)domid);
    switch (op->index) {
    case HVM_PARAM_STORE_PFN:
        op->value = domain->store_frame;
        return 0;
    case HVM_PARAM_STORE_EVTCHN:
        op->value = domain->store_port;
        return 0;
    case HVM_PARAM_CONSOLE_PFN:
        op->value = domain->console_frame;
        return 0;
    case HVM_PARAM_CONSOLE_EVTCHN:
        op->value = domain->console_port;
        return 0;
    default:
        return -EINVAL;
    }
}

const struct hypercall_handler hypercall_domain_handlers[] = {
    { __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, evtchn_op_alloc_unbound },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, evtchn_op_bind_interdomain },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, evtchn_op_bind_virq },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_close, evtchn_op_close },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_send, evtchn_op_send },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_status, evtchn_op_status },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_reset, evtchn_op_reset },
    { __HYPERVISOR_grant_table_op, GNTTABOP_query_size, gnttab_op_query_size },
    { __HYPERVISOR_grant_table_op, GNTTABOP_get_version, gnttab_op_get_version },
    { __HYPERVISOR_memory_op, XENMEM_maximum_ram_page, memory_op_maximum_ram_page },
    { __HYPERVISOR_memory_op, XENMEM_current_reservation, memory_op_current_reservation },
    { __HYPERVISOR_memory_op, XENMEM_maximum_reservation, memory_op_maximum_reservation },
    { __HYPERVISOR_memory_op, XENMEM_maximum_gpfn, memory_op_maximum_gpfn },
    { __HYPERVISOR_hvm_op, HVMOP_get_param, hvm_op_get_param },
    { __HYPERVISOR_memory_op, XENMEM_get_sharing_freed_pages, memory_op_shared_pages },
    { __HYPERVISOR_memory_op, XENMEM_get_sharing_shared_pages, memory_op_shared_pages },
    { 0, 0, NULL },
};
