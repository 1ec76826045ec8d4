// SPDX-License-Identifier: MIT
/*
 * box_claim.h: taking a box's directory and giving it up. For the supervisor alone.
 */
#ifndef XENBOX_CMD_BOX_CLAIM_H
#define XENBOX_CMD_BOX_CLAIM_H

#include <stddef.h>

#include "xenbox/cmd/box.h"

/*
 * Makes this process the box's supervisor: creates the directory, takes the lock, clears away what a crashed
 * predecessor left, its processes too. The lock stays until the process ends. 0, or negative errno with a
 * sentence in why: -EBUSY when the box is up, -EEXIST when the directory is somebody else's.
 */
int box_claim(const struct box *box, char *why, size_t size);

/*
 * Removes the directory and all in it. A successor that is just taking it over keeps it. 0 or negative errno.
 */
int box_release(const struct box *box);

#endif
