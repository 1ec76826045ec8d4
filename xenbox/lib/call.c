// SPDX-License-Identifier: MIT
/*
 * call.c: libxencall for a box.
 *
 * A hypercall's argument is a pointer into the caller's memory, which the hypervisor process cannot follow:
 * the structure behind it travels to that process and back, and an array that the hypervisor fills comes with
 * it (hypercall_shape.h). A multicall is taken apart here. Any number of threads may use a handle.
 */
#define __XEN_TOOLS__ 1
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xencall.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>

#include "xenbox/hv/hypercall_shape.h"
#include "xenbox/lib/client.h"
#include "xenbox/lib/toolcore.h"

#define MULTICALL_ARGS 6

struct xencall_handle {
    Xentoolcore__Active_Handle active;
    struct client client;
};

/* A restricted program makes no hypercalls at all. */
static int handle_restrict(Xentoolcore__Active_Handle *active, domid_t domid)
{
    client_close(&((xencall_handle *)active)->client);
    return 0;
}

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
    struct xencall_handle *xcall = calloc(1, sizeof(*xcall));
    int rc;

    if (!xcall)
        return NULL;
    rc = client_open(&xcall->client, "call", logger, XB_CONN_CALL, 0, -1, NULL);
    if (rc < 0) {
        free(xcall);
        errno = -rc;
        return NULL;
    }
    xcall->active.restrict_callback = handle_restrict;
    xentoolcore__register_active_handle(&xcall->active);
    return xcall;
}

int xencall_close(xencall_handle *xcall)
{
    if (!xcall)
        return 0;
    xentoolcore__deregister_active_handle(&xcall->active);
    client_close(&xcall->client);
    free(xcall);
    return 0;
}

int xencall_fd(xencall_handle *xcall)
{
    return xcall->client.fd;
}

/* The array behind the guest handle in a caller's argument: where, and for how many bytes there is room. */
static struct iovec call_array(const struct hypercall_shape *shape, const char *arg)
{
    struct iovec array = { 0 };
    uint32_t count;

    if (!shape || !shape->element_size)
        return array;
    memcpy(&array.iov_base, arg + shape->handle_offset, sizeof(array.iov_base));
    memcpy(&count, arg + shape->count_offset, sizeof(count));
    if (array.iov_base)
        array.iov_len = (size_t)count * shape->element_size;
    return array;
}

/*
 * Returns what the hypercall returns: negative is an errno. An unknown one is sent too, to be logged there.
 */
static long call_send(struct xencall_handle *xcall, uint32_t nr, uint32_t cmd, void *arg)
{
    const struct hypercall_shape *shape = hypercall_shape_find(nr, cmd);
    struct xb_hypercall call = { .nr = nr, .cmd = cmd, .size = shape ? shape->size : 0 };
    struct iovec iov[3] = {
        { .iov_base = &call, .iov_len = sizeof(call) },
        { .iov_base = arg, .iov_len = call.size },
        call_array(shape, arg),
    };
    size_t got;
    int rc;

    if (call.size > 0 && !arg)
        return -EFAULT;
    rc = client_callv(&xcall->client, XB_OP_HYPERCALL, iov, 2, iov, 3, &got, NULL);
    if (rc < 0)
        return rc;
    return got < sizeof(call) ? -EPROTO : (long)call.result;
}

/* More domains than an answer has room for are asked for in several calls. */
static long call_domain_list(struct xencall_handle *xcall, struct xen_sysctl *arg)
{
    const struct hypercall_shape *shape =
        hypercall_shape_find(__HYPERVISOR_sysctl, XEN_SYSCTL_getdomaininfolist);
    struct xen_sysctl part = *arg;
    struct xen_sysctl_getdomaininfolist *list = &part.u.getdomaininfolist;
    xen_domctl_getdomaininfo_t *info = arg->u.getdomaininfolist.buffer.p;
    uint32_t total = 0;
    long result;

    do {
        list->max_domains = arg->u.getdomaininfolist.max_domains - total;
        set_xen_guest_handle(list->buffer, info + total);
        result = call_send(xcall, __HYPERVISOR_sysctl, part.cmd, &part);
        if (result < 0)
            return result;
        total += list->num_domains;
        if (list->num_domains > 0)
            list->first_domain = (domid_t)(info[total - 1].domain + 1);
    } while (list->num_domains == HYPERCALL_ARRAY_MAX(shape));
    arg->u.getdomaininfolist.num_domains = total;
    return result;
}

static long call_multi(struct xencall_handle *xcall, multicall_entry_t *entries, uint64_t count);

/* Some hypercalls have one argument, a pointer to a structure that starts with the sub-operation. */
static long call_structure(struct xencall_handle *xcall, uint32_t nr, void *arg)
{
    uint32_t cmd;

    if (!arg)
        return -EFAULT;
    memcpy(&cmd, arg, sizeof(cmd));
    if (nr == __HYPERVISOR_sysctl && cmd == XEN_SYSCTL_getdomaininfolist)
        return call_domain_list(xcall, arg);
    return call_send(xcall, nr, cmd, arg);
}

static long call_one(struct xencall_handle *xcall, uint32_t nr, const uint64_t *args)
{
    void *first = (void *)(uintptr_t)args[0], *second = (void *)(uintptr_t)args[1];

    switch (nr) {
    case __HYPERVISOR_multicall:
        return call_multi(xcall, first, args[1]);
    case __HYPERVISOR_domctl:
    case __HYPERVISOR_sysctl:
    case __HYPERVISOR_platform_op:
    case __HYPERVISOR_xsm_op:
        return call_structure(xcall, nr, first);
    default:
        return call_send(xcall, nr, (uint32_t)args[0], second);
    }
}

static long call_multi(struct xencall_handle *xcall, multicall_entry_t *entries, uint64_t count)
{
    if (count > 0 && !entries)
        return -EFAULT;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t args[MULTICALL_ARGS];

        for (int arg = 0; arg < MULTICALL_ARGS; arg++)
            args[arg] = entries[i].args[arg];
        if (entries[i].op == __HYPERVISOR_multicall)
            entries[i].result = (xen_ulong_t)-EINVAL;
        else
            entries[i].result = (xen_ulong_t)call_one(xcall, (uint32_t)entries[i].op, args);
    }
    return 0;
}

static long call_result(long result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

int xencall5(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3,
             uint64_t arg4, uint64_t arg5)
{
    return (int)call_result(call_one(xcall, op, (uint64_t[]){ arg1, arg2, arg3, arg4, arg5 }));
}

int xencall4(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3,
             uint64_t arg4)
{
    return xencall5(xcall, op, arg1, arg2, arg3, arg4, 0);
}

int xencall3(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
    return xencall5(xcall, op, arg1, arg2, arg3, 0, 0);
}

int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
    return xencall5(xcall, op, arg1, arg2, 0, 0, 0);
}

long xencall2L(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
    return call_result(call_one(xcall, op, (uint64_t[]){ arg1, arg2 }));
}

int xencall1(xencall_handle *xcall, unsigned int op, uint64_t arg1)
{
    return xencall5(xcall, op, arg1, 0, 0, 0, 0);
}

int xencall0(xencall_handle *xcall, unsigned int op)
{
    return xencall5(xcall, op, 0, 0, 0, 0, 0);
}

void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t nr_pages)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *buffer;
    int rc;

    if (nr_pages > SIZE_MAX / page) {
        errno = ENOMEM;
        return NULL;
    }
    rc = posix_memalign(&buffer, page, nr_pages * page);
    if (rc) {
        errno = rc;
        return NULL;
    }
    memset(buffer, 0, nr_pages * page);
    return buffer;
}

void xencall_free_buffer_pages(xencall_handle *xcall, void *buffer, size_t nr_pages)
{
    free(buffer);
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return xencall_alloc_buffer_pages(xcall, size / page + (size % page != 0));
}

void xencall_free_buffer(xencall_handle *xcall, void *buffer)
{
    free(buffer);
}

int xencall_buffers_never_fault(xencall_handle *xcall)
{
    return 1;
}
