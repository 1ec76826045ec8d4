// SPDX-License-Identifier: MIT
/*
 * gnttab.c: libxengnttab's consuming half: map, unmap. Copy is in gnttab_copy.c.
 *
 * A map call reserves records, pins each grant entry, then maps the frames; whatever fails, all of it is
 * undone and the caller sees EINVAL, as from the real gntdev. An unmap call unmaps first and drops the pins
 * afterwards, so that a page is pinned for as long as this process can touch it.
 */
#include <config.h>

#include <errno.h>
#include <sched.h>
#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/sys/gntdev.h>

#include "xenbox/hv/atoms.h"
#include "xenbox/hv/bugs.h"
#include "xenbox/lib/entry.h"
#include "xenbox/lib/gnttab.h"

int gnttab_error(int error)
{
    errno = -error;
    return -1;
}

/* gntdev cannot restrict a descriptor to a domain: as with the real library, the handle becomes useless. */
static int gnttab_restrict(Xentoolcore__Active_Handle *active, domid_t domid)
{
    struct xengntdev_handle *handle = (void *)((char *)active - offsetof(struct xengntdev_handle, active));

    handle->is_restricted = true;
    return 0;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    struct xengntdev_handle *handle = calloc(1, sizeof(*handle));
    int ret;

    if (!handle)
        return NULL;
    if (open_flags) {
        free(handle);
        errno = EINVAL;
        return NULL;
    }
    ret = client_open(&handle->client, "gnttab", logger, XB_CONN_GNTTAB, 0, -1, NULL);
    if (ret < 0) {
        free(handle);
        errno = -ret;
        return NULL;
    }
    pthread_mutex_init(&handle->lock, NULL);
    handle->active.restrict_callback = gnttab_restrict;
    xentoolcore__register_active_handle(&handle->active);
    return handle;
}

static int region_compare(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const struct region *)a)->address;
    uintptr_t right = (uintptr_t)((const struct region *)b)->address;

    return (left > right) - (left < right);
}

/* For a search: the region that overlaps the one which is looked for counts as equal to it. */
static int region_compare_overlap(const void *a, const void *b)
{
    const struct region *wanted = a, *region = b;
    uintptr_t from = (uintptr_t)wanted->address, to = from + wanted->count;
    uintptr_t start = (uintptr_t)region->address, end = start + (uintptr_t)region->count * XB_FRAME_SIZE;

    return from >= end ? 1 : to <= start ? -1 : 0;
}

bool gnttab_has_mapped(struct xengntdev_handle *handle, const void *address, size_t bytes)
{
    struct region wanted = { .address = (void *)address, .count = bytes };

    return tfind(&wanted, &handle->regions, region_compare_overlap) != NULL;
}

static void region_free(void *node)
{
    struct region *region = node;

    /* Not in a forked child: it has no mapping there, and something else may be at that address. */
    client_unmap_frames(region->address, region->count);
    free(region);
}

static void region_forget(void *node)
{
    free(node);
}

int xengnttab_close(xengnttab_handle *xgt)
{
    if (!xgt)
        return 0;
    xentoolcore__deregister_active_handle(&xgt->active);
    tdestroy(xgt->regions, client_is_ours(&xgt->client) ? region_free : region_forget);
    client_close(&xgt->client);
    pthread_mutex_destroy(&xgt->lock);
    free(xgt->free_maps);
    free(xgt);
    return 0;
}

int xengnttab_fd(xengnttab_handle *xgt)
{
    return xgt->client.fd;
}

/*
 * Linux sets no limit by this call any more, and neither do we: what one map call may ask for is the box's.
 */
int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
    return 0;
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
    while (region->count)
        page_unpin(handle, region->map[--region->count]);
}

/* Pins each page; region->count says how many are, also in failure. */
static int region_pin(struct xengntdev_handle *handle, struct region *region, uint32_t count,
                      const uint32_t *domids, uint32_t domid_step, const uint32_t *refs, bool is_readonly,
                      uint32_t *frames)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index;
        int ret = map_take(handle, &index);

        if (ret < 0)
            return ret;
        ret = page_pin(handle, domids[i * domid_step], refs[i], is_readonly, index, &frames[i]);
        if (ret < 0) {
            map_give_back(handle, index);
            return ret;
        }
        region->map[region->count++] = index;
    }
    return 0;
}

static int region_notify(struct xengntdev_handle *handle, struct region *region, uint32_t offset,
                         uint32_t port)
{
    struct xb_map_notify notify = { .map = region->map[0], .offset = offset, .port = port };
    int ret;

    /* As upstream: an offset past the page means no byte. */
    notify.action = (offset < XB_FRAME_SIZE ? UNMAP_NOTIFY_CLEAR_BYTE : 0) |
                    (port != (uint32_t)-1 ? UNMAP_NOTIFY_SEND_EVENT : 0);
    if (!notify.action)
        return 0;
    ret = client_call(&handle->client, XB_OP_MAP_NOTIFY, &notify, sizeof(notify), NULL, 0, NULL);
    region->has_notify = ret == 0;
    return ret;
}

/* domid_step is 0 when all refs are of domids[0]. */
static void *gnttab_map(struct xengntdev_handle *handle, uint32_t count, const uint32_t *domids,
                        uint32_t domid_step, const uint32_t *refs, int prot, uint32_t notify_offset,
                        uint32_t notify_port)
{
    bool is_readonly = !(prot & PROT_WRITE);
    struct region *region = NULL;
    uint32_t *frames = NULL;
    int ret = -EINVAL;

    if (!client_is_ours(&handle->client) || handle->is_restricted || count == 0 ||
        count > handle->client.tables->limits.gntdev_pages)
        goto fail;
    ret = -ENOMEM;
    region = malloc(sizeof(*region) + count * sizeof(region->map[0]));
    frames = malloc(count * sizeof(frames[0]));
    if (!region || !frames)
        goto fail;
    *region = (struct region){ .count = 0 };

    pthread_mutex_lock(&handle->lock);
    ret = region_pin(handle, region, count, domids, domid_step, refs, is_readonly, frames);
    if (ret == 0)
        ret = client_map_frames(&handle->client, frames, count, prot & (PROT_READ | PROT_WRITE),
                                &region->address);
    if (ret == 0) {
        for (uint32_t i = 0; i < count; i++)
            map_at(&handle->client, region->map[i])->address =
                (uintptr_t)region->address + (uintptr_t)i * XB_FRAME_SIZE;
        ret = tsearch(region, &handle->regions, region_compare) ? 0 : -ENOMEM;
        if (ret == 0)
            ret = region_notify(handle, region, notify_offset, notify_port);
        if (ret < 0) {
            tdelete(region, &handle->regions, region_compare);
            client_unmap_frames(region->address, count);
        }
    }
    if (ret < 0)
        region_unpin(handle, region);
    pthread_mutex_unlock(&handle->lock);
    if (ret < 0)
        goto fail;
    free(frames);
    return region->address;

fail:
    if (ret != -EIO)
        client_log(&handle->client, -ret, "mapping %u grant refs (the first: domain %u, ref %u) failed",
                   count, count ? domids[0] : 0, count ? refs[0] : 0);
    free(frames);
    free(region);
    errno = ret == -EIO ? EIO : EINVAL;
    return NULL;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    return gnttab_map(xgt, 1, &domid, 0, &ref, prot, -1, -1);
}

void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t *domids, uint32_t *refs,
                               int prot)
{
    return gnttab_map(xgt, count, domids, 1, refs, prot, -1, -1);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid, uint32_t *refs,
                                      int prot)
{
    return gnttab_map(xgt, count, &domid, 0, refs, prot, -1, -1);
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot,
                                     uint32_t notify_offset, evtchn_port_t notify_port)
{
    return gnttab_map(xgt, 1, &domid, 0, &ref, prot, notify_offset, notify_port);
}

/* The record goes, and the notification is sent, in one step of the hypervisor process. */
static int region_unmap_notify(struct xengntdev_handle *handle, struct region *region)
{
    struct xb_u32 index = { .value = region->map[0] };
    int ret;

    do {
        ret = client_call(&handle->client, XB_OP_UNMAP_NOTIFY, &index, sizeof(index), NULL, 0, NULL);
    } while (ret == -EAGAIN && sched_yield() == 0); /* the entry is locked for a copy */
    if (ret == 0)
        map_give_back(handle, index.value);
    return ret;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
    struct region wanted = { .address = start_address };
    struct region *region, **found;
    int ret = 0;

    if (!client_is_ours(&xgt->client))
        return gnttab_error(-EINVAL);
    pthread_mutex_lock(&xgt->lock);
    found = tfind(&wanted, &xgt->regions, region_compare);
    region = found ? *found : NULL;
    if (!region || region->count != count || count == 0) {
        pthread_mutex_unlock(&xgt->lock);
        return gnttab_error(-EINVAL);
    }
    tdelete(region, &xgt->regions, region_compare);
    client_unmap_frames(region->address, region->count);
    if (region->has_notify)
        ret = region_unmap_notify(xgt, region);
    else
        region_unpin(xgt, region);
    pthread_mutex_unlock(&xgt->lock);
    free(region);
    return ret < 0 ? gnttab_error(ret) : 0;
}
