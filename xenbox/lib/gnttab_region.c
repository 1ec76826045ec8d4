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

#include "xenbox/hv/atoms.h"
#include "xenbox/hv/bugs.h"
#include "xenbox/kernel/io_engine.h"
#include "xenbox/lib/entry.h"
#include "xenbox/lib/gnttab_region.h"

struct region {
    struct user_mapping mapping; /* the first member */
    struct xengntdev_handle *handle;
    bool has_notify; /* one page; the hypervisor process unmaps it */
    bool is_stuck; /* its pins are not ours any more */
    uint32_t pinned; /* records in map */
    uint32_t map[];
};

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

static struct xb_map *map_at(struct client *client, uint32_t index)
{
    return &client->tables->map[index / XB_CHUNK_MAPS][index % XB_CHUNK_MAPS];
}

/* Takes a free record, from a new chunk if need be. */
static int map_take(struct xengntdev_handle *handle, uint32_t *index)
{
    struct xb_u32 chunk;
    uint32_t *free_maps;
    int ret;

    if (handle->free_count == 0) {
        /* Room for all records that this handle will have then: all of them can be free at once. */
        size_t room = ((size_t)atomic_load(&handle->client.slot->chunks) + 1) * XB_CHUNK_MAPS;

        free_maps = reallocarray(handle->free_maps, room, sizeof(*free_maps));
        if (!free_maps)
            return -ENOMEM;
        handle->free_maps = free_maps;
        ret = client_call(&handle->client, XB_OP_MAPTRACK, NULL, 0, &chunk, sizeof(chunk), NULL);
        if (ret < 0)
            return ret;
        for (uint32_t i = XB_CHUNK_MAPS; i > 0; i--)
            handle->free_maps[handle->free_count++] = chunk.value * XB_CHUNK_MAPS + i - 1;
    }
    *index = handle->free_maps[--handle->free_count];
    return 0;
}

static void map_give_back(struct xengntdev_handle *handle, uint32_t index)
{
    atomic_store(&map_at(&handle->client, index)->state, XB_MAP_FREE);
    handle->free_maps[handle->free_count++] = index;
}

/* Pins one page: a live record and *frame. -errno, or -EINVAL for any refusal by the grant entry. */
static int page_pin(struct xengntdev_handle *handle, uint32_t domid, uint32_t ref, bool is_readonly,
                    uint32_t index, uint32_t *frame)
{
    struct xb_map *map = map_at(&handle->client, index);
    struct locked_entry entry;
    int status;

    status = entry_lock(&entry, &handle->client, domid, ref);
    if (status == ENTRY_LOST)
        return -EIO;
    if (status != GNTST_okay)
        return -EINVAL;
    atomic_store(&map->state, XB_MAP_PREPARED);
    if (bug_is_on(handle->client.tables, BUG_B34))
        xb_grant_mark_early(entry.shared);
    status = entry_check(&entry, is_readonly);
    if (status == GNTST_okay)
        status = entry_pin(&entry, map, is_readonly);
    *frame = entry.frame;
    entry_unlock(&entry);
    return status == GNTST_okay ? 0 : -EINVAL;
}

static void page_unpin(struct xengntdev_handle *handle, uint32_t index)
{
    struct xb_map *map = map_at(&handle->client, index);
    struct locked_entry entry;

    /* This can only fail when the box is gone: nobody else uses the record then. */
    if (entry_lock(&entry, &handle->client, map->domid, map->ref) == GNTST_okay) {
        entry_unpin(&entry, map);
        entry_unlock(&entry);
    }
    map_give_back(handle, index);
}

static void region_unpin(struct xengntdev_handle *handle, struct region *region)
{
    while (region->pinned)
        page_unpin(handle, region->map[--region->pinned]);
}

/* Pins each page; region->pinned says how many are, also in failure. */
static int region_pin(struct region *region, const struct region_request *request, uint32_t *frames)
{
    bool is_readonly = !(request->prot & PROT_WRITE);

    for (uint32_t i = 0; i < request->count; i++) {
        uint32_t index;
        int ret = map_take(region->handle, &index);

        if (ret < 0)
            return ret;
        ret = page_pin(region->handle, request->domids[i * request->domid_step], request->refs[i],
                       is_readonly, index, &frames[i]);
        if (ret < 0) {
            map_give_back(region->handle, index);
            return ret;
        }
        region->map[region->pinned++] = index;
    }
    return 0;
}

static int region_notify(struct region *region, uint32_t offset, uint32_t port)
{
    struct xb_map_notify notify = { .map = region->map[0], .offset = offset, .port = port };
    int ret;

    /* As upstream: an offset past the page means no byte. */
    notify.action = (offset < XB_FRAME_SIZE ? UNMAP_NOTIFY_CLEAR_BYTE : 0) |
                    (port != (uint32_t)-1 ? UNMAP_NOTIFY_SEND_EVENT : 0);
    if (!notify.action)
        return 0;
    ret = client_call(&region->handle->client, XB_OP_MAP_NOTIFY, &notify, sizeof(notify), NULL, 0, NULL);
    region->has_notify = ret == 0;
    return ret;
}

/* The last I/O that referred to an unmapped region is over. Takes the handle's lock. */
static void region_release(struct user_mapping *mapping)
{
    struct region *region = (struct region *)mapping;
    struct xengntdev_handle *handle = region->handle;

    pthread_mutex_lock(&handle->lock);
    if (!region->is_stuck)
        region_unpin(handle, region);
    pthread_mutex_unlock(&handle->lock);
    free(region);
    gnttab_put(handle);
}

/* The pages into the address space, and the region to those that look for it. Undoes what it did. */
static int region_show(struct region *region, const uint32_t *frames, int prot)
{
    struct xengntdev_handle *handle = region->handle;
    uint32_t count = region->pinned;
    void *address;
    int ret;

    ret = client_map_frames(&handle->client, frames, count, prot & (PROT_READ | PROT_WRITE), &address);
    if (ret < 0)
        return ret;
    region->mapping =
        (struct user_mapping){ .address = (uintptr_t)address,
                               .pages = count,
                               .is_readonly = !(prot & PROT_WRITE),
                               .tables = handle->client.tables,
                               .domid = handle->client.domid,
                               .map = region->map,
                               .frames = io_engine_has_faults() ? client_frames(&handle->client) : NULL,
                               .release = region_release };
    for (uint32_t i = 0; i < count; i++)
        map_at(&handle->client, region->map[i])->address = (uintptr_t)address + (uintptr_t)i * XB_FRAME_SIZE;
    ret = -ENOMEM;
    if (tsearch(region, &handle->regions, region_compare)) {
        ret = user_mapping_add(&region->mapping);
        if (ret < 0)
            tdelete(region, &handle->regions, region_compare);
    }
    if (ret < 0)
        client_unmap_frames(address, count);
    return ret;
}

/* Takes it out of sight. True: no I/O refers to it. */
static bool region_hide(struct region *region)
{
    bool is_idle = user_mapping_remove(&region->mapping);

    client_unmap_frames((void *)region->mapping.address, region->mapping.pages);
    return is_idle;
}

int region_map(struct xengntdev_handle *handle, const struct region_request *request, void **address)
{
    struct region *region = malloc(sizeof(*region) + request->count * sizeof(region->map[0]));
    uint32_t *frames = malloc(request->count * sizeof(frames[0]));
    int ret = -ENOMEM;

    if (!region || !frames)
        goto fail;
    *region = (struct region){ .handle = handle };
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
        region_unpin(handle, region);
        goto fail;
    }
    *address = (void *)region->mapping.address;
    free(frames);
    return 0;

fail:
    free(frames);
    free(region);
    return ret;
}

/* The notification is sent, and a record that nothing else keeps goes, in one step of the hypervisor process. */
static int region_unmap_notify(struct region *region, bool is_idle)
{
    struct xengntdev_handle *handle = region->handle;
    struct xb_u32 index = { .value = region->map[0] };
    int ret;

    do {
        ret = client_call(&handle->client, XB_OP_UNMAP_NOTIFY, &index, sizeof(index), NULL, 0, NULL);
    } while (ret == -EAGAIN && sched_yield() == 0); /* the entry is locked for a copy */
    if (ret == 0 && is_idle) {
        region->pinned = 0;
        map_give_back(handle, index.value);
    }
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
    struct xb_damage damage = { .domid = map->domid, .ref = map->ref, .pages = region->pinned };

    region->is_stuck = tables->flags & XB_BOX_PUNISH;
    for (uint32_t i = 0; i < region->pinned; i++)
        atomic_store(&map_at(&handle->client, region->map[i])->state,
                     region->is_stuck ? XB_MAP_STUCK : XB_MAP_LEAVING);
    if (region->is_stuck) {
        atomic_fetch_add(&tables->domain[handle->client.domid].damage, region->pinned);
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
    is_idle = region_hide(region);
    if (!is_idle)
        region_leave(region);
    if (region->has_notify)
        ret = region_unmap_notify(region, is_idle);
    if (is_idle) {
        region_unpin(handle, region);
        free(region);
        gnttab_put(handle);
    }
    return ret;
}

int region_unmap(struct region *region)
{
    tdelete(region, &region->handle->regions, region_compare);
    return region_end(region);
}

static void region_end_node(void *node)
{
    region_end(node);
}

void region_unmap_all(struct xengntdev_handle *handle)
{
    tdestroy(handle->regions, region_end_node);
    handle->regions = NULL;
}

void region_forget_all(struct xengntdev_handle *handle)
{
    tdestroy(handle->regions, free);
    handle->regions = NULL;
}
