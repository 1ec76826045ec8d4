// SPDX-License-Identifier: MIT
/*
 * gnttab_region.c: see gnttab_region.h.
 *
 * A map call reserves records, pins each grant entry, then maps the frames; whatever fails, all of it is undone. A
 * page is pinned for as long as this process or I/O of it can touch it (gnttab_region_end.c).
 */
#include <config.h>

#include <errno.h>
#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xen/sys/gntdev.h>

#include "xenbox/hv/bugs.h"
#include "xenbox/lib/entry.h"
#include "xenbox/lib/gnttab_region_internal.h"

/* malloc, as long as the fault plan has nothing against it. */
static void *memory_take(struct xengntdev_handle *handle, size_t bytes)
{
    return faults_next(&handle->faults, FAULT_MEMORY).has_status ? NULL : malloc(bytes);
}

static struct region *region_create(struct xengntdev_handle *handle, uint32_t count)
{
    struct region *region = memory_take(handle, sizeof(*region) + count * sizeof(region->map[0]));
    struct pv_page *page = calloc(count, sizeof(*page));

    if (!region || !page) {
        free(region);
        free(page);
        return NULL;
    }
    *region = (struct region){ .handle = handle, .page = page, .mapping = { .pages = count } };
    for (uint32_t i = 0; i < count; i++)
        page[i].user = page[i].kernel = NO_RECORD;
    return region;
}

void region_free(struct region *region)
{
    free(region->page);
    free(region->is_gone);
    free(region);
}

int region_compare(const void *a, const void *b)
{
    uintptr_t left = ((const struct region *)a)->mapping.address;
    uintptr_t right = ((const struct region *)b)->mapping.address;

    return (left > right) - (left < right);
}

/* For a search: the region that overlaps the one which is looked for counts as equal to it. */
static int region_compare_overlap(const void *a, const void *b)
{
    const struct iovec *wanted = a;
    const struct region *region = b;
    uintptr_t from = (uintptr_t)wanted->iov_base, to = from + wanted->iov_len;
    uintptr_t start = region->mapping.address;
    uintptr_t end = start + (uintptr_t)region->mapping.pages * XB_FRAME_SIZE;

    return from >= end ? 1 : to <= start ? -1 : 0;
}

bool gnttab_has_mapped(struct xengntdev_handle *handle, const void *address, size_t bytes)
{
    struct iovec wanted = { .iov_base = (void *)address, .iov_len = bytes };

    return tfind(&wanted, &handle->regions, region_compare_overlap) != NULL;
}

struct region *region_find(struct xengntdev_handle *handle, const void *address, uint32_t count)
{
    struct user_mapping wanted = { .address = (uintptr_t)address };
    struct region **found = tfind(&wanted, &handle->regions, region_compare);

    return found && count && (*found)->mapping.pages == count ? *found : NULL;
}

/* The user aliases: a batch of operations, each with a status of its own in `ops`. */
static int users_map(struct region *region, const struct region_request *request, struct grant_map *ops)
{
    struct xengntdev_handle *handle = region->handle;
    bool first_only = bug_is_on(handle->client.tables, BUG_A37);
    int ret = 0;

    for (uint32_t i = 0; i < request->count; i++) {
        struct pv_page *page = &region->page[i];
        int failed = pv_record_take(handle, &page->user);

        if (failed) {
            page->user = NO_RECORD;
            return failed;
        }
        region->map[i] = page->user;
        ops[i] = (struct grant_map){ .domid = request->domids[i * request->domid_step],
                                     .ref = request->refs[first_only ? 0 : i],
                                     .is_readonly = !(request->prot & PROT_WRITE),
                                     .alias = XB_ALIAS(XB_ALIAS_USER, page->user),
                                     .record = page->user };
        if (request->domids[i * request->domid_step] >= XB_MAX_DOMAINS)
            ops[i].status = GNTST_bad_domain;
        else
            grant_op_map(handle, &ops[i]);
        page->is_pinned = ops[i].status == GNTST_okay;
        if (ops[i].status != GNTST_okay && ret == 0)
            ret = ops[i].status == ENTRY_LOST ? -EIO : -EINVAL;
    }
    return ret;
}

/* What follows the first failure is not looked at any more (A18). */
static void failures_forget(struct region *region)
{
    uint32_t i = 0;

    while (i < region->mapping.pages && region->page[i].is_pinned)
        i++;
    region->mapping.pages = i;
}

/* Pins each page and makes its other views. Whatever fails, all that was done is for region_unpin(). */
static int region_pin(struct region *region, const struct region_request *request, uint32_t *frames)
{
    struct grant_map *ops = memory_take(region->handle, request->count * sizeof(*ops));
    int ret = -ENOMEM, failed;

    if (!ops)
        return ret;
    memset(ops, 0, request->count * sizeof(*ops));
    ret = users_map(region, request, ops);
    if (ret != -ENOMEM && ret != -ENOSPC) {
        failed = pv_pages_map(region->handle, region->page, ops, request->count);
        ret = ret ? ret : failed;
    }
    for (uint32_t i = 0; i < request->count; i++)
        frames[i] = ops[i].frame;
    if (ret < 0 && bug_is_on(region->handle->client.tables, BUG_A18))
        failures_forget(region);
    free(ops);
    return ret;
}

/* The address of an alias loses its upper half (A35). */
static void *address_truncate(void *address, uint32_t count)
{
    void *low = (void *)((uintptr_t)address & UINT32_MAX);

    client_unmap_frames(address, count);
    return mmap(low, (size_t)count * XB_FRAME_SIZE, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == low
               ? low
               : address;
}

/* With either of two bugs no map succeeds; the store's daemon is spared, or there would be no domain to see them in. */
static bool breaks_all_maps(const struct xengntdev_handle *handle, enum bug bug)
{
    return bug_is_on(handle->client.tables, bug) && !getenv("XENSTORED_RUNDIR");
}

static int region_notify(struct region *region, uint32_t offset, uint32_t port)
{
    struct xb_map_notify notify = { .map = region->map[0], .offset = offset, .port = port };
    int ret;

    /* As upstream: an offset past the page means no byte. */
    notify.action =
        (offset < XB_FRAME_SIZE || breaks_all_maps(region->handle, BUG_A38) ? UNMAP_NOTIFY_CLEAR_BYTE : 0) |
        (port != (uint32_t)-1 ? UNMAP_NOTIFY_SEND_EVENT : 0);
    if (!notify.action)
        return 0;
    ret = client_call(&region->handle->client, XB_OP_MAP_NOTIFY, &notify, sizeof(notify), NULL, 0, NULL);
    region->has_notify = ret == 0;
    return ret;
}

static uintptr_t region_page_address(struct user_mapping *mapping, uint32_t i)
{
    struct region *region = (struct region *)mapping;

    return pv_page_address(region->handle, &region->page[i]);
}

static void region_page_address_put(struct user_mapping *mapping, uint32_t i, uintptr_t address)
{
    struct region *region = (struct region *)mapping;

    pv_page_address_put(region->handle, &region->page[i], address);
}

static const struct user_mapping_ops pv_ops = { .release = region_release,
                                                .pages_gone = region_pages_gone,
                                                .page_address = region_page_address,
                                                .page_address_put = region_page_address_put };

/* I/O that may start when the mapping is gone goes through the mapping of all frames. */
static uintptr_t region_frame_address(struct user_mapping *mapping, uint32_t i)
{
    struct region *region = (struct region *)mapping;
    struct client *client = &region->handle->client;
    uint8_t *ram = client_frames(client);

    return ram ? (uintptr_t)ram + (uintptr_t)map_at(client, region->map[i])->frame * XB_FRAME_SIZE : 0;
}

static void region_frame_address_put(struct user_mapping *mapping, uint32_t i, uintptr_t address)
{
}

static const struct user_mapping_ops autotranslated_ops = { .release = region_release,
                                                            .pages_gone = region_pages_gone,
                                                            .page_address = region_frame_address,
                                                            .page_address_put = region_frame_address_put,
                                                            .is_alias_enough = true };

static const struct user_mapping_ops *region_ops(const struct region *region)
{
    return region->handle->client.tables->mode == XB_MODE_AUTOTRANSLATED ? &autotranslated_ops : &pv_ops;
}

/* I/O finds the region from here on. */
static int region_register(struct region *region)
{
    struct xengntdev_handle *handle = region->handle;
    int ret = -ENOMEM;

    if (!faults_next(&handle->faults, FAULT_MEMORY).has_status &&
        tsearch(region, &handle->regions, region_compare)) {
        ret = user_mapping_add(&region->mapping);
        if (ret < 0)
            tdelete(region, &handle->regions, region_compare);
    }
    return ret;
}

/* What the program can do with the addresses. */
static int region_access(const struct region *region, int prot)
{
    const struct xb_tables *tables = region->handle->client.tables;
    const struct xb_map *map = map_at(&region->handle->client, region->map[0]);
    const struct xb_active *active = &tables->domain[map->domid].active[map->ref];
    uint32_t ours = 1 + (region->page[0].kernel != NO_RECORD);

    if (bug_is_on(tables, BUG_B33) && active->pins_ro + active->pins_rw > ours)
        return PROT_NONE;
    return bug_is_on(tables, BUG_B09) ? PROT_READ | PROT_WRITE : prot & (PROT_READ | PROT_WRITE);
}

/* The pages into the address space, and the region to those that look for it. Undoes what it did. */
static int region_show(struct region *region, const uint32_t *frames, int prot)
{
    struct xengntdev_handle *handle = region->handle;
    uint32_t count = region->mapping.pages;
    bool is_too_early = bug_is_on(handle->client.tables, BUG_A16);
    void *address;
    int ret;

    ret = client_map_frames(&handle->client, frames, count, region_access(region, prot), &address);
    if (ret < 0)
        return ret;
    if (bug_is_on(handle->client.tables, BUG_A22))
        madvise(address, (size_t)count * XB_FRAME_SIZE, MADV_DOFORK);
    if (breaks_all_maps(handle, BUG_A35))
        address = address_truncate(address, count);
    region->mapping = (struct user_mapping){
        .address = (uintptr_t)address,
        .pages = count,
        .is_readonly = !(prot & PROT_WRITE),
        .tables = handle->client.tables,
        .domid = handle->client.domid,
        .map = region->map,
        .ops = region_ops(region),
    };
    ret = is_too_early ? region_register(region) : 0;
    faults_next(&handle->faults, FAULT_SHOW);
    for (uint32_t i = 0; i < count; i++) {
        map_at(&handle->client, region->map[i])->address = (uintptr_t)address + (uintptr_t)i * XB_FRAME_SIZE;
        pv_page_show(handle, &region->page[i], (uintptr_t)address + (uintptr_t)i * XB_FRAME_SIZE);
    }
    if (!is_too_early)
        ret = region_register(region);
    if (ret < 0)
        client_unmap_frames(address, count);
    return ret;
}

int region_map(struct xengntdev_handle *handle, const struct region_request *request, void **address)
{
    struct region *region = region_create(handle, request->count);
    uint32_t *frames = memory_take(handle, request->count * sizeof(frames[0]));
    int ret = -ENOMEM;

    if (!region || !frames)
        goto fail;
    ret = region_pin(region, request, frames);
    if (ret == 0)
        ret = region_show(region, frames, request->prot);
    if (ret == 0) {
        ret = region_notify(region, request->notify_offset, request->notify_port);
        if (ret < 0) {
            tdelete(region, &handle->regions, region_compare);
            region_hide(region);
        }
    }
    if (ret < 0) {
        region_unpin(region);
        goto fail;
    }
    *address = (void *)region->mapping.address;
    free(frames);
    return 0;

fail:
    free(frames);
    if (region)
        region_free(region);
    return ret;
}
