// SPDX-License-Identifier: MIT
/*
 * entry.h: a grant entry locked by a gnttab handle, and its map records.
 *
 * A handle locks one entry at a time; its callers hold the handle's own lock meanwhile. What is done under
 * the lock is undone by the hypervisor process if we die there, so the order of the steps matters: see
 * layout.h.
 */
#ifndef XENBOX_LIB_ENTRY_H
#define XENBOX_LIB_ENTRY_H

#include <stdbool.h>

#include "xenbox/lib/client.h"

struct locked_entry {
    struct client *client;
    uint16_t domid;
    uint32_t ref;
    grant_entry_v1_t *shared;
    struct xb_active *active;
    const uint32_t *named_frame; /* a fault: what the entry is to name instead; NULL */
    uint32_t frame; /* after entry_check() has found it */
};

/*
 * Locks the entry for this connection, or waits for its holder, who may be in the middle of one page copy.
 * Returns GNTST_okay, GNTST_bad_domain, GNTST_bad_gntref, or ENTRY_LOST.
 */
#define ENTRY_LOST 1 /* the box is gone, and the holder of the lock may be gone with it */

int entry_lock(struct locked_entry *entry, struct client *client, uint32_t domid, uint32_t ref);

/* May this connection's domain use the page so? GNTST_*; finds the frame. The entry is locked. */
int entry_check(struct locked_entry *entry, bool is_readonly);

/*
 * One more pin, recorded in `map`, which the caller took from its chunks; `alias`: XB_ALIAS(). The entry is locked
 * and checked.
 */
int entry_pin(struct locked_entry *entry, struct xb_map *map, bool is_readonly, uint32_t alias);

/* Takes the pin of a live record back and frees the record. The entry is locked. */
void entry_unpin(struct locked_entry *entry, struct xb_map *map);

void entry_unlock(struct locked_entry *entry);

#endif
