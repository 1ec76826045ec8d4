// SPDX-License-Identifier: MIT
/*
 * procxen_unmap.c: the part of procxen that hears of foreign pages that go by munmap(2).
 *
 * oxenstored maps the ring of a guest by libxenctrl and lets go of it by a bare munmap. A kernel notices. A
 * library does not, and the dead guest would stay a zombie for its sake: here it becomes the call of
 * libxenforeignmemory that belongs to it. The program has one thread.
 */
#include <config.h>

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>

#include <xenforeignmemory.h>

#include "xenbox/hv/layout.h"

typedef void *(*foreign_map_fn)(xenforeignmemory_handle *handle, uint32_t domid, int prot, size_t pages,
                                const xen_pfn_t *frames, int *errors);
typedef int (*foreign_unmap_fn)(xenforeignmemory_handle *handle, void *address, size_t pages);
typedef int (*munmap_fn)(void *address, size_t length);

struct mapping {
    LIST_ENTRY(mapping) link;
    xenforeignmemory_handle *handle;
    void *address;
    size_t pages;
};

static LIST_HEAD(, mapping) mappings = LIST_HEAD_INITIALIZER(mappings);

/* Takes the mapping that starts there off the list; its handle, or NULL. */
static xenforeignmemory_handle *mapping_forget(const void *address, size_t pages)
{
    xenforeignmemory_handle *handle = NULL;
    struct mapping *mapping;

    LIST_FOREACH (mapping, &mappings, link) {
        if (mapping->address != address || mapping->pages != pages)
            continue;
        handle = mapping->handle;
        LIST_REMOVE(mapping, link);
        free(mapping);
        break;
    }
    return handle;
}

void *xenforeignmemory_map(xenforeignmemory_handle *handle, uint32_t domid, int prot, size_t pages,
                           const xen_pfn_t *frames, int *errors)
{
    foreign_map_fn next = (foreign_map_fn)dlsym(RTLD_NEXT, "xenforeignmemory_map");
    void *address = next(handle, domid, prot, pages, frames, errors);
    struct mapping *mapping = address ? malloc(sizeof(*mapping)) : NULL;

    if (mapping) {
        *mapping = (struct mapping){ .handle = handle, .address = address, .pages = pages };
        LIST_INSERT_HEAD(&mappings, mapping, link);
    }
    return address;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *handle, void *address, size_t pages)
{
    foreign_unmap_fn next = (foreign_unmap_fn)dlsym(RTLD_NEXT, "xenforeignmemory_unmap");

    mapping_forget(address, pages);
    return next(handle, address, pages);
}

int munmap(void *address, size_t length)
{
    xenforeignmemory_handle *handle = mapping_forget(address, length / XB_FRAME_SIZE);

    /* The library comes here again, when the mapping is off the list. */
    if (handle)
        return xenforeignmemory_unmap(handle, address, length / XB_FRAME_SIZE);
    return ((munmap_fn)dlsym(RTLD_NEXT, "munmap"))(address, length);
}
