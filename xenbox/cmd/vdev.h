// SPDX-License-Identifier: MIT
/*
 * vdev.h: names of virtual disks and their numbers, as xen-vbd-interface(7) defines them. Pure.
 */
#ifndef XENBOX_CMD_VDEV_H
#define XENBOX_CMD_VDEV_H

#include <stddef.h>
#include <stdint.h>

#define VDEV_NAME_MAX 24

/*
 * "xvda1", "d0p1", "hda", "sdb3", or the number itself (decimal, octal, hexadecimal). 0, or -EINVAL for what
 * is no such name, -ERANGE for a disk or partition that the family cannot number.
 */
int vdev_parse(const char *name, uint32_t *number);

/* The n-th whole disk, "xvda" for 0. name: VDEV_NAME_MAX bytes. 0, or -ERANGE. */
int vdev_name(uint32_t disk, char *name);

#endif
