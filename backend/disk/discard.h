// SPDX-License-Identifier: MIT
/*
 * discard.h: how a file or a block device lets blocks go. Any thread; the ranges may block for long.
 */
#ifndef XENSPLIT_BACKEND_DISK_DISCARD_H
#define XENSPLIT_BACKEND_DISK_DISCARD_H

#include <stdint.h>
#include <sys/types.h>

#include "backend/disk/disk.h"

/*
 * Fills can_discard and what belongs to it; sector_bytes and size_bytes are there. A file is asked to forget what is
 * behind its end; of a device sysfs tells.
 */
void discard_probe_file(struct disk_geometry *geometry, int fd, blksize_t block_bytes);
void discard_probe_device(struct disk_geometry *geometry, dev_t device);

/* 0 or negative errno. A file reads as zeroes there afterwards; a device as it likes. */
int discard_file_range(int fd, uint64_t offset_bytes, uint64_t length_bytes);
int discard_device_range(int fd, uint64_t offset_bytes, uint64_t length_bytes);

#endif
