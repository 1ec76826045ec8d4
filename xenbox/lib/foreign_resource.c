// SPDX-License-Identifier: MIT
/*
 * foreign_resource.c: resources of a domain that are mapped by their number. There is one, the grant table; I/O
 * request servers and trace buffers do not exist here (EOPNOTSUPP). What is mapped are the entries themselves, in one
 * piece however many frames are asked for. They can be read and written; an entry that was made by writing grants
 * nothing, since what may be mapped is what libxengnttab has shared.
 */
#define _GNU_SOURCE 1
#define __XEN_TOOLS__ 1
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xen/xen.h>
#include <xen/memory.h>

#include "xenbox/hv/bugs.h"
#include "xenbox/lib/foreignmemory.h"

struct xenforeignmemory_resource_handle {
    void *address;
    size_t bytes;
};

/* 0, or a negative errno. */
static int resource_check(xenforeignmemory_handle *fmem, domid_t domid, unsigned int type, unsigned int id)
{
    if (type != XENMEM_resource_grant_table) {
        client_log(&fmem->client, EOPNOTSUPP, "resource of type %u of domain %u", type, domid);
        return -EOPNOTSUPP;
    }
    if ((fmem->restricted != XB_DOMID_NONE && fmem->restricted != domid) ||
        (fmem->client.domid != 0 && fmem->client.domid != domid))
        return -EPERM;
    if (domid >= XB_MAX_DOMAINS || atomic_load(&fmem->client.tables->domain[domid].state) == XB_DOMAIN_FREE)
        return -ESRCH;
    /* Status frames are version 2's. */
    return id == XENMEM_resource_grant_table_id_shared ? 0 : -EINVAL;
}

/* A second mapping of a part of the tables, at `hint` if there is one. */
static int table_map(void *table, size_t bytes, int prot, int flags, void *hint, void **address)
{
    void *mapped = flags & MAP_FIXED ? mremap(table, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, hint)
                                     : mremap(table, 0, bytes, MREMAP_MAYMOVE);
    int error;

    if (mapped == MAP_FAILED)
        return -errno;
    if (mprotect(mapped, bytes, prot) < 0) {
        error = errno;
        munmap(mapped, bytes);
        return -error;
    }
    *address = mapped;
    return 0;
}

static int resource_map(xenforeignmemory_handle *fmem, domid_t domid, unsigned long frame,
                        unsigned long nr_frames, void **address, int prot, int flags)
{
    const unsigned long limit = fmem->client.tables->limits.grant_frames;
    char *table = (char *)fmem->client.tables->domain[domid].grant;

    _Static_assert(offsetof(struct xb_tables, domain[0].grant) % XB_FRAME_SIZE == 0 &&
                       sizeof(struct xb_domain) % XB_FRAME_SIZE == 0,
                   "a grant table is mapped by pages");
    if (bug_is_on(fmem->client.tables, BUG_B43) && nr_frames > 32)
        return -EINVAL;
    if (nr_frames == 0 || frame >= limit || nr_frames > limit - frame)
        return -EINVAL;
    return table_map(table + frame * XB_FRAME_SIZE, nr_frames * XB_FRAME_SIZE, prot, flags, *address,
                     address);
}

xenforeignmemory_resource_handle *xenforeignmemory_map_resource(xenforeignmemory_handle *fmem, domid_t domid,
                                                                unsigned int type, unsigned int id,
                                                                unsigned long frame, unsigned long nr_frames,
                                                                void **paddr, int prot, int flags)
{
    xenforeignmemory_resource_handle *resource = malloc(sizeof(*resource));
    int rc = resource ? resource_check(fmem, domid, type, id) : -ENOMEM;

    if (rc == 0)
        rc = resource_map(fmem, domid, frame, nr_frames, paddr, prot, flags);
    if (rc < 0) {
        free(resource);
        errno = -rc;
        return NULL;
    }
    *resource = (xenforeignmemory_resource_handle){ .address = *paddr, .bytes = nr_frames * XB_FRAME_SIZE };
    return resource;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem, xenforeignmemory_resource_handle *fres)
{
    int rc;

    if (!fres)
        return 0;
    rc = munmap(fres->address, fres->bytes);
    free(fres);
    return rc;
}

int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem, domid_t domid, unsigned int type,
                                   unsigned int id, size_t *size)
{
    int rc = resource_check(fmem, domid, type, id);

    if (rc < 0) {
        errno = -rc;
        return -1;
    }
    *size = (size_t)fmem->client.tables->limits.grant_frames * XB_FRAME_SIZE;
    return 0;
}
