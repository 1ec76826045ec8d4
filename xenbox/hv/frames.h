// SPDX-License-Identifier: MIT
/*
 * frames.h: the RAM of a box, frame by frame.
 *
 * A frame has an owner and a number of holds (grant entries that name it, foreign maps of it). It is given
 * out again only when its owner has released it and the last hold is gone, and then its memory is punched out
 * first: whoever gets it next finds zeroes, and late I/O of a former user hits an orphaned page.
 */
#ifndef XENBOX_HV_FRAMES_H
#define XENBOX_HV_FRAMES_H

#include "xenbox/hv/box.h"

/*
 * Allocates `count` zeroed frames for a domain, consecutive when a run that long is free. -ENOMEM: the box is
 * full or the domain owns max_pages; nothing is allocated then.
 */
int frames_alloc(struct box *box, uint16_t owner, uint32_t count, uint32_t *frames);

/* The owner does not want it any more. */
void frame_release(struct box *box, uint32_t frame);

void frame_hold(struct box *box, uint32_t frame);
void frame_unhold(struct box *box, uint32_t frame);

/* Is it a frame of that domain? Any number may be asked. */
bool frame_is_owned(const struct box *box, uint64_t frame, uint16_t owner);

#endif
