// SPDX-License-Identifier: MIT
/* hypercall_control.c: what the toolstack in domain 0 asks and orders about all domains and the machine. */
#define __XEN_TOOLS__ 1
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sched.h>
#include <xen/sysctl.h>

#include "xenbox/hv/domain.h"
#include "xenbox/hv/hypercall_handler.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GPADDR_BITS 48 /* guest physical addresses, as getdomaininfo shows them */

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

static int64_t sched_op_remote_shutdown(struct hypercall *call)
{
    const struct sched_remote_shutdown *op = call->arg;
    int domid = hypercall_domain(call, op->domain_id);

    return domid < 0 ? domid : domain_shutdown(call->box, (uint16_t)domid, op->reason);
}

const struct hypercall_handler hypercall_control_handlers[] = {
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
    { __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, sched_op_remote_shutdown },
    { 0, 0, NULL },
};
