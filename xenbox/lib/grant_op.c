// SPDX-License-Identifier: MIT
/* grant_op.c: see grant_op.h. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "xenbox/hv/atoms.h"
#include "xenbox/hv/bugs.h"
#include "xenbox/lib/entry.h"
#include "xenbox/lib/gnttab_pv.h"
#include "xenbox/lib/grant_op.h"

#define AGAIN_TRIES 20u /* the n-th after n ms */

/*
 * Is one record more than the domain may have in use, if there is a limit? Those that lie free in its handles do not
 * count, whoever's they are.
 */
static bool is_over_limit(const struct xengntdev_handle *handle)
{
    const struct xb_tables *tables = handle->client.tables;
    const struct xb_conn *own = handle->client.slot;
    uint32_t limit = tables->limits.maptrack_frames * XB_CHUNK_MAPS, used = atomic_load(&own->records);

    if (!limit || bug_is_on(tables, BUG_B41))
        return false;
    for (uint32_t i = 0; i < tables->conn_top && i < XB_MAX_CONNS && !bug_is_on(tables, BUG_A30); i++) {
        if (&tables->conn[i] != own && tables->conn[i].id && tables->conn[i].domid == own->domid)
            used += atomic_load(&tables->conn[i].records);
    }
    return used > limit;
}

/* The handle gets one chunk of records more. */
static int records_grow(struct xengntdev_handle *handle)
{
    /* Room for all records that this handle will have then: all of them can be free at once. */
    size_t room = ((size_t)atomic_load(&handle->client.slot->chunks) + 1) * XB_CHUNK_MAPS;
    bool is_refused = faults_next(&handle->faults, FAULT_MEMORY).has_status;
    uint32_t *free_maps = is_refused ? NULL : reallocarray(handle->free_maps, room, sizeof(*free_maps));
    struct xb_u32 chunk;
    int ret;

    if (!free_maps)
        return -ENOMEM;
    handle->free_maps = free_maps;
    ret = client_call(&handle->client, XB_OP_MAPTRACK, NULL, 0, &chunk, sizeof(chunk), NULL);
    if (ret < 0)
        return ret;
    for (uint32_t i = XB_CHUNK_MAPS; i > 0; i--)
        handle->free_maps[handle->free_count++] = chunk.value * XB_CHUNK_MAPS + i - 1;
    ret = pv_chunk_added(handle, chunk.value);
    if (ret < 0)
        handle->free_count -= XB_CHUNK_MAPS; /* they have no place for an alias, and lie idle */
    return ret;
}

int record_take(struct xengntdev_handle *handle, uint32_t *record)
{
    struct xb_conn *slot = handle->client.slot;
    int ret;

    atomic_fetch_add(&slot->records, 1);
    ret = is_over_limit(handle) ? -ENOSPC : handle->free_count == 0 ? records_grow(handle) : 0;
    if (ret < 0) {
        atomic_fetch_sub(&slot->records, 1);
        return ret;
    }
    *record = handle->free_maps[--handle->free_count];
    if (bug_is_on(handle->client.tables, BUG_B13) && handle->free_count > 0)
        handle->free_maps[handle->free_count - 1] = *record;
    return 0;
}

void record_give_back(struct xengntdev_handle *handle, uint32_t record)
{
    atomic_store(&map_at(&handle->client, record)->state, XB_MAP_FREE);
    handle->free_maps[handle->free_count++] = record;
    atomic_fetch_sub(&handle->client.slot->records, 1);
}

static int entry_map(struct xengntdev_handle *handle, struct grant_map *op)
{
    struct xb_map *map = map_at(&handle->client, op->record);
    struct locked_entry entry;
    struct fault fault;
    int status;

    status = entry_lock(&entry, &handle->client, op->domid, op->ref);
    if (status != GNTST_okay)
        return status;
    atomic_store(&map->state, XB_MAP_PREPARED);
    if (bug_is_on(handle->client.tables, BUG_B34))
        xb_grant_mark_early(entry.shared);
    fault = faults_next(&handle->faults, FAULT_ENTRY);
    entry.named_frame = fault.has_frame ? &fault.frame : NULL;
    status = entry_check(&entry, op->is_readonly);
    if (status == GNTST_okay) {
        map->address = op->host_address;
        status = entry_pin(&entry, map, op->is_readonly, op->alias);
    }
    op->frame = entry.frame;
    op->dev_bus_addr = (uint64_t)entry.frame * XB_FRAME_SIZE;
    entry_unlock(&entry);
    return status;
}

void grant_op_map(struct xengntdev_handle *handle, struct grant_map *op)
{
    enum fault_step step = XB_ALIAS_KIND(op->alias) == XB_ALIAS_USER ? FAULT_MAP_USER : FAULT_MAP_KERNEL;
    unsigned tries = bug_is_on(handle->client.tables, BUG_A39) ? 1 : AGAIN_TRIES;

    for (unsigned try = 1; try <= tries; try++) {
        struct fault fault = faults_next(&handle->faults, step);

        op->status = fault.has_status ? (int)fault.status : entry_map(handle, op);
        if (fault.scribble)
            op->dev_bus_addr = 0x5c41bb1e5c41b000;
        fault_end(&fault);
        if (op->status != GNTST_eagain)
            return;
        nanosleep(&(struct timespec){ .tv_nsec = try * 1000 * 1000 }, NULL);
    }
}

/* What an unmap that is refused does to the entry with one of the bugs B11 and B25 on. */
static void refused_unmap(struct xengntdev_handle *handle, const struct xb_map *map)
{
    bool drops = bug_is_on(handle->client.tables, BUG_B25),
         clears = bug_is_on(handle->client.tables, BUG_B11);
    struct locked_entry entry;
    _Atomic(uint32_t) *pins;

    if ((!drops && !clears) || entry_lock(&entry, &handle->client, map->domid, map->ref) != GNTST_okay)
        return;
    pins = map->is_readonly ? &entry.active->pins_ro : &entry.active->pins_rw;
    if (drops && *pins)
        atomic_fetch_sub(pins, 1);
    xb_grant_show_pins(entry.shared, entry.active);
    if (clears)
        xb_grant_store(entry.shared, xb_grant_load(entry.shared) & ~XB_GRANT_IN_USE);
    entry_unlock(&entry);
}

bool grant_op_unmap(struct xengntdev_handle *handle, uint32_t record,
                    void (*hide)(struct xengntdev_handle *handle, void *address), void *address)
{
    struct xb_map *map = map_at(&handle->client, record);
    bool is_user = XB_ALIAS_KIND(map->alias) == XB_ALIAS_USER;
    struct fault fault = faults_next(&handle->faults, is_user ? FAULT_UNMAP_USER : FAULT_UNMAP_KERNEL);
    struct locked_entry entry;

    /* An address in another form than at the map is no address of this mapping. */
    if (fault.has_status || (fault.other_form && !bug_is_on(handle->client.tables, BUG_A34))) {
        refused_unmap(handle, map);
        return false;
    }
    /* Whoever is granted the page next is not to be seen here: first the alias, then the pin. */
    if (hide && !fault.other_form)
        hide(handle, address);
    /* This can only fail when the box is gone: nobody else uses the record then. */
    if (entry_lock(&entry, &handle->client, map->domid, map->ref) == GNTST_okay) {
        entry_unpin(&entry, map);
        entry_unlock(&entry);
    }
    record_give_back(handle, record);
    fault_end(&fault);
    return true;
}
