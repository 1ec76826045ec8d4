// SPDX-License-Identifier: MIT
/* hypercall.c: see hypercall.h. A table of handlers; the sizes of their arguments are hypercall_shape.c's. */
#define __XEN_TOOLS__ 1
#include <config.h>

#include "xenbox/hv/hypercall.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/version.h>

#include "xenbox/hv/domain.h"
#include "xenbox/hv/event_channel.h"
#include "xenbox/hv/frames.h"
#include "xenbox/hv/hypercall_shape.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GPADDR_BITS 48 /* guest physical addresses, as getdomaininfo shows them */

/* One call being worked on. */
struct hypercall {
    struct box *box;
    uint16_t caller;
    void *arg;
    void *array; /* where the elements of the answer go */
    uint32_t array_room; /* for how many of them */
    uint32_t array_used;
};

static const struct xb_domain *hypercall_tables(const struct hypercall *call, uint32_t domid)
{
    return &call->box->tables->domain[domid];
}

/* The domain that a hypercall names: its domid, -ESRCH, or -EPERM when the caller may not touch it. */
static int hypercall_domain(const struct hypercall *call, domid_t domid)
{
    if (domid == DOMID_SELF)
        domid = call->caller;
    if (domid != call->caller && call->caller != 0)
        return -EPERM;
    if (domid >= XB_MAX_DOMAINS || hypercall_tables(call, domid)->state == XB_DOMAIN_FREE)
        return -ESRCH;
    return domid;
}

/* ---- xen_version ---- */

static int64_t version_version(struct hypercall *call)
{
    return XEN_MAJOR << 16 | XEN_MINOR;
}

static int64_t version_extraversion(struct hypercall *call)
{
    snprintf(call->arg, sizeof(xen_extraversion_t), ".xenbox");
    return 0;
}

static int64_t version_compile_info(struct hypercall *call)
{
    struct xen_compile_info *info = call->arg;

    *info = (struct xen_compile_info){ 0 };
    snprintf(info->compiler, sizeof(info->compiler), "%s", __VERSION__);
    snprintf(info->compile_by, sizeof(info->compile_by), "%s", PACKAGE_STRING);
    return 0;
}

static int64_t version_capabilities(struct hypercall *call)
{
    snprintf(call->arg, sizeof(xen_capabilities_info_t), "hvm-%d.0-x86_64", XEN_MAJOR - 1);
    return 0;
}

static int64_t version_empty_text(struct hypercall *call)
{
    *(char *)call->arg = '\0';
    return 0;
}

static int64_t version_platform_parameters(struct hypercall *call)
{
    *(struct xen_platform_parameters *)call->arg = (struct xen_platform_parameters){ 0 };
    return 0;
}

static int64_t version_get_features(struct hypercall *call)
{
    struct xen_feature_info *info = call->arg;

    if (info->submap_idx >= XENFEAT_NR_SUBMAPS)
        return -EINVAL;
    info->submap = 1u << XENFEAT_auto_translated_physmap | 1u << XENFEAT_writable_page_tables |
                   1u << XENFEAT_memory_op_vnode_supported;
    if (call->caller == 0)
        info->submap |= 1u << XENFEAT_dom0;
    return 0;
}

static int64_t version_pagesize(struct hypercall *call)
{
    return XB_FRAME_SIZE;
}

static int64_t version_guest_handle(struct hypercall *call)
{
    memcpy(call->arg, hypercall_tables(call, call->caller)->uuid, sizeof(xen_domain_handle_t));
    return 0;
}

/* ---- domctl and sysctl ---- */

static void domain_info_fill(struct hypercall *call, uint16_t domid, struct xen_domctl_getdomaininfo *info)
{
    static const uint32_t flags[] = {
        [XB_DOMAIN_RUNNING] = XEN_DOMINF_running,
        [XB_DOMAIN_PAUSED] = XEN_DOMINF_paused,
        [XB_DOMAIN_SHUTDOWN] = XEN_DOMINF_shutdown,
        [XB_DOMAIN_DYING] = XEN_DOMINF_dying,
    };
    const struct xb_domain *domain = hypercall_tables(call, domid);
    uint32_t state = domain->state;

    *info = (struct xen_domctl_getdomaininfo){
        .domain = domid,
        .flags = (state < COUNT(flags) ? flags[state] : 0) | XEN_DOMINF_hvm_guest | XEN_DOMINF_hap,
        .tot_pages = domain->tot_pages,
        .max_pages = domain->max_pages,
        .shared_info_frame = ~0ULL,
        .nr_online_vcpus = 1,
        .ssidref = domain->ssidref,
        .gpaddr_bits = GPADDR_BITS,
    };
    if (state == XB_DOMAIN_SHUTDOWN)
        info->flags |= (domain->shutdown_reason & XEN_DOMINF_shutdownmask) << XEN_DOMINF_shutdownshift;
    memcpy(info->handle, domain->uuid, sizeof(info->handle));
}

/* The first domain from `domid` on; -ESRCH: there is none. */
static int domain_next(const struct hypercall *call, uint32_t domid)
{
    for (; domid < XB_MAX_DOMAINS; domid++) {
        if (hypercall_tables(call, domid)->state != XB_DOMAIN_FREE)
            return (int)domid;
    }
    return -ESRCH;
}

/* As Xen has it: a domid that does not exist means the next one that does. */
static int64_t domctl_getdomaininfo(struct hypercall *call)
{
    struct xen_domctl *op = call->arg;
    int domid = domain_next(call, op->domain);

    if (op->domain >= DOMID_FIRST_RESERVED)
        return -EINVAL;
    if (domid < 0)
        return domid;
    op->domain = (domid_t)domid;
    domain_info_fill(call, op->domain, &op->u.getdomaininfo);
    return 0;
}

/* Domctls that change a domain: not the caller itself. */
static int domctl_target(const struct hypercall *call)
{
    const struct xen_domctl *op = call->arg;
    int domid = hypercall_domain(call, op->domain);

    return domid == call->caller ? -EINVAL : domid;
}

static int64_t domctl_pausedomain(struct hypercall *call)
{
    int domid = domctl_target(call);

    return domid < 0 ? domid : domain_pause(call->box, (uint16_t)domid);
}

static int64_t domctl_unpausedomain(struct hypercall *call)
{
    int domid = domctl_target(call);

    return domid < 0 ? domid : domain_unpause(call->box, (uint16_t)domid);
}

static int64_t domctl_destroydomain(struct hypercall *call)
{
    int domid = domctl_target(call);

    return domid < 0 ? domid : domain_destroy(call->box, (uint16_t)domid);
}

static int64_t domctl_max_mem(struct hypercall *call)
{
    const struct xen_domctl *op = call->arg;
    int domid = hypercall_domain(call, op->domain);
    uint64_t pages = op->u.max_mem.max_memkb / (XB_FRAME_SIZE / 1024);

    if (domid < 0)
        return domid;
    call->box->tables->domain[domid].max_pages = pages < XB_MAX_FRAMES ? (uint32_t)pages : XB_MAX_FRAMES;
    return 0;
}

static int64_t domctl_setdomainhandle(struct hypercall *call)
{
    const struct xen_domctl *op = call->arg;
    int domid = hypercall_domain(call, op->domain);

    if (domid < 0)
        return domid;
    memcpy(call->box->tables->domain[domid].uuid, op->u.setdomainhandle.handle, sizeof(xen_domain_handle_t));
    return 0;
}

static int64_t sysctl_getdomaininfolist(struct hypercall *call)
{
    struct xen_sysctl_getdomaininfolist *list = &((struct xen_sysctl *)call->arg)->u.getdomaininfolist;
    struct xen_domctl_getdomaininfo *info = call->array;
    int domid = list->first_domain;

    while (call->array_used < call->array_room && (domid = domain_next(call, (uint32_t)domid)) >= 0)
        domain_info_fill(call, (uint16_t)domid++, &info[call->array_used++]);
    list->num_domains = call->array_used;
    return 0;
}

static uint32_t processor_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count > 0 ? (uint32_t)count : 1;
}

static int64_t sysctl_physinfo(struct hypercall *call)
{
    struct xen_sysctl_physinfo *info = &((struct xen_sysctl *)call->arg)->u.physinfo;
    uint32_t cpus = processor_count();

    *info = (struct xen_sysctl_physinfo){
        .threads_per_core = 1,
        .cores_per_socket = cpus,
        .nr_cpus = cpus,
        .max_cpu_id = cpus - 1,
        .nr_nodes = 1,
        .capabilities = XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap,
        .total_pages = XB_MAX_FRAMES,
        .free_pages = XB_MAX_FRAMES,
        .max_mfn = XB_MAX_FRAMES - 1,
    };
    for (int domid = 0; (domid = domain_next(call, (uint32_t)domid)) >= 0; domid++)
        info->free_pages -= hypercall_tables(call, (uint32_t)domid)->tot_pages;
    return 0;
}

static int64_t sysctl_sched_id(struct hypercall *call)
{
    ((struct xen_sysctl *)call->arg)->u.sched_id.sched_id = XEN_SCHEDULER_NULL;
    return 0;
}

static int64_t sysctl_cputopoinfo(struct hypercall *call)
{
    struct xen_sysctl_cputopoinfo *info = &((struct xen_sysctl *)call->arg)->u.cputopoinfo;
    struct xen_sysctl_cputopo *cpu = call->array;

    info->num_cpus = processor_count();
    for (uint32_t i = 0; i < info->num_cpus && i < call->array_room; i++)
        cpu[call->array_used++] = (struct xen_sysctl_cputopo){ .core = i };
    return 0;
}

/* ---- event_channel_op ---- */

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

/* ---- grant_table_op, memory_op, sched_op, hvm_op ---- */

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

static int64_t sched_op_remote_shutdown(struct hypercall *call)
{
    const struct sched_remote_shutdown *op = call->arg;
    int domid = hypercall_domain(call, op->domain_id);

    return domid < 0 ? domid : domain_shutdown(call->box, (uint16_t)domid, op->reason);
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

/* ---- the table ---- */

static const struct handler {
    uint32_t nr, cmd;
    int64_t (*handle)(struct hypercall *call);
} handlers[] = {
    { __HYPERVISOR_xen_version, XENVER_version, version_version },
    { __HYPERVISOR_xen_version, XENVER_extraversion, version_extraversion },
    { __HYPERVISOR_xen_version, XENVER_compile_info, version_compile_info },
    { __HYPERVISOR_xen_version, XENVER_capabilities, version_capabilities },
    { __HYPERVISOR_xen_version, XENVER_changeset, version_empty_text },
    { __HYPERVISOR_xen_version, XENVER_platform_parameters, version_platform_parameters },
    { __HYPERVISOR_xen_version, XENVER_get_features, version_get_features },
    { __HYPERVISOR_xen_version, XENVER_pagesize, version_pagesize },
    { __HYPERVISOR_xen_version, XENVER_guest_handle, version_guest_handle },
    { __HYPERVISOR_xen_version, XENVER_commandline, version_empty_text },
    { __HYPERVISOR_domctl, XEN_DOMCTL_getdomaininfo, domctl_getdomaininfo },
    { __HYPERVISOR_domctl, XEN_DOMCTL_pausedomain, domctl_pausedomain },
    { __HYPERVISOR_domctl, XEN_DOMCTL_unpausedomain, domctl_unpausedomain },
    { __HYPERVISOR_domctl, XEN_DOMCTL_destroydomain, domctl_destroydomain },
    { __HYPERVISOR_domctl, XEN_DOMCTL_max_mem, domctl_max_mem },
    { __HYPERVISOR_domctl, XEN_DOMCTL_setdomainhandle, domctl_setdomainhandle },
    { __HYPERVISOR_sysctl, XEN_SYSCTL_physinfo, sysctl_physinfo },
    { __HYPERVISOR_sysctl, XEN_SYSCTL_sched_id, sysctl_sched_id },
    { __HYPERVISOR_sysctl, XEN_SYSCTL_getdomaininfolist, sysctl_getdomaininfolist },
    { __HYPERVISOR_sysctl, XEN_SYSCTL_cputopoinfo, sysctl_cputopoinfo },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, evtchn_op_alloc_unbound },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, evtchn_op_bind_interdomain },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, evtchn_op_bind_virq },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_close, evtchn_op_close },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_send, evtchn_op_send },
    { __HYPERVISOR_event_channel_op, EVTCHNOP_status, evtchn_op_status },
    { __HYPERVISOR_grant_table_op, GNTTABOP_query_size, gnttab_op_query_size },
    { __HYPERVISOR_grant_table_op, GNTTABOP_get_version, gnttab_op_get_version },
    { __HYPERVISOR_memory_op, XENMEM_maximum_ram_page, memory_op_maximum_ram_page },
    { __HYPERVISOR_memory_op, XENMEM_current_reservation, memory_op_current_reservation },
    { __HYPERVISOR_memory_op, XENMEM_maximum_reservation, memory_op_maximum_reservation },
    { __HYPERVISOR_memory_op, XENMEM_maximum_gpfn, memory_op_maximum_gpfn },
    { __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, sched_op_remote_shutdown },
    { __HYPERVISOR_hvm_op, HVMOP_get_param, hvm_op_get_param },
};

static const struct handler *handler_find(uint32_t nr, uint32_t cmd)
{
    for (size_t i = 0; i < COUNT(handlers); i++) {
        if (handlers[i].nr == nr && handlers[i].cmd == cmd)
            return &handlers[i];
    }
    return NULL;
}

/* Domctl and sysctl are domain 0's alone, and bound to the version of their interface. */
static int64_t hypercall_admit(const struct hypercall *call, uint32_t nr)
{
    if (nr == __HYPERVISOR_domctl && ((struct xen_domctl *)call->arg)->interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    if (nr == __HYPERVISOR_sysctl && ((struct xen_sysctl *)call->arg)->interface_version != XEN_SYSCTL_INTERFACE_VERSION)
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
    const struct handler *handler = handler_find(request->nr, request->cmd);
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
