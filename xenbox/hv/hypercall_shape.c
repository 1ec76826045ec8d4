// SPDX-License-Identifier: MIT
/*
 * hypercall_shape.c: see hypercall_shape.h. A hypercall that is added here gets its handler in hypercall.c.
 */
#define __XEN_TOOLS__ 1
#include <config.h>

#include "xenbox/hv/hypercall_shape.h"

#include <stdint.h>
#include <stdio.h>

#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/version.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define FLAT(NR, CMD, SIZE)                                                                                  \
    {                                                                                                        \
        .nr = (NR), .cmd = (CMD), .size = (SIZE)                                                             \
    }
#define DOMCTL(CMD) FLAT(__HYPERVISOR_domctl, XEN_DOMCTL_##CMD, sizeof(struct xen_domctl))
#define EVTCHN(CMD) FLAT(__HYPERVISOR_event_channel_op, EVTCHNOP_##CMD, sizeof(struct evtchn_##CMD))
#define XEN_VERSION(CMD, SIZE) FLAT(__HYPERVISOR_xen_version, XENVER_##CMD, SIZE)
#define SYSCTL(CMD) FLAT(__HYPERVISOR_sysctl, XEN_SYSCTL_##CMD, sizeof(struct xen_sysctl))
#define SYSCTL_ARRAY(CMD, HANDLE, LENGTH, ELEMENT)                                                           \
    {                                                                                                        \
        .nr = __HYPERVISOR_sysctl, .cmd = XEN_SYSCTL_##CMD, .size = sizeof(struct xen_sysctl),               \
        .element_size = sizeof(ELEMENT), .handle_offset = offsetof(struct xen_sysctl, u.CMD.HANDLE),         \
        .count_offset = offsetof(struct xen_sysctl, u.CMD.LENGTH),                                           \
    }

static const struct hypercall_shape shapes[] = {
    XEN_VERSION(version, 0),
    XEN_VERSION(extraversion, sizeof(xen_extraversion_t)),
    XEN_VERSION(compile_info, sizeof(xen_compile_info_t)),
    XEN_VERSION(capabilities, sizeof(xen_capabilities_info_t)),
    XEN_VERSION(changeset, sizeof(xen_changeset_info_t)),
    XEN_VERSION(platform_parameters, sizeof(xen_platform_parameters_t)),
    XEN_VERSION(get_features, sizeof(xen_feature_info_t)),
    XEN_VERSION(pagesize, 0),
    XEN_VERSION(guest_handle, sizeof(xen_domain_handle_t)),
    XEN_VERSION(build_id, 0),
    XEN_VERSION(commandline, sizeof(xen_commandline_t)),
    DOMCTL(getdomaininfo),
    DOMCTL(pausedomain),
    DOMCTL(unpausedomain),
    DOMCTL(destroydomain),
    DOMCTL(max_mem),
    DOMCTL(setdomainhandle),
    SYSCTL(physinfo),
    SYSCTL(sched_id),
    SYSCTL_ARRAY(getdomaininfolist, buffer, max_domains, struct xen_domctl_getdomaininfo),
    SYSCTL_ARRAY(cputopoinfo, cputopo, num_cpus, struct xen_sysctl_cputopo),
    EVTCHN(bind_interdomain),
    EVTCHN(bind_virq),
    EVTCHN(close),
    EVTCHN(send),
    EVTCHN(status),
    EVTCHN(alloc_unbound),
    EVTCHN(reset),
    FLAT(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, sizeof(struct gnttab_query_size)),
    FLAT(__HYPERVISOR_grant_table_op, GNTTABOP_get_version, sizeof(struct gnttab_get_version)),
    FLAT(__HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 0),
    FLAT(__HYPERVISOR_memory_op, XENMEM_get_sharing_freed_pages, 0),
    FLAT(__HYPERVISOR_memory_op, XENMEM_get_sharing_shared_pages, 0),
    FLAT(__HYPERVISOR_memory_op, XENMEM_current_reservation, sizeof(domid_t)),
    FLAT(__HYPERVISOR_memory_op, XENMEM_maximum_reservation, sizeof(domid_t)),
    FLAT(__HYPERVISOR_memory_op, XENMEM_maximum_gpfn, sizeof(domid_t)),
    FLAT(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, sizeof(struct sched_remote_shutdown)),
    FLAT(__HYPERVISOR_hvm_op, HVMOP_get_param, sizeof(struct xen_hvm_param)),
};

static const char *const names[] = {
    [__HYPERVISOR_set_trap_table] = "set_trap_table",
    [__HYPERVISOR_mmu_update] = "mmu_update",
    [__HYPERVISOR_platform_op] = "platform_op",
    [__HYPERVISOR_memory_op] = "memory_op",
    [__HYPERVISOR_multicall] = "multicall",
    [__HYPERVISOR_xen_version] = "xen_version",
    [__HYPERVISOR_console_io] = "console_io",
    [__HYPERVISOR_grant_table_op] = "grant_table_op",
    [__HYPERVISOR_vcpu_op] = "vcpu_op",
    [__HYPERVISOR_mmuext_op] = "mmuext_op",
    [__HYPERVISOR_xsm_op] = "xsm_op",
    [__HYPERVISOR_sched_op] = "sched_op",
    [__HYPERVISOR_event_channel_op] = "event_channel_op",
    [__HYPERVISOR_physdev_op] = "physdev_op",
    [__HYPERVISOR_hvm_op] = "hvm_op",
    [__HYPERVISOR_sysctl] = "sysctl",
    [__HYPERVISOR_domctl] = "domctl",
    [__HYPERVISOR_kexec_op] = "kexec_op",
    [__HYPERVISOR_dm_op] = "dm_op",
    [__HYPERVISOR_hypfs_op] = "hypfs_op",
};

const struct hypercall_shape *hypercall_shape_find(uint32_t nr, uint32_t cmd)
{
    for (size_t i = 0; i < COUNT(shapes); i++) {
        if (shapes[i].nr == nr && shapes[i].cmd == cmd)
            return &shapes[i];
    }
    return NULL;
}

const char *hypercall_name(uint32_t nr, uint32_t cmd, char *text, size_t size)
{
    const char *name = nr < COUNT(names) && names[nr] ? names[nr] : "hypercall";

    if (nr < COUNT(names) && names[nr])
        snprintf(text, size, "%s %u", name, cmd);
    else
        snprintf(text, size, "%s %u/%u", name, nr, cmd);
    return text;
}
