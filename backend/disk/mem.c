// SPDX-License-Identifier: MIT
/*
 * mem.c: a disk in the daemon's memory, for tests and measurements. Its window is the memory itself, so that
 * data moves once. Pages that nobody wrote cost nothing.
 */
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/disk/disk_kind.h"
#include "backend/disk/engine.h"

#define MEM_PAGE_BYTES 4096u

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

static void *mem_window(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    return op == DISK_FLUSH || op == DISK_DISCARD ? NULL : (char *)disk->memory + offset_bytes;
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

/* Whole pages go back to the system; what is left at either end is less than a page. */
static int mem_discard(struct disk *disk, uint64_t offset_bytes, uint64_t length_bytes)
{
    char *const at = (char *)disk->memory + offset_bytes, *const end = at + length_bytes;
    char *const first = (char *)(((uintptr_t)at + MEM_PAGE_BYTES - 1) & ~(uintptr_t)(MEM_PAGE_BYTES - 1));
    char *const last = (char *)((uintptr_t)end & ~(uintptr_t)(MEM_PAGE_BYTES - 1));

    if (first >= last) {
        memset(at, 0, length_bytes);
        return 0;
    }
    memset(at, 0, first - at);
    memset(last, 0, end - last);
    return madvise(first, last - first, MADV_DONTNEED) ? -errno : 0;
}

const struct disk_kind disk_kind_mem = {
    .name = "mem",
    .open = mem_open,
    .close = mem_close,
    .is_current = disk_memory_is_current,
    .window = mem_window,
    .submit = mem_submit,
    .discard = mem_discard,
};
