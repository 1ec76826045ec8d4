// SPDX-License-Identifier: MIT
/*
 * mem.c: a disk in the daemon's memory, for tests and measurements. Its window is the memory itself, so that
 * data moves once. Pages that nobody wrote cost nothing.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/disk/disk_kind.h"
#include "backend/disk/engine.h"

static int mem_open(struct disk *disk, const char *argument, char *reason, size_t reason_size)
{
    int ret = disk_size_open(disk, argument, reason, reason_size);

    if (ret)
        return ret;
    disk->geometry.is_volatile = true;
    disk->memory = mmap(NULL, disk->geometry.size_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (disk->memory == MAP_FAILED) {
        ret = -errno;
        snprintf(reason, reason_size, "no memory for a mem disk of %s: %s", argument, strerror(-ret));
    }
    return ret;
}

static void mem_close(struct disk *disk)
{
    munmap(disk->memory, disk->geometry.size_bytes);
}

static void *mem_window(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint32_t length_bytes)
{
    return op == DISK_FLUSH ? NULL : (char *)disk->memory + offset_bytes;
}

static void mem_submit(struct disk *disk, struct engine *engine, struct disk_io *io)
{
    char *at = (char *)disk->memory + io->offset_bytes;

    for (unsigned int i = 0; io->op != DISK_FLUSH && i < io->iov_count; i++) {
        if (io->op == DISK_READ)
            memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
        else
            memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
        at += io->iov[i].iov_len;
    }
    engine_finish(engine, io, 0);
}

const struct disk_kind disk_kind_mem = {
    .name = "mem",
    .open = mem_open,
    .close = mem_close,
    .is_current = disk_memory_is_current,
    .window = mem_window,
    .submit = mem_submit,
};
