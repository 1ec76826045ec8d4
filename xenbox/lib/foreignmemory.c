// SPDX-License-Identifier: MIT
/*
 * foreignmemory.c: libxenforeignmemory for a box.
 *
 * The hypervisor process checks that the frames are the domain's and holds them for this handle; the pages
 * are then mapped straight from the memory of the box. A guest frame number is the number of its frame.
 * Any number of threads may use a handle. Resources are in foreign_resource.c.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "xenbox/lib/foreignmemory.h"

#define MAP_BATCH                                                                                            \
    ((XB_MAX_PAYLOAD - sizeof(struct xb_foreign_map)) / sizeof(uint64_t)) /* pages in a request */

static int handle_restrict(Xentoolcore__Active_Handle *active, domid_t domid)
{
    return xenforeignmemory_restrict((xenforeignmemory_handle *)active, domid);
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
    xenforeignmemory_handle *fmem = calloc(1, sizeof(*fmem));
    int rc;

    if (!fmem)
        return NULL;
    rc = client_open(&fmem->client, "foreignmemory", logger, XB_CONN_FOREIGN, 0, -1, NULL);
    if (rc < 0) {
        free(fmem);
        errno = -rc;
        return NULL;
    }
    pthread_mutex_init(&fmem->lock, NULL);
    LIST_INIT(&fmem->mappings);
    fmem->restricted = XB_DOMID_NONE;
    fmem->active.restrict_callback = handle_restrict;
    xentoolcore__register_active_handle(&fmem->active);
    return fmem;
}

/* Mappings outlive the handle, as a munmap(2) may still come; its holds on the frames end here. */
int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
    struct mapping *mapping;

    if (!fmem)
        return 0;
    xentoolcore__deregister_active_handle(&fmem->active);
    client_close(&fmem->client);
    while ((mapping = LIST_FIRST(&fmem->mappings))) {
        LIST_REMOVE(mapping, link);
        free(mapping);
    }
    pthread_mutex_destroy(&fmem->lock);
    free(fmem);
    return 0;
}

int xenforeignmemory_restrict(xenforeignmemory_handle *fmem, domid_t domid)
{
    if (fmem->restricted != XB_DOMID_NONE && fmem->restricted != domid) {
        errno = EINVAL;
        return -1;
    }
    fmem->restricted = domid;
    return 0;
}

static size_t batch(size_t count)
{
    return count < MAP_BATCH ? count : MAP_BATCH;
}

/* Asks for the frames behind at most MAP_BATCH gfns: all of them, or a negative errno and none. */
static int frames_ask(xenforeignmemory_handle *fmem, uint32_t domid, const xen_pfn_t *gfns, size_t count,
                      uint32_t *frames)
{
    struct xb_foreign_map map = { .domid = domid, .count = (uint32_t)count };
    const struct iovec request[] = {
        { .iov_base = &map, .iov_len = sizeof(map) },
        { .iov_base = (void *)gfns, .iov_len = count * sizeof(*gfns) },
    };
    const struct iovec answer = { .iov_base = frames, .iov_len = count * sizeof(*frames) };

    _Static_assert(sizeof(*gfns) == sizeof(map.gfn[0]), "gfns travel as they are");
    return client_callv(&fmem->client, XB_OP_FOREIGN_MAP, request, 2, &answer, 1, NULL, NULL);
}

/* One that was not had is ignored over there. */
static void frames_release(xenforeignmemory_handle *fmem, const uint32_t *frames, size_t count)
{
    for (size_t done = 0, step; done < count; done += step) {
        struct xb_foreign_unmap unmap = { .count = (uint32_t)(step = batch(count - done)) };
        const struct iovec request[] = {
            { .iov_base = &unmap, .iov_len = sizeof(unmap) },
            { .iov_base = (void *)(frames + done), .iov_len = step * sizeof(*frames) },
        };

        client_callv(&fmem->client, XB_OP_FOREIGN_UNMAP, request, 2, NULL, 0, NULL, NULL);
    }
}

/*
 * The frames behind all gfns. With `err`, a page that cannot be had gets its errno there and XB_NO_FRAME
 * here, and the others are had; without, the first failure is returned and nothing is held.
 */
static int frames_get(xenforeignmemory_handle *fmem, uint32_t domid, const xen_pfn_t *gfns, size_t count,
                      uint32_t *frames, int *err)
{
    for (size_t done = 0, step; done < count; done += step) {
        int rc;

        step = batch(count - done);
        rc = frames_ask(fmem, domid, gfns + done, step, frames + done);
        if (rc < 0 && !err) {
            frames_release(fmem, frames, done);
            return rc;
        }
        for (size_t i = done; err && i < done + step; i++) {
            /* A batch fails as a whole: then each page by itself. */
            int each = rc < 0 ? frames_ask(fmem, domid, gfns + i, 1, frames + i) : 0;

            err[i] = -each;
            if (each < 0)
                frames[i] = XB_NO_FRAME;
        }
    }
    return 0;
}

/* Maps the frames over the region that is reserved for them; a page without one stays inaccessible. */
static int frames_map(xenforeignmemory_handle *fmem, uint8_t *region, const uint32_t *frames, size_t count,
                      int prot)
{
    for (size_t i = 0, run; i < count; i += run) {
        for (run = 1; i + run < count && frames[i] != XB_NO_FRAME && frames[i + run] == frames[i] + run;
             run++) {
        }
        if (frames[i] != XB_NO_FRAME &&
            mmap(region + i * XB_FRAME_SIZE, run * XB_FRAME_SIZE, prot, MAP_SHARED | MAP_FIXED,
                 client_frames_fd(&fmem->client), (off_t)frames[i] * XB_FRAME_SIZE) == MAP_FAILED)
            return -errno;
    }
    return 0;
}

static int memory_map(xenforeignmemory_handle *fmem, uint32_t domid, struct mapping *mapping, void *addr,
                      int prot, int flags, const xen_pfn_t *gfns, int *err)
{
    const size_t bytes = mapping->pages * XB_FRAME_SIZE;
    void *region;
    int rc;

    if (fmem->restricted != XB_DOMID_NONE && fmem->restricted != domid)
        return -EPERM;
    rc = frames_get(fmem, domid, gfns, mapping->pages, mapping->frame, err);
    if (rc < 0)
        return rc;
    region = mmap(addr, bytes, PROT_NONE, (flags & ~MAP_SHARED) | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
    if (region == MAP_FAILED) {
        rc = -errno;
        goto fail;
    }
    mapping->address = region;
    rc = frames_map(fmem, region, mapping->frame, mapping->pages, prot);
    if (rc == 0)
        return 0;
    munmap(region, bytes);
fail:
    frames_release(fmem, mapping->frame, mapping->pages);
    return rc;
}

void *xenforeignmemory_map2(xenforeignmemory_handle *fmem, uint32_t dom, void *addr, int prot, int flags,
                            size_t pages, const xen_pfn_t arr[], int err[])
{
    struct mapping *mapping;
    int rc;

    if (pages == 0 || pages > XB_MAX_FRAMES) {
        errno = EINVAL;
        return NULL;
    }
    mapping = calloc(1, sizeof(*mapping) + pages * sizeof(mapping->frame[0]));
    if (!mapping)
        return NULL;
    mapping->pages = pages;
    rc = memory_map(fmem, dom, mapping, addr, prot, flags, arr, err);
    if (rc < 0) {
        free(mapping);
        errno = -rc;
        return NULL;
    }
    pthread_mutex_lock(&fmem->lock);
    LIST_INSERT_HEAD(&fmem->mappings, mapping, link);
    pthread_mutex_unlock(&fmem->lock);
    return mapping->address;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom, int prot, size_t pages,
                           const xen_pfn_t arr[], int err[])
{
    return xenforeignmemory_map2(fmem, dom, NULL, prot, 0, pages, arr, err);
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t pages)
{
    struct mapping *mapping;

    pthread_mutex_lock(&fmem->lock);
    LIST_FOREACH (mapping, &fmem->mappings, link) {
        if (mapping->address == addr && mapping->pages == pages)
            break;
    }
    if (mapping)
        LIST_REMOVE(mapping, link);
    pthread_mutex_unlock(&fmem->lock);
    if (!mapping) {
        errno = EINVAL;
        return -1;
    }
    munmap(addr, pages * XB_FRAME_SIZE);
    frames_release(fmem, mapping->frame, pages);
    free(mapping);
    return 0;
}
