// SPDX-License-Identifier: MIT
/* entry.c: see entry.h. */
#include <config.h>

#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "xenbox/hv/atoms.h"
#include "xenbox/hv/bugs.h"
#include "xenbox/lib/entry.h"

#define SPINS 200 /* a page copy is over by then, unless its thread was preempted */
#define YIELDS 1000

#define REFS_PER_FRAME (XB_FRAME_SIZE / (uint32_t)sizeof(grant_entry_v1_t))
#define PINS_MAX 128u /* as many mappings of one page as Xen counts */

/*
 * A grant table grows by frames: a ref past the last one does not exist, before it one is merely not granted.
 */
static uint32_t refs_of(const struct xb_domain *domain)
{
    uint32_t used = atomic_load(&domain->ref_top);

    return used ? (used + REFS_PER_FRAME - 1) / REFS_PER_FRAME * REFS_PER_FRAME : REFS_PER_FRAME;
}

/*
 * Waits for the holder of an entry's lock. It may have died: the hypervisor process unlocks the entry then,
 * unless it is gone as well. Returns false in that case.
 */
static bool lock_wait(struct client *client, unsigned tries)
{
    if (tries < SPINS) {
        __builtin_ia32_pause();
    } else if (tries < SPINS + YIELDS) {
        sched_yield();
    } else {
        nanosleep(&(struct timespec){ .tv_nsec = 1000 * 1000 }, NULL);
        return client_check(client) == 0;
    }
    return true;
}

int entry_lock(struct locked_entry *entry, struct client *client, uint32_t domid, uint32_t ref)
{
    struct xb_domain *domain;

    if (domid >= XB_MAX_DOMAINS)
        return GNTST_bad_domain;
    domain = &client->tables->domain[domid];
    if (atomic_load(&domain->state) == XB_DOMAIN_FREE)
        return GNTST_bad_domain;
    if (ref >= XB_RESERVED_REFS && atomic_load(&domain->ref_top) <= XB_RESERVED_REFS &&
        bug_is_on(client->tables, BUG_B04))
        abort();
    if (ref >= refs_of(domain) || ref >= XB_MAX_REFS)
        return GNTST_bad_gntref;

    *entry = (struct locked_entry){ .client = client,
                                    .domid = domid,
                                    .ref = ref,
                                    .shared = &domain->grant[ref],
                                    .active = &domain->active[ref] };
    /* Where to look if we die: written before the lock is taken, cleared after everything is done. */
    atomic_store(&client->slot->held, XB_HELD(domid, ref));
    for (unsigned tries = 0; !xb_active_trylock(entry->active, client->id); tries++) {
        if (!lock_wait(client, tries)) {
            atomic_store(&client->slot->held, 0);
            return ENTRY_LOST;
        }
    }
    return GNTST_okay;
}

/* May the mapper use an entry with this word? */
static bool entry_permits(const struct locked_entry *entry, uint32_t word, bool is_readonly)
{
    if (bug_is_on(entry->client->tables, BUG_B31))
        word = (word & ~(uint32_t)GTF_type_mask) | GTF_permit_access;
    return xb_grant_permits(word, entry->client->domid, is_readonly);
}

/* One snapshot of flags and domid, or what was taken for it (B35). */
static uint32_t entry_snapshot(const struct locked_entry *entry)
{
    uint32_t word = xb_grant_load(entry->shared);

    if (bug_is_on(entry->client->tables, BUG_B35)) {
        sched_yield();
        word = (word & UINT16_MAX) | (xb_grant_load(entry->shared) & ~(uint32_t)UINT16_MAX);
    }
    return word;
}

int entry_check(struct locked_entry *entry, bool is_readonly)
{
    uint32_t word = entry_snapshot(entry);
    uint32_t frame = __atomic_load_n(&entry->shared->frame, __ATOMIC_RELAXED);

    if (entry->named_frame)
        frame = *entry->named_frame;
    if (atomic_load(&entry->client->tables->domain[entry->domid].state) == XB_DOMAIN_DYING)
        return GNTST_bad_domain;
    if (!entry_permits(entry, word, is_readonly))
        return GNTST_general_error;
    if (frame == XB_NO_FRAME ||
        (!bug_is_on(entry->client->tables, BUG_A11) &&
         (frame >= XB_MAX_FRAMES ||
          (frame != atomic_load(&entry->active->granted) && !bug_is_on(entry->client->tables, BUG_B28)))) ||
        atomic_load(&entry->client->tables->frame[frame].owner) != XB_OWNER(entry->domid))
        return GNTST_bad_page;
    entry->frame = frame;
    return GNTST_okay;
}

int entry_pin(struct locked_entry *entry, struct xb_map *map, bool is_readonly, uint32_t alias)
{
    uint32_t word = xb_grant_load(entry->shared);

    if ((bug_is_on(entry->client->tables, BUG_B39) ? 0 : entry->active->pins_ro) + entry->active->pins_rw >=
        PINS_MAX)
        return GNTST_no_space;
    map->domid = entry->domid;
    map->ref = entry->ref;
    map->frame = entry->frame;
    map->is_readonly = is_readonly;
    map->notify = 0;
    for (int kind = 0; kind < XB_IO_KINDS; kind++)
        atomic_store(&map->io_refs[kind], 0);
    map->alias = alias;
    /* The bits say "in use" only of an entry that still permits what we do: its owner may be ending it. */
    do {
        if (!entry_permits(entry, word, is_readonly))
            return GNTST_general_error;
    } while (!xb_grant_exchange(entry->shared, &word, word | xb_pins_in_use(1, !is_readonly)));
    atomic_fetch_add(is_readonly ? &entry->active->pins_ro : &entry->active->pins_rw, 1);
    if (alias & XB_ALIAS_LOCAL)
        atomic_fetch_add(&entry->active->overrides, 1);
    atomic_store(&entry->active->frame, entry->frame);
    atomic_store(&map->state, XB_MAP_LIVE);
    return GNTST_okay;
}

/* What an unmap does to the counters with one of the bugs B08, B10 and B32 on. */
static void pin_drop_wrongly(struct locked_entry *entry, const struct xb_map *map)
{
    const struct xb_tables *tables = entry->client->tables;
    struct xb_active *active = entry->active;

    if (bug_is_on(tables, BUG_B08) && map->is_readonly && active->pins_rw)
        atomic_fetch_sub(&active->pins_rw, 1);
    if (bug_is_on(tables, BUG_B10) && map->is_readonly)
        atomic_fetch_add(&active->pins_ro, 1);
    if (bug_is_on(tables, BUG_B32) && entry->domid == entry->client->domid)
        atomic_store(&active->granted, XB_NO_FRAME);
}

void entry_unpin(struct locked_entry *entry, struct xb_map *map)
{
    pin_drop_wrongly(entry, map);
    atomic_fetch_sub(map->is_readonly ? &entry->active->pins_ro : &entry->active->pins_rw, 1);
    if (map->alias & XB_ALIAS_LOCAL)
        atomic_fetch_sub(&entry->active->overrides, bug_is_on(entry->client->tables, BUG_A09)
                                                        ? atomic_load(&entry->active->overrides)
                                                        : 1);
    if (!entry->active->pins_ro && !entry->active->pins_rw)
        atomic_store(&entry->active->frame, XB_NO_FRAME);
    xb_grant_show_pins(entry->shared, entry->active);
    if (bug_is_on(entry->client->tables, BUG_B05))
        xb_grant_store(entry->shared, xb_grant_load(entry->shared) & ~XB_GRANT_IN_USE);
    atomic_store(&map->state, XB_MAP_FREE);
}

void entry_unlock(struct locked_entry *entry)
{
    struct xb_active *active = entry->active;
    bool is_pinned = active->pins_ro || active->pins_rw;
    uint32_t mark;

    atomic_store(&active->lock, 0);
    /* Sequentially consistent with the hypervisor process, which marks first and tries the lock then. */
    mark = atomic_load(&active->mark);
    if ((mark & XB_ACTIVE_REPORT) || ((mark & XB_ACTIVE_REVOKE) && !is_pinned)) {
        struct xb_grant_ref report = { .domid = entry->domid, .ref = entry->ref };

        client_post(entry->client, XB_OP_RELEASED, &report, sizeof(report));
    }
    atomic_store(&entry->client->slot->held, 0);
}
