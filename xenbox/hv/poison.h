// SPDX-License-Identifier: MIT
/*
 * poison.h: what a free frame holds in a strict box.
 *
 * A frame that was freed is filled with a pattern and keeps it until it is given out again: who still has a mapping of
 * it, or I/O in flight into it, reads the pattern, and is found out when he has written. The oldest of more than
 * POISON_FRAMES such frames is looked at and emptied, so that free memory does not pile up.
 */
#ifndef XENBOX_HV_POISON_H
#define XENBOX_HV_POISON_H

#include "xenbox/hv/box.h"

#define POISON_BYTE 0x6b
#define POISON_FRAMES 4096u

/* Fills a frame that domain `owner` has just lost. -errno: it could not, and the frame is as it was. */
int poison_fill(struct box *box, uint32_t frame, uint16_t owner);

/* The frame is about to be given out: looks whether somebody has written, and empties it. Any frame may be given. */
void poison_lift(struct box *box, uint32_t frame);

/* Looks at all frames that hold the pattern; what has been written is in xb_tables.stale, and in the log. */
void poison_check(struct box *box);

void poison_fini(struct box *box);

#endif
