// SPDX-License-Identifier: MIT
/*
 * null.c: a disk that reads as zeroes and forgets what is written, to measure everything else. Data still moves:
 * reads come from a window of zeroes, writes end in the caller's own buffer.
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
    int ret = disk_size_open(disk, argument, reason, reason_size);

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

static void *null_window(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint32_t length_bytes)
{
    return op == DISK_READ && length_bytes <= NULL_WINDOW_BYTES ? disk->memory : NULL;
}

static void null_submit(struct disk *disk, struct engine *engine, struct disk_io *io)
{
    if (io->op == DISK_READ)
        for (unsigned int i = 0; i < io->iov_count; i++)
            memset(io->iov[i].iov_base, 0, io->iov[i].iov_len);
    engine_finish(engine, io, 0);
}

const struct disk_kind disk_kind_null = {
    .name = "null",
    .open = null_open,
    .close = null_close,
    .is_current = disk_memory_is_current,
    .window = null_window,
    .submit = null_submit,
};
