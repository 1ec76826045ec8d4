// SPDX-License-Identifier: MIT
/*
 * null.c: a disk that forgets what is written, to measure everything else. It reads as zeroes, which come from a
 * window of them; with zero=off it has no data at all, and a read leaves the guest's pages as they are.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/disk/disk_kind.h"
#include "backend/disk/engine.h"

#define NULL_WINDOW_BYTES (1u << 20) /* the longest read that is served from zeroes */

static int null_open(struct disk *disk, const char *argument, char *reason, size_t reason_size)
{
    static const char no_zeroes[] = ",zero=off";
    size_t length = strlen(argument), tail = sizeof(no_zeroes) - 1;
    char size[32];
    int ret;

    disk->geometry.is_void = length >= tail && strcmp(argument + length - tail, no_zeroes) == 0;
    snprintf(size, sizeof(size), "%.*s", (int)(disk->geometry.is_void ? length - tail : length), argument);
    ret = disk_size_open(disk, size, reason, reason_size);
    if (ret)
        return ret;
    disk->memory = mmap(NULL, NULL_WINDOW_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (disk->memory == MAP_FAILED) {
        ret = -errno;
        snprintf(reason, reason_size, "no memory for the zeroes of a null disk: %s", strerror(-ret));
    }
    return ret;
}

static void null_close(struct disk *disk)
{
    munmap(disk->memory, NULL_WINDOW_BYTES);
}

static void *null_window(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    return op == DISK_READ && !disk->geometry.is_void && length_bytes <= NULL_WINDOW_BYTES ? disk->memory
                                                                                           : NULL;
}

static void null_submit(struct disk *disk, struct engine *engine, struct disk_io *io)
{
    if (io->op == DISK_READ && !disk->geometry.is_void)
        for (unsigned int i = 0; i < io->iov_count; i++)
            memset(io->iov[i].iov_base, 0, io->iov[i].iov_len);
    engine_finish(engine, io, 0);
}

static int null_discard(struct disk *disk, uint64_t offset_bytes, uint64_t length_bytes)
{
    return 0;
}

const struct disk_kind disk_kind_null = {
    .name = "null",
    .open = null_open,
    .close = null_close,
    .is_current = disk_memory_is_current,
    .window = null_window,
    .submit = null_submit,
    .discard = null_discard,
};
