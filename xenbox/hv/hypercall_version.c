// SPDX-License-Identifier: MIT
/* hypercall_version.c: xen_version. */
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/features.h>
#include <xen/version.h>

#include "xenbox/hv/hypercall_handler.h"

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

/* The hypervisor process has none. */
static int64_t version_build_id(struct hypercall *call)
{
    return -ENODATA;
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

const struct hypercall_handler hypercall_version_handlers[] = {
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
    { __HYPERVISOR_xen_version, XENVER_build_id, version_build_id },
    { 0, 0, NULL },
};
