// SPDX-License-Identifier: MIT
/*
 * grant_table.h: who may map what, and what becomes of a grant when one of its two ends goes.
 *
 * The hypervisor process gives out and takes back refs, and drops the map records of the dead. It never waits
 * for a lock that a program holds: what it cannot do at once is marked, and done in entry_settle() when the
 * program has reported, or has died.
 */
#ifndef XENBOX_HV_GRANT_TABLE_H
#define XENBOX_HV_GRANT_TABLE_H

#include "xenbox/hv/box.h"

/*
 * Grants `frame` of domain `owner` to domid `mapper` as `ref`, which must be free. `sharer`: see struct
 * xb_active.
 */
void grant_set(struct box *box, uint16_t owner, uint32_t ref, uint16_t mapper, uint32_t frame,
               bool is_readonly, uint32_t sharer);

/*
 * gntshr: allocates frames and grants them; `shared` has room for `count`. -ENOSPC: no refs or gntalloc
 * pages, -ENOMEM: no frames. All or nothing.
 */
int grant_share(struct box *box, uint16_t owner, uint32_t sharer, const struct xb_share *share,
                struct xb_shared *shared);

/* The end of `count` refs of that sharer. -EINVAL, and nothing done, unless all are shared by it. */
int grant_unshare(struct box *box, uint16_t owner, uint32_t sharer, const uint32_t *refs, uint32_t count);

/* The end of all refs of a sharer; 0: of the domain itself, which is being destroyed. */
void grant_unshare_all(struct box *box, uint16_t owner, uint32_t sharer);

int grant_share_notify(struct box *box, uint16_t owner, uint32_t sharer,
                       const struct xb_share_notify *notify);

/* Does what is due on an entry: drops records of the dead, ends a revoked grant. Any numbers may be given. */
void entry_settle(struct box *box, uint16_t domid, uint32_t ref);

/*
 * Counts the pins again that a dying domain can have spoilt by writing into its map records, when none of its programs
 * is left: those on its own pages, and those that it had on others'.
 */
void grant_recount(struct box *box, uint16_t domid);

/* A connection died while it was at this entry: repairs the pins if it held the lock, then settles. */
void entry_recover(struct box *box, uint32_t conn, uint64_t held);

/*
 * Drops a live record of a connection: pin, notification, record. False: the entry is locked, it will settle.
 */
bool map_drop(struct box *box, uint16_t mapper, struct xb_map *map);

/* Sends the notification of a record that was unmapped and keeps its pin. */
void map_notify_fire(struct box *box, uint16_t mapper, struct xb_map *map);

/* Arms the notification of a record. */
int map_notify(struct box *box, uint16_t mapper, struct xb_map *map, const struct xb_map_notify *notify);

/* Is it in range, writable? The record of a connection's own chunk, or NULL. */
struct xb_map *map_find(struct box *box, const struct conn *conn, uint32_t index);

#endif
