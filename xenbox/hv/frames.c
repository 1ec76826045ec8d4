// SPDX-License-Identifier: MIT
/* frames.c: see frames.h. Allocation goes round, so that a freed frame rests as long as possible. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>

#include "xenbox/hv/domain.h"
#include "xenbox/hv/frames.h"
#include "xenbox/hv/poison.h"

#define FRAME_WINDOW 65536u
#define FRAME_DOOMED 0x80000000u /* released by its owner, waiting for the last hold */

static bool frame_is_used(const struct box *box, uint32_t frame)
{
    return box->frame_is_used[frame / 64] >> (frame % 64) & 1;
}

/* The first frame of a free run of `count` in [from, to), or XB_NO_FRAME. */
static uint32_t run_find(const struct box *box, uint32_t from, uint32_t to, uint32_t count)
{
    uint32_t length = 0;

    for (uint32_t frame = from; frame < to; frame++) {
        if (frame % 64 == 0 && box->frame_is_used[frame / 64] == UINT64_MAX) {
            frame += 63;
            length = 0;
        } else if (frame_is_used(box, frame)) {
            length = 0;
        } else if (++length == count) {
            return frame + 1 - count;
        }
    }
    return XB_NO_FRAME;
}

/*
 * Finds a run among the frames in rotation, from where the last one ended. Their number grows only when no
 * run is free, so that the table of frames stays small.
 */
static uint32_t run_choose(struct box *box, uint32_t count)
{
    if (!box->frame_window)
        box->frame_window = FRAME_WINDOW;
    for (;;) {
        uint32_t first = run_find(box, box->frame_next ? box->frame_next : 1, box->frame_window, count);

        if (first == XB_NO_FRAME)
            first = run_find(box, XB_NO_FRAME + 1, box->frame_window, count);
        if (first != XB_NO_FRAME || box->frame_window == XB_MAX_FRAMES)
            return first;
        box->frame_window *= 2;
    }
}

static uint32_t run_take(struct box *box, uint16_t owner, uint32_t count)
{
    uint32_t first = run_choose(box, count);

    if (first == XB_NO_FRAME)
        return XB_NO_FRAME;
    for (uint32_t frame = first; frame < first + count; frame++) {
        box->frame_is_used[frame / 64] |= (uint64_t)1 << (frame % 64);
        box->frame_holds[frame] = 0;
        poison_lift(box, frame);
        atomic_store(&box->tables->frame[frame].grants, 0);
        atomic_store(&box->tables->frame[frame].m2p, frame);
        atomic_store(&box->tables->frame[frame].owner, XB_OWNER(owner));
    }
    box->frame_next = first + count;
    if (box->frame_next > atomic_load(&box->tables->frame_top))
        atomic_store(&box->tables->frame_top, box->frame_next);
    atomic_fetch_add(&box->tables->domain[owner].tot_pages, count);
    return first;
}

int frames_alloc(struct box *box, uint16_t owner, uint32_t count, uint32_t *frames)
{
    struct xb_domain *domain = &box->tables->domain[owner];
    uint32_t run = count, done = 0;

    if (count > XB_MAX_FRAMES || atomic_load(&domain->tot_pages) + count > domain->max_pages)
        return -ENOMEM;
    while (done < count) {
        uint32_t first = run_take(box, owner, run);

        if (first != XB_NO_FRAME) {
            for (uint32_t i = 0; i < run; i++)
                frames[done++] = first + i;
        } else if (run > 1) {
            run /= 2;
        } else {
            break;
        }
        if (run > count - done)
            run = count - done;
    }
    if (done == count)
        return 0;
    while (done)
        frame_release(box, frames[--done]);
    return -ENOMEM;
}

/* What it holds is gone; in a strict box a stale user of it will be found out. */
static int frame_wipe(struct box *box, uint32_t frame, uint16_t owner)
{
    if (box->tables->flags & XB_BOX_STRICT)
        return poison_fill(box, frame, owner);
    return fallocate(box->frames_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)frame * XB_FRAME_SIZE,
                     XB_FRAME_SIZE) < 0
               ? -errno
               : 0;
}

static void frame_free(struct box *box, uint32_t frame)
{
    uint16_t owner = atomic_load(&box->tables->frame[frame].owner) - XB_OWNER(0);

    if (owner >= XB_MAX_DOMAINS)
        return; /* a program has written where it must not */
    /* This can only fail for lack of memory in the kernel; a frame that is not clean is never used again. */
    if (frame_wipe(box, frame, owner) < 0)
        return;
    box->frame_holds[frame] = 0;
    atomic_store(&box->tables->frame[frame].m2p, XB_PFN_NONE);
    atomic_store(&box->tables->frame[frame].owner, 0);
    box->frame_is_used[frame / 64] &= ~((uint64_t)1 << (frame % 64));
    atomic_fetch_sub(&box->tables->domain[owner].tot_pages, 1);
    domain_settle(box, owner);
}

void frame_release(struct box *box, uint32_t frame)
{
    box->frame_holds[frame] |= FRAME_DOOMED;
    if (box->frame_holds[frame] == FRAME_DOOMED)
        frame_free(box, frame);
}

void frame_hold(struct box *box, uint32_t frame)
{
    box->frame_holds[frame]++;
}

void frame_unhold(struct box *box, uint32_t frame)
{
    if (--box->frame_holds[frame] == FRAME_DOOMED)
        frame_free(box, frame);
}

bool frame_is_owned(const struct box *box, uint64_t frame, uint16_t owner)
{
    return frame > XB_NO_FRAME && frame < XB_MAX_FRAMES && frame_is_used(box, frame) &&
           atomic_load(&box->tables->frame[frame].owner) == XB_OWNER(owner);
}
