// SPDX-License-Identifier: MIT
/*
 * discard.c: see discard.h.
 */
#include <config.h>

#include "backend/disk/discard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define GRANULARITY_MAX (1u << 30) /* larger ones make no sense to a guest */

int discard_file_range(int fd, uint64_t offset_bytes, uint64_t length_bytes)
{
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset_bytes, (off_t)length_bytes)
               ? -errno
               : 0;
}

int discard_device_range(int fd, uint64_t offset_bytes, uint64_t length_bytes)
{
    uint64_t range[2] = { offset_bytes, length_bytes };

    return ioctl(fd, BLKDISCARD, range) ? -errno : 0;
}

/* Whole sectors, or the sector itself where what was found is of no use. */
static uint32_t granularity(const struct disk_geometry *geometry, uint64_t found)
{
    return found > 0 && found <= GRANULARITY_MAX && found % geometry->sector_bytes == 0 ? (uint32_t)found
                                                                                        : geometry->sector_bytes;
}

void discard_probe_file(struct disk_geometry *geometry, int fd, blksize_t block_bytes)
{
    geometry->can_discard = discard_file_range(fd, geometry->size_bytes, geometry->sector_bytes) == 0;
    geometry->discard_granularity_bytes = granularity(geometry, (uint64_t)block_bytes);
}

/* 0: not to be found. */
static uint64_t read_attribute(dev_t device, const char *name)
{
    unsigned long long value = 0;
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(device), minor(device), name);
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu", &value) != 1)
        value = 0;
    fclose(file);
    return value;
}

void discard_probe_device(struct disk_geometry *geometry, dev_t device)
{
    /* A partition has its disk's queue. */
    const bool is_whole = read_attribute(device, "queue/logical_block_size") > 0;
    const char *const most = is_whole ? "queue/discard_max_bytes" : "../queue/discard_max_bytes";
    const char *const unit = is_whole ? "queue/discard_granularity" : "../queue/discard_granularity";
    const uint64_t alignment = read_attribute(device, "discard_alignment");

    geometry->can_discard = read_attribute(device, most) > 0;
    geometry->discard_granularity_bytes = granularity(geometry, read_attribute(device, unit));
    if (alignment < geometry->discard_granularity_bytes && alignment % geometry->sector_bytes == 0)
        geometry->discard_alignment_bytes = (uint32_t)alignment;
}
