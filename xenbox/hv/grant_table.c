// SPDX-License-Identifier: MIT
/* grant_table.c: see grant_table.h. */
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <xen/sys/gntdev.h>

#include "xenbox/hv/atoms.h"
#include "xenbox/hv/bugs.h"
#include "xenbox/hv/conn.h"
#include "xenbox/hv/domain.h"
#include "xenbox/hv/event_channel.h"
#include "xenbox/hv/frames.h"
#include "xenbox/hv/grant_table.h"

/* What happens when the sharer of a page goes away (gntalloc's unmap notification). */
struct share_notify {
    LIST_ENTRY(share_notify) link;
    struct xb_share_notify what;
};

static grant_entry_v1_t *entry_at(struct box *box, uint16_t domid, uint32_t ref)
{
    return &box->tables->domain[domid].grant[ref];
}

static struct xb_active *active_at(struct box *box, uint16_t domid, uint32_t ref)
{
    return &box->tables->domain[domid].active[ref];
}

/*
 * Clears the byte that a notification names, in the frame itself: the notifier has no mapping of it any more.
 */
static void frame_clear_byte(struct box *box, uint32_t frame, uint32_t offset)
{
    char zero = 0;

    if (offset < XB_FRAME_SIZE && pwrite(box->frames_fd, &zero, 1, (off_t)frame * XB_FRAME_SIZE + offset) < 0)
        return; /* no memory for a page that was never touched: it reads as zero anyway */
}

static int notify_check(struct box *box, uint16_t domid, uint32_t action, uint32_t offset, uint32_t port)
{
    if (action & ~(uint32_t)(UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT))
        return -EINVAL;
    if ((action & UNMAP_NOTIFY_CLEAR_BYTE) && offset >= XB_FRAME_SIZE)
        return -EINVAL;
    return action & UNMAP_NOTIFY_SEND_EVENT ? port_hold(box, domid, port) : 0;
}

void grant_set(struct box *box, uint16_t owner, uint32_t ref, uint16_t mapper, uint32_t frame,
               bool is_readonly, uint32_t sharer)
{
    struct domain *domain = box->domain[owner];
    struct xb_active *active = active_at(box, owner, ref);

    domain->ref_state[ref] = REF_GRANTED;
    domain->ref_frame[ref] = frame;
    domain->ref_mapper[ref] = mapper;
    if (ref >= domain->ref_top)
        atomic_store(&box->tables->domain[owner].ref_top, domain->ref_top = ref + 1);
    frame_hold(box, frame);
    atomic_fetch_add(&box->tables->frame[frame].grants, 1);
    atomic_store(&active->frame, XB_NO_FRAME);
    atomic_store(&active->mark, 0);
    atomic_store(&active->sharer, sharer);
    atomic_store(&active->granted, frame);
    __atomic_store_n(&entry_at(box, owner, ref)->frame, frame, __ATOMIC_RELAXED);
    xb_grant_store(entry_at(box, owner, ref),
                   XB_GRANT(GTF_permit_access | (is_readonly ? GTF_readonly : 0), mapper));
}

/* Finds `count` free refs from the lowest up; they are not taken yet. */
static int refs_find(struct box *box, uint16_t owner, uint32_t count, struct xb_shared *shared)
{
    struct domain *domain = box->domain[owner];
    uint32_t limit = box->tables->limits.grant_frames * (XB_FRAME_SIZE / sizeof(grant_entry_v1_t));
    uint32_t found = 0;

    if (domain->ref_hint < XB_RESERVED_REFS)
        domain->ref_hint = XB_RESERVED_REFS;
    for (uint32_t ref = domain->ref_hint; ref < limit && found < count; ref++) {
        if (domain->ref_state[ref] == REF_FREE)
            shared[found++].ref = ref;
    }
    if (found < count)
        return -ENOSPC;
    domain->ref_hint = shared[0].ref;
    return 0;
}

int grant_share(struct box *box, uint16_t owner, uint32_t sharer, const struct xb_share *share,
                struct xb_shared *shared)
{
    struct domain *domain = domain_find(box, owner);
    uint32_t frames[XB_SHARE_MAX];
    int ret;

    if (!domain)
        return -ESRCH;
    if (share->count == 0 || share->count > XB_SHARE_MAX || share->domid > UINT16_MAX)
        return -EINVAL;
    if (domain->gntalloc_pages + share->count > box->tables->limits.gntalloc_pages)
        return -ENOSPC;
    ret = refs_find(box, owner, share->count, shared);
    if (ret < 0)
        return ret;
    ret = frames_alloc(box, owner, share->count, frames);
    if (ret < 0)
        return ret;
    for (uint32_t i = 0; i < share->count; i++) {
        shared[i].frame = frames[i];
        grant_set(box, owner, shared[i].ref, share->domid, frames[i], !share->is_writable, sharer);
    }
    domain->gntalloc_pages += share->count;
    return 0;
}

/* The sharer of the page is gone: what it asked to happen then. */
static void share_notify_fire(struct box *box, uint16_t owner, uint32_t ref)
{
    struct share_notify *notify;

    LIST_FOREACH (notify, &box->domain[owner]->notifies, link) {
        if (notify->what.ref != ref)
            continue;
        LIST_REMOVE(notify, link);
        if (notify->what.action & UNMAP_NOTIFY_CLEAR_BYTE)
            frame_clear_byte(box, box->domain[owner]->ref_frame[ref], notify->what.offset);
        if (notify->what.action & UNMAP_NOTIFY_SEND_EVENT)
            port_unhold(box, owner, notify->what.port);
        free(notify);
        return;
    }
}

/*
 * The entry is locked by us, not pinned and not wanted: it is free from here on, and its frame loses a hold.
 */
static void grant_end(struct box *box, uint16_t owner, uint32_t ref)
{
    struct domain *domain = box->domain[owner];
    struct xb_active *active = active_at(box, owner, ref);
    grant_entry_v1_t *entry = entry_at(box, owner, ref);
    uint32_t frame = domain->ref_frame[ref];

    xb_grant_store(entry, 0);
    entry->frame = 0;
    atomic_store(&active->mark, 0);
    atomic_store(&active->frame, XB_NO_FRAME);
    atomic_store(&active->granted, XB_NO_FRAME);
    domain->ref_state[ref] = REF_FREE;
    if (ref >= XB_RESERVED_REFS && ref < domain->ref_hint)
        domain->ref_hint = ref;
    atomic_fetch_sub(&box->tables->frame[frame].grants, 1);
    atomic_store(&active->lock, 0);
    frame_release(box, frame);
    frame_unhold(box, frame);
}

/* Takes the pin of a record back and makes the record free. The caller holds the entry's lock. */
static void map_unpin(struct xb_active *active, grant_entry_v1_t *entry, struct xb_map *map, bool is_readonly)
{
    _Atomic uint32_t *pins = is_readonly ? &active->pins_ro : &active->pins_rw;

    /* A record that was made up has no pin. */
    if (atomic_load(pins))
        atomic_fetch_sub(pins, 1);
    if ((map->alias & XB_ALIAS_LOCAL) && atomic_load(&active->overrides))
        atomic_fetch_sub(&active->overrides, 1);
    if (!active->pins_ro && !active->pins_rw)
        atomic_store(&active->frame, XB_NO_FRAME);
    xb_grant_show_pins(entry, active);
    map->notify = 0;
    atomic_store(&map->state, XB_MAP_FREE);
}

/* Our lock, or a mark that makes its holder report to us after it has unlocked. */
static bool entry_trylock(struct xb_active *active)
{
    if (xb_active_trylock(active, XB_CONN_HV))
        return true;
    atomic_fetch_or(&active->mark, XB_ACTIVE_REPORT);
    return xb_active_trylock(active, XB_CONN_HV);
}

/* Unlocks an entry, or ends its grant if that was to happen as soon as nobody has it pinned. */
static void entry_unlock(struct box *box, uint16_t domid, uint32_t ref)
{
    struct xb_active *active = active_at(box, domid, ref);

    if (box->domain[domid]->ref_state[ref] == REF_REVOKED && !active->pins_ro && !active->pins_rw) {
        grant_end(box, domid, ref);
    } else {
        atomic_fetch_and(&active->mark, ~XB_ACTIVE_REPORT);
        atomic_store(&active->lock, 0);
    }
}

void entry_settle(struct box *box, uint16_t domid, uint32_t ref)
{
    if (domid >= XB_MAX_DOMAINS || !box->domain[domid] || ref >= XB_MAX_REFS ||
        !entry_trylock(active_at(box, domid, ref)))
        return;
    entry_unlock(box, domid, ref);
    conn_drop_deferred(box);
}

/*
 * Can the record of a domain be true? A program of the box can write anything into its records, but a pin is only on
 * a page that was granted to its domain.
 */
static bool map_is_sane(const struct box *box, uint16_t mapper, const struct xb_map *map)
{
    return map->domid < XB_MAX_DOMAINS && box->domain[map->domid] && map->ref < XB_MAX_REFS &&
           box->domain[map->domid]->ref_state[map->ref] != REF_FREE &&
           box->domain[map->domid]->ref_mapper[map->ref] == mapper;
}

/* One snapshot of a record that its owner may be writing. */
static struct xb_map map_read(const struct xb_map *map)
{
    struct xb_map copy;

    for (size_t i = 0; i < sizeof(copy); i++)
        ((unsigned char *)&copy)[i] = ((const volatile unsigned char *)map)[i];
    return copy;
}

void map_notify_fire(struct box *box, uint16_t mapper, struct xb_map *map)
{
    struct xb_map record = map_read(map);

    map->notify = 0;
    if (!map_is_sane(box, mapper, &record))
        return;
    if (record.notify & UNMAP_NOTIFY_CLEAR_BYTE)
        frame_clear_byte(box, box->domain[record.domid]->ref_frame[record.ref], record.notify_offset);
    if (record.notify & UNMAP_NOTIFY_SEND_EVENT)
        port_unhold(box, mapper, record.notify_port);
}

bool map_drop(struct box *box, uint16_t mapper, struct xb_map *map)
{
    struct xb_map record = map_read(map);
    uint16_t domid = record.domid;
    uint32_t ref = record.ref;

    if (!map_is_sane(box, mapper, &record)) {
        atomic_store(&map->state, XB_MAP_FREE);
        return true;
    }
    if (!entry_trylock(active_at(box, domid, ref)))
        return false;
    if (record.notify & UNMAP_NOTIFY_CLEAR_BYTE)
        frame_clear_byte(box, box->domain[domid]->ref_frame[ref], record.notify_offset);
    map_unpin(active_at(box, domid, ref), entry_at(box, domid, ref), map, record.is_readonly);
    entry_unlock(box, domid, ref);
    if (record.notify & UNMAP_NOTIFY_SEND_EVENT)
        port_unhold(box, mapper, record.notify_port);
    return true;
}

/* Counts the pins of an entry from the records of all connections. */
static void pins_count(struct box *box, uint16_t domid, uint32_t ref, uint32_t *pins_ro, uint32_t *pins_rw,
                       uint32_t *overrides)
{
    struct xb_map *map;

    *pins_ro = *pins_rw = *overrides = 0;
    for (uint32_t chunk = 0; chunk < XB_MAX_CHUNKS; chunk++) {
        if (!(box->chunk_is_used[chunk / 64] >> (chunk % 64) & 1))
            continue;
        for (map = box->tables->map[chunk]; map < box->tables->map[chunk] + XB_CHUNK_MAPS; map++) {
            if (atomic_load(&map->state) < XB_MAP_LIVE || map->domid != domid || map->ref != ref)
                continue;
            ++*(map->is_readonly ? pins_ro : pins_rw);
            *overrides += (map->alias & XB_ALIAS_LOCAL) != 0;
        }
    }
}

/* Under the entry's lock: its pins, and what depends on them, are again what the records say. */
static void pins_restore(struct box *box, uint16_t domid, uint32_t ref)
{
    struct xb_active *active = active_at(box, domid, ref);
    uint32_t pins_ro, pins_rw, overrides;

    pins_count(box, domid, ref, &pins_ro, &pins_rw, &overrides);
    atomic_store(&active->pins_ro, pins_ro);
    atomic_store(&active->pins_rw, pins_rw);
    atomic_store(&active->overrides, overrides);
    atomic_store(&active->frame, pins_ro || pins_rw ? box->domain[domid]->ref_frame[ref] : XB_NO_FRAME);
    xb_grant_show_pins(entry_at(box, domid, ref), active);
}

void entry_recover(struct box *box, uint32_t conn, uint64_t held)
{
    uint16_t domid = XB_HELD_DOMID(held);
    uint32_t ref = XB_HELD_INDEX(held);
    struct xb_active *active;

    if (!held || domid >= XB_MAX_DOMAINS || !box->domain[domid] || ref >= XB_MAX_REFS)
        return;
    active = active_at(box, domid, ref);
    if (atomic_load(&active->lock) == conn) {
        pins_restore(box, domid, ref);
        atomic_store(&active->lock, 0);
    }
    entry_settle(box, domid, ref);
}

struct pins {
    uint32_t ro, rw;
};

/* The pins of all refs of a domain, from the records of all connections. */
static void pins_count_all(struct box *box, uint16_t domid, struct pins *pins, uint32_t refs)
{
    for (uint32_t chunk = 0; chunk < XB_MAX_CHUNKS; chunk++) {
        if (!(box->chunk_is_used[chunk / 64] >> (chunk % 64) & 1))
            continue;
        for (uint32_t i = 0; i < XB_CHUNK_MAPS; i++) {
            struct xb_map record = map_read(&box->tables->map[chunk][i]);

            if (record.state >= XB_MAP_LIVE && record.domid == domid && record.ref < refs)
                ++*(record.is_readonly ? &pins[record.ref].ro : &pins[record.ref].rw);
        }
    }
}

/*
 * A pin without a record: its record was scribbled over. `pins` was counted while others unmapped, so fewer pins than
 * that are no fault; whether more are, only a count under the entry's lock can tell.
 */
static void pins_correct(struct box *box, uint16_t domid, uint32_t ref, struct pins pins)
{
    struct xb_active *active = active_at(box, domid, ref);

    if ((atomic_load(&active->pins_ro) <= pins.ro && atomic_load(&active->pins_rw) <= pins.rw) ||
        !entry_trylock(active))
        return;
    pins_restore(box, domid, ref);
    entry_unlock(box, domid, ref);
}

void grant_recount(struct box *box, uint16_t domid)
{
    uint32_t refs = box->domain[domid]->ref_top;
    struct pins *pins = calloc(refs + 1, sizeof(*pins));

    if (pins)
        pins_count_all(box, domid, pins, refs);
    /* The domain may end with its last pin. */
    for (uint32_t ref = 0; pins && ref < refs && box->domain[domid]; ref++) {
        if (box->domain[domid]->ref_state[ref] != REF_FREE)
            pins_correct(box, domid, ref, pins[ref]);
    }
    free(pins);
    for (uint32_t other = 0; other < XB_MAX_DOMAINS; other++) {
        for (uint32_t ref = 0; box->domain[other] && ref < box->domain[other]->ref_top; ref++) {
            if (other != domid && box->domain[other]->ref_state[ref] != REF_FREE &&
                box->domain[other]->ref_mapper[ref] == domid)
                pins_correct(box, (uint16_t)other, ref, (struct pins){ 0, 0 });
        }
    }
}

/* Ends a grant now, or when its last user is gone. */
static void grant_revoke(struct box *box, uint16_t owner, uint32_t ref)
{
    struct domain *domain = box->domain[owner];
    struct xb_active *active = active_at(box, owner, ref);

    if (atomic_load(&active->sharer) && domain->gntalloc_pages)
        domain->gntalloc_pages--;
    atomic_store(&active->sharer, 0);
    share_notify_fire(box, owner, ref);
    domain->ref_state[ref] = REF_REVOKED;
    if (bug_is_on(box->tables, BUG_A40)) {
        grant_end(box, owner, ref);
        return;
    }
    atomic_fetch_or(&active->mark, XB_ACTIVE_REVOKE);
    entry_settle(box, owner, ref);
}

static bool ref_is_shared_by(struct box *box, uint16_t owner, uint32_t ref, uint32_t sharer)
{
    return ref < XB_MAX_REFS && box->domain[owner]->ref_state[ref] == REF_GRANTED &&
           atomic_load(&active_at(box, owner, ref)->sharer) == sharer;
}

int grant_unshare(struct box *box, uint16_t owner, uint32_t sharer, const uint32_t *refs, uint32_t count)
{
    if (!domain_find(box, owner))
        return -ESRCH;
    for (uint32_t i = 0; i < count; i++) {
        if (!ref_is_shared_by(box, owner, refs[i], sharer))
            return -EINVAL;
    }
    for (uint32_t i = 0; i < count; i++) {
        /* The same ref twice in one call must not be revoked twice. */
        if (ref_is_shared_by(box, owner, refs[i], sharer))
            grant_revoke(box, owner, refs[i]);
    }
    return 0;
}

int grant_share_notify(struct box *box, uint16_t owner, uint32_t sharer, const struct xb_share_notify *what)
{
    struct share_notify *notify;
    int ret;

    if (!domain_find(box, owner) || !ref_is_shared_by(box, owner, what->ref, sharer))
        return -EINVAL;
    LIST_FOREACH (notify, &box->domain[owner]->notifies, link) {
        if (notify->what.ref == what->ref)
            return -EBUSY;
    }
    notify = calloc(1, sizeof(*notify));
    if (!notify)
        return -ENOMEM;
    ret = notify_check(box, owner, what->action, what->offset, what->port);
    if (ret < 0) {
        free(notify);
        return ret;
    }
    notify->what = *what;
    LIST_INSERT_HEAD(&box->domain[owner]->notifies, notify, link);
    return 0;
}

void grant_unshare_all(struct box *box, uint16_t owner, uint32_t sharer)
{
    for (uint32_t ref = 0; box->domain[owner] && ref < box->domain[owner]->ref_top; ref++) {
        if (ref_is_shared_by(box, owner, ref, sharer))
            grant_revoke(box, owner, ref);
    }
}

struct xb_map *map_find(struct box *box, const struct conn *conn, uint32_t index)
{
    for (uint32_t i = 0; i < conn->chunks; i++) {
        if (conn->chunk[i] == index / XB_CHUNK_MAPS)
            return &box->tables->map[conn->chunk[i]][index % XB_CHUNK_MAPS];
    }
    return NULL;
}

int map_notify(struct box *box, uint16_t mapper, struct xb_map *map, const struct xb_map_notify *what)
{
    int ret;

    if (!map || atomic_load(&map->state) != XB_MAP_LIVE || map->notify)
        return -EINVAL;
    /* The byte could not be cleared through this mapping either. */
    if (map->is_readonly && (what->action & UNMAP_NOTIFY_CLEAR_BYTE) && !bug_is_on(box->tables, BUG_A27))
        return -EINVAL;
    ret = notify_check(box, mapper, what->action, what->offset, what->port);
    if (ret < 0)
        return ret;
    map->notify_offset = what->offset;
    map->notify_port = what->port;
    map->notify = what->action;
    return 0;
}
