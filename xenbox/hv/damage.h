// SPDX-License-Identifier: MIT
/*
 * damage.h: what an unmap under I/O does to a real domain 0, in a box that was told to punish it.
 *
 * The pins of such pages stay until the box goes down, and the domain's kernel does no direct I/O any more on the
 * pages that it maps from then on.
 */
#ifndef XENBOX_HV_DAMAGE_H
#define XENBOX_HV_DAMAGE_H

#include "xenbox/hv/box.h"

/* The line in the box's log that a kernel would have written into its own. */
void damage_log(const struct conn *conn, const struct xb_damage *damage, const char *what);

/*
 * A connection has died: if I/O of it that outlives a process still refers to any of its pages, all that it had
 * mapped stays mapped.
 */
void damage_on_death(struct box *box, struct conn *conn);

/* Is it a record whose pin stays? */
bool damage_keeps(struct box *box, const struct conn *conn, const struct xb_map *map);

#endif
