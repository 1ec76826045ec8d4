// SPDX-License-Identifier: MIT
/* poison.c: see poison.h. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xenbox/hv/poison.h"

struct poison {
    uint16_t owner[XB_MAX_FRAMES]; /* XB_OWNER() of who had the frame last; 0: it holds no pattern */
    uint32_t queue
        [POISON_FRAMES]; /* the frames, oldest first; one that was given out meanwhile may still be here */
    uint32_t first, count;
};

static uint8_t pattern[XB_FRAME_SIZE];

static struct poison *poison_get(struct box *box)
{
    if (!box->poison) {
        box->poison = calloc(1, sizeof(*box->poison));
        memset(pattern, POISON_BYTE, sizeof(pattern));
    }
    return box->poison;
}

static off_t frame_offset(uint32_t frame)
{
    return (off_t)frame * XB_FRAME_SIZE;
}

/* The first byte that is not the pattern's any more; XB_FRAME_SIZE: none. */
static uint32_t frame_look(struct box *box, uint32_t frame)
{
    uint8_t bytes[XB_FRAME_SIZE];
    uint32_t offset = 0;

    if (pread(box->frames_fd, bytes, sizeof(bytes), frame_offset(frame)) != sizeof(bytes) ||
        memcmp(bytes, pattern, sizeof(bytes)) == 0)
        return XB_FRAME_SIZE;
    while (bytes[offset] == POISON_BYTE)
        offset++;
    return offset;
}

/* Was it written since it was freed? Then it is said, once. */
static bool frame_is_stale(struct box *box, uint32_t frame)
{
    uint32_t offset = frame_look(box, frame);
    struct xb_stale *stale = &box->tables->stale;
    uint16_t domid = box->poison->owner[frame] - XB_OWNER(0);

    if (offset == XB_FRAME_SIZE)
        return false;
    fprintf(stderr, "xenbox-hv: frame %u, which was domain %u's, was written at byte %u after it was freed\n",
            frame, domid, offset);
    if (atomic_load(&stale->writes) == 0) {
        stale->frame = frame;
        stale->offset = offset;
        stale->domid = domid;
    }
    atomic_fetch_add(&stale->writes, 1);
    return true;
}

static int frame_fill(struct box *box, uint32_t frame)
{
    ssize_t written = pwrite(box->frames_fd, pattern, sizeof(pattern), frame_offset(frame));

    return written == sizeof(pattern) ? 0 : written < 0 ? -errno : -EIO;
}

int poison_fill(struct box *box, uint32_t frame, uint16_t owner)
{
    struct poison *poison = poison_get(box);
    int ret = poison ? frame_fill(box, frame) : -ENOMEM;

    if (ret < 0)
        return ret;
    if (poison->count == POISON_FRAMES) {
        uint32_t oldest = poison->queue[poison->first];

        poison->first = (poison->first + 1) % POISON_FRAMES;
        poison->count--;
        poison_lift(box, oldest);
    }
    poison->queue[(poison->first + poison->count++) % POISON_FRAMES] = frame;
    poison->owner[frame] = XB_OWNER(owner);
    return 0;
}

void poison_lift(struct box *box, uint32_t frame)
{
    static const uint8_t zeros[XB_FRAME_SIZE];

    if (!box->poison || !box->poison->owner[frame])
        return;
    frame_is_stale(box, frame);
    box->poison->owner[frame] = 0;
    if (fallocate(box->frames_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, frame_offset(frame),
                  XB_FRAME_SIZE) < 0 &&
        pwrite(box->frames_fd, zeros, sizeof(zeros), frame_offset(frame)) < 0)
        fprintf(stderr, "xenbox-hv: frame %u cannot be emptied: %s\n", frame, strerror(errno));
}

void poison_check(struct box *box)
{
    for (uint32_t i = 0; box->poison && i < box->poison->count; i++) {
        uint32_t frame = box->poison->queue[(box->poison->first + i) % POISON_FRAMES];

        if (box->poison->owner[frame] && frame_is_stale(box, frame))
            frame_fill(box, frame);
    }
}

void poison_fini(struct box *box)
{
    free(box->poison);
    box->poison = NULL;
}
