// SPDX-License-Identifier: MIT
/*
 * gnttab_region.c: see gnttab_region.h.
 *
 * A map call reserves records, pins each grant entry, then maps the frames; whatever fails, all of it is undone.
 * An unmap unmaps first and drops the pins afterwards, so that a page is pinned for as long as this process or
 * I/O of it can touch it.
 */
#include <config.h>

#include <errno.h>
#include <sched.h>
#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xen/sys/gntdev.h>

#include "xenbox/hv/bugs.h"
#include "xenbox/lib/entry.h"
#include "xenbox/lib/gnttab_pv.h"
#include "xenbox/lib/gnttab_region.h"

#define UNMAP_TRIES 3 /* of an operation that was refused */

struct region {
    struct user_mapping mapping; /* the first member */
    struct xengntdev_handle *handle;
    bool has_notify; /* one page; the hypervisor process unmaps it */
    bool is_stuck; /* its pins are not ours any more */
    struct pv_page *page;
    uint8_t *is_gone; /* pages that the program has unmapped by itself; NULL: none */
    uint32_t map[]; /* records */
};

static struct region *region_create(struct xengntdev_handle *handle, uint32_t count)
{
    struct region *region = malloc(sizeof(*region) + count * sizeof(region->map[0]));
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

static void region_free(struct region *region)
{
    free(region->page);
    free(region->is_gone);
    free(region);
}

static int region_compare(const void *a, const void *b)
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

/* Undoes what was done for one page. */
static void page_unpin(struct region *region, uint32_t i)
{
    struct pv_page *page = &region->page[i];

    if (page->user == NO_RECORD)
        return;
    if (page->is_pinned || !bug_is_on(region->handle->client.tables, BUG_A23))
        pv_page_unmap(region->handle, page);
    if (!page->is_pinned)
        record_give_back(region->handle, page->user);
    for (int try = 0; page->is_pinned && try < UNMAP_TRIES; try++)
        page->is_pinned = !grant_op_unmap(region->handle, page->user, NULL, NULL);
    page->user = NO_RECORD;
}

static void region_unpin(struct region *region)
{
    const struct xb_tables *tables = region->handle->client.tables;

    for (uint32_t i = 0; i < region->mapping.pages; i++) {
        bool is_hole = region->is_gone && region->is_gone[i];

        if (!is_hole && !region->page[i].is_pinned && bug_is_on(tables, BUG_A24))
            return;
        if (is_hole)
            i += bug_is_on(tables, BUG_A26); /* off by one */
        else
            page_unpin(region, i);
    }
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
    struct grant_map *ops = calloc(request->count, sizeof(*ops));
    int ret = -ENOMEM, failed;

    if (!ops)
        return ret;
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

static int region_notify(struct region *region, uint32_t offset, uint32_t port)
{
    struct xb_map_notify notify = { .map = region->map[0], .offset = offset, .port = port };
    int ret;

    /* As upstream: an offset past the page means no byte. */
    notify.action =
        (offset < XB_FRAME_SIZE || bug_is_on(region->handle->client.tables, BUG_A38) ? UNMAP_NOTIFY_CLEAR_BYTE
                                                                                     : 0) |
        (port != (uint32_t)-1 ? UNMAP_NOTIFY_SEND_EVENT : 0);
    if (!notify.action)
        return 0;
    ret = client_call(&region->handle->client, XB_OP_MAP_NOTIFY, &notify, sizeof(notify), NULL, 0, NULL);
    region->has_notify = ret == 0;
    return ret;
}

/* Takes it out of sight. True: no I/O refers to it. */
static bool region_hide(struct region *region)
{
    uint32_t grants = bug_is_on(region->handle->client.tables, BUG_A36) ? 16 : 1; /* of a page of 64 KiB */
    bool is_idle = user_mapping_remove(&region->mapping);

    client_unmap_frames((void *)region->mapping.address, region->mapping.pages * grants);
    return is_idle;
}

/* The notification is sent, and a record that nothing else keeps goes, in one step of the hypervisor process. */
static int region_unmap_notify(struct region *region, bool is_idle)
{
    struct xengntdev_handle *handle = region->handle;
    struct xb_u32 index = { .value = region->map[0] };
    int ret;

    /* The other views go first: it is the last pin that is dropped with the notification. */
    if (is_idle)
        pv_page_unmap(handle, &region->page[0]);

    do {
        ret = client_call(&handle->client, XB_OP_UNMAP_NOTIFY, &index, sizeof(index), NULL, 0, NULL);
    } while (ret == -EAGAIN && sched_yield() == 0); /* the entry is locked for a copy */
    if (ret == 0 && is_idle) {
        region->page[0].user = NO_RECORD;
        record_give_back(handle, index.value);
    }
    return ret;
}

/* The last I/O that referred to an unmapped region is over. Takes the handle's lock. */
static void region_release(struct user_mapping *mapping)
{
    struct region *region = (struct region *)mapping;
    struct xengntdev_handle *handle = region->handle;
    const struct xb_tables *tables = handle->client.tables;

    if (handle->is_closed && bug_is_on(tables, BUG_H05))
        return;
    pthread_mutex_lock(&handle->lock);
    if (!region->is_stuck)
        region_unpin(region);
    if (handle->leaving == region)
        handle->leaving = NULL;
    pthread_mutex_unlock(&handle->lock);
    if (mapping->io_refs && bug_is_on(tables, BUG_H08))
        return; /* it comes here again */
    region_free(region);
    gnttab_put(handle);
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

/* From the start of the piece of address space that the page is in now, not of what was mapped once (A25). */
static uint32_t wrong_page(const struct region *region, uint32_t page)
{
    uint32_t start = page;

    while (start > 0 && !(region->is_gone && region->is_gone[start - 1]))
        start--;
    return page - start;
}

/* One page that the program has unmapped. */
static void page_gone(struct region *region, uint32_t i)
{
    struct client *client = &region->handle->client;
    struct xb_map *map = map_at(client, region->map[i]);
    uint32_t victim = bug_is_on(client->tables, BUG_A25) ? wrong_page(region, i) : i;
    uint32_t io_refs = 0;

    /* The address stays taken as long as the others of the mapping are there: nothing else gets its place. */
    mmap((uint8_t *)region->mapping.address + (size_t)i * XB_FRAME_SIZE, XB_FRAME_SIZE, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    for (int kind = 0; kind < XB_IO_KINDS; kind++)
        io_refs += atomic_load(&map->io_refs[kind]);
    /* What I/O still refers to goes with the mapping. */
    if (io_refs)
        atomic_store(&map->state, XB_MAP_LEAVING);
    else if (region->has_notify)
        region->has_notify = region_unmap_notify(region, true) < 0;
    else
        page_unpin(region, victim);
}

/* The program has unmapped pages by munmap(2). Takes the handle's lock. */
static void region_pages_gone(struct user_mapping *mapping, uint32_t first, uint32_t pages)
{
    struct region *region = (struct region *)mapping;
    struct xengntdev_handle *handle = region->handle;
    uint32_t left = 0;

    pthread_mutex_lock(&handle->lock);
    if (!region->is_gone)
        region->is_gone = calloc(mapping->pages, 1);
    for (uint32_t i = first; region->is_gone && i < first + pages; i++) {
        if (!region->is_gone[i])
            page_gone(region, i);
        region->is_gone[i] = 1;
    }
    mapping->is_gone = region->is_gone;
    for (uint32_t i = 0; region->is_gone && i < mapping->pages; i++)
        left += !region->is_gone[i];
    if (left == 0 && !mapping->is_leaving) {
        /* The caller has a reference: with that the rest is released. */
        gnttab_get(handle);
        tdelete(region, &handle->regions, region_compare);
        region_hide(region);
    }
    pthread_mutex_unlock(&handle->lock);
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

    if (tsearch(region, &handle->regions, region_compare)) {
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
    if (bug_is_on(handle->client.tables, BUG_A35))
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
    uint32_t *frames = malloc(request->count * sizeof(frames[0]));
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

/*
 * The region is out of sight, and I/O refers to it. A real kernel without a reference of its own for the I/O
 * takes the page back from under it, and the page stays pinned for good: see XB_BOX_PUNISH.
 */
static void region_leave(struct region *region)
{
    struct xengntdev_handle *handle = region->handle;
    struct xb_tables *tables = handle->client.tables;
    struct xb_map *map = map_at(&handle->client, region->map[0]);
    struct xb_damage damage = { .domid = map->domid, .ref = map->ref, .pages = region->mapping.pages };

    if (bug_is_on(tables, BUG_H01)) {
        region_unpin(region);
        return;
    }
    if (bug_is_on(tables, BUG_H04))
        handle->leaving = region;
    region->is_stuck = tables->flags & XB_BOX_PUNISH;
    for (uint32_t i = 0; i < region->mapping.pages; i++) {
        if (region->page[i].user == NO_RECORD)
            continue;
        if (region->is_stuck)
            pv_page_unmap(handle, &region->page[i]);
        atomic_store(&map_at(&handle->client, region->map[i])->state,
                     region->is_stuck ? XB_MAP_STUCK : XB_MAP_LEAVING);
    }
    if (region->is_stuck) {
        atomic_fetch_add(&tables->domain[handle->client.domid].damage, region->mapping.pages);
        client_post(&handle->client, XB_OP_DAMAGE, &damage, sizeof(damage));
    }
}

/* The region is in the tree no more. */
static int region_end(struct region *region)
{
    struct xengntdev_handle *handle = region->handle;
    bool is_idle;
    int ret = 0;

    /* Before anybody can release it. */
    gnttab_get(handle);
    if (region->has_notify && bug_is_on(handle->client.tables, BUG_A28)) {
        region_unmap_notify(region, true);
        region->has_notify = false;
        faults_next(&handle->faults, FAULT_NOTIFY);
    }
    if (bug_is_on(handle->client.tables, BUG_H03))
        user_mapping_wait(&region->mapping);
    is_idle = region_hide(region);
    if (!is_idle)
        region_leave(region);
    faults_next(&handle->faults, FAULT_NOTIFY);
    if (region->has_notify)
        ret = region_unmap_notify(region, is_idle);
    if (is_idle) {
        region_unpin(region);
        region_free(region);
        gnttab_put(handle);
    }
    return ret;
}

int region_unmap_again(struct xengntdev_handle *handle, const void *address)
{
    if (!handle->leaving || (void *)handle->leaving->mapping.address != address)
        return -EINVAL;
    region_unpin(handle->leaving);
    return 0;
}

int region_unmap(struct region *region)
{
    tdelete(region, &region->handle->regions, region_compare);
    return region_end(region);
}

static void region_end_node(void *node)
{
    struct region *region = node;

    if (!bug_is_on(region->handle->client.tables, BUG_A21))
        region_end(region);
}

void region_unmap_all(struct xengntdev_handle *handle)
{
    tdestroy(handle->regions, region_end_node);
    handle->regions = NULL;
}

static void region_forget(void *node)
{
    region_free(node);
}

void region_forget_all(struct xengntdev_handle *handle)
{
    tdestroy(handle->regions, region_forget);
    handle->regions = NULL;
}
