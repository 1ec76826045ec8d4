// SPDX-License-Identifier: MIT
/*
 * gnttab_region_end.c: see gnttab_region.h: how what is mapped goes.
 *
 * A page goes out of sight first, and the byte is cleared that the mapper has asked for; then goes its pin, with that
 * the in-use bits of its grant entry, and last comes the event. What I/O still refers to goes the same way when that is
 * over, from the pin on: by region_release(), which the registry of pages calls from the thread that saw the last
 * completion.
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
#include "xenbox/lib/gnttab_region_internal.h"

#define UNMAP_TRIES 3 /* of an operation that was refused */

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

void region_unpin(struct region *region)
{
    const struct xb_tables *tables = region->handle->client.tables;

    for (uint32_t i = 0; i < region->mapping.pages; i++) {
        bool is_hole = region->is_gone && region->is_gone[i] && region->page[i].user == NO_RECORD;

        if (!is_hole && !region->page[i].is_pinned && bug_is_on(tables, BUG_A24))
            return;
        if (is_hole)
            i += bug_is_on(tables, BUG_A26); /* off by one */
        else
            page_unpin(region, i);
    }
}

/* Takes it out of sight. True: no I/O refers to it. */
bool region_hide(struct region *region)
{
    uint32_t grants = bug_is_on(region->handle->client.tables, BUG_A36) ? 16 : 1; /* of a page of 64 KiB */
    bool is_idle = user_mapping_remove(&region->mapping);

    client_unmap_frames((void *)region->mapping.address, region->mapping.pages * grants);
    return is_idle;
}

/*
 * The pin goes and the notification is sent, in one step of the hypervisor process; not idle: the latter alone, of a
 * page that stays pinned.
 */
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

/* As in Linux: the byte is cleared when the unmap begins, however long I/O keeps the page; the event is for the end. */
static void region_clear_byte(struct region *region)
{
    struct client *client = &region->handle->client;
    struct xb_map *map = map_at(client, region->map[0]);
    uint8_t *ram = client_frames(client);

    if (!ram || !region->has_notify || !(map->notify & UNMAP_NOTIFY_CLEAR_BYTE) ||
        map->notify_offset >= XB_FRAME_SIZE)
        return;
    atomic_store_explicit((_Atomic uint8_t *)ram + (size_t)map->frame * XB_FRAME_SIZE + map->notify_offset, 0,
                          memory_order_release);
    map->notify &= (uint8_t)~UNMAP_NOTIFY_CLEAR_BYTE;
}

/* Nobody sees the pages, and no I/O refers to them: their pins go, and then the event is sent. */
static int region_let_go(struct region *region)
{
    int ret = 0;

    if (region->has_notify && region->page[0].user != NO_RECORD)
        ret = region_unmap_notify(region, true);
    region->has_notify = false;
    region_unpin(region);
    return ret;
}

/* The last I/O that referred to an unmapped region is over. Takes the handle's lock. */
void region_release(struct user_mapping *mapping)
{
    struct region *region = (struct region *)mapping;
    struct xengntdev_handle *handle = region->handle;
    const struct xb_tables *tables = handle->client.tables;

    if (handle->is_closed && bug_is_on(tables, BUG_H05))
        return;
    pthread_mutex_lock(&handle->lock);
    if (!region->is_stuck)
        region_let_go(region);
    if (handle->leaving == region)
        handle->leaving = NULL;
    pthread_mutex_unlock(&handle->lock);
    if (mapping->io_refs && bug_is_on(tables, BUG_H08))
        return; /* it comes here again */
    region_free(region);
    gnttab_put(handle);
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
    if (io_refs) {
        region_clear_byte(region);
        atomic_store(&map->state, XB_MAP_LEAVING);
    } else if (region->has_notify) {
        region->has_notify = region_unmap_notify(region, true) < 0;
    } else {
        page_unpin(region, victim);
    }
}

/* The program has unmapped pages by munmap(2). Takes the handle's lock. */
void region_pages_gone(struct user_mapping *mapping, uint32_t first, uint32_t pages)
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
    if (bug_is_on(handle->client.tables, BUG_B42)) {
        region_unpin(region);
        faults_next(&handle->faults, FAULT_NOTIFY);
    }
    if (bug_is_on(handle->client.tables, BUG_H03))
        user_mapping_wait(&region->mapping);
    is_idle = region_hide(region);
    if (!is_idle) {
        region_clear_byte(region);
        region_leave(region);
    }
    faults_next(&handle->faults, FAULT_NOTIFY);
    if (is_idle) {
        ret = region_let_go(region);
        region_free(region);
        gnttab_put(handle);
    } else if (region->has_notify && (region->is_stuck || bug_is_on(handle->client.tables, BUG_H09))) {
        ret = region_unmap_notify(region, false);
        region->has_notify = false;
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
