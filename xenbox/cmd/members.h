// SPDX-License-Identifier: MIT
/*
 * members.h: the processes that are in a box, found by what they have in their address space: the box's
 * tables. This finds children that a program forked after it had connected, and works when the hypervisor
 * process is dead.
 */
#ifndef XENBOX_CMD_MEMBERS_H
#define XENBOX_CMD_MEMBERS_H

#include "xenbox/cmd/box.h"

/*
 * Kills every process but this one that maps the tables of status, and waits until it is gone. 0, or -EBUSY
 * when one could not be killed. Does nothing when the tables are not known.
 */
int members_kill(const struct box_status *status);

#endif
