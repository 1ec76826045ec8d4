// SPDX-License-Identifier: MIT
/*
 * vbd_name.c: names of virtual block devices and their numbers, as xen-vbd-interface(7) defines them. Pure.
 *
 * A number is an encoding of {interface, disk, partition}, not a Linux device number, though the old part of
 * it looks like one.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/xenfront.h"

#define VDEV_EXTENDED (1u << 28) /* xvd with a disk or partition of 16 or more */
#define VDEV_XVD_MAJOR 202u
#define VDEV_MAX_DISK (1u << 20)

/* The interfaces: a letter names the disk, a decimal number the partition (none or 0: the whole disk). */
static const struct vdev_family {
    const char *prefix;
    uint32_t major;
    uint32_t first_disk; /* that this row is for */
    uint32_t disks;
    unsigned int disk_shift;
    uint32_t partitions; /* numbers below this one */
} vdev_families[] = {
    { "xvd", VDEV_XVD_MAJOR, 0, 16, 4, 16 },
    { "sd", 8, 0, 16, 4, 16 },
    { "hd", 3, 0, 2, 6, 64 },
    { "hd", 22, 2, 2, 6, 64 },
};

#define VDEV_FAMILIES (sizeof(vdev_families) / sizeof(vdev_families[0]))

/* Decimal digits only, all of text, not empty. */
static int number_parse(const char *text, uint32_t max, uint32_t *value)
{
    uint64_t number = 0;

    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        number = number * 10 + (uint64_t)(*text - '0');
        if (number > max)
            return -EINVAL;
    }
    *value = (uint32_t)number;
    return 0;
}

/* "a" is 0, "z" 25, "aa" 26. Returns how many letters there were. */
static size_t letters_parse(const char *text, uint32_t *disk)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    uint32_t number = 0;

    for (size_t i = 0; i < length && number < VDEV_MAX_DISK; i++)
        number = number * 26 + (uint32_t)(text[i] - 'a') + 1;
    *disk = number - 1;
    return length;
}

static int vdev_encode(const char *prefix, uint32_t disk, uint32_t partition, uint32_t *devid)
{
    for (size_t i = 0; i < VDEV_FAMILIES; i++) {
        const struct vdev_family *family = &vdev_families[i];
        uint32_t index = disk - family->first_disk;

        if (strcmp(prefix, family->prefix) || disk < family->first_disk || index >= family->disks ||
            partition >= family->partitions)
            continue;
        *devid = family->major << 8 | index << family->disk_shift | partition;
        return 0;
    }
    if (strcmp(prefix, "xvd") || disk >= VDEV_MAX_DISK || partition > 255)
        return -EINVAL;
    *devid = VDEV_EXTENDED | disk << 8 | partition;
    return 0;
}

/* "d0p1": interface-neutral names, which are xvd's numbers. */
static int neutral_parse(const char *text, uint32_t *devid)
{
    char digits[16];
    uint32_t disk, partition = 0;
    size_t length = strcspn(text, "p");

    if (length >= sizeof(digits))
        return -EINVAL;
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (number_parse(digits, VDEV_MAX_DISK - 1, &disk) < 0)
        return -EINVAL;
    if (text[length] && number_parse(text + length + 1, 255, &partition) < 0)
        return -EINVAL;
    return vdev_encode("xvd", disk, partition, devid);
}

int xenfront_vdev_parse(const char *text, uint32_t *devid)
{
    if (number_parse(text, UINT32_MAX >> 1, devid) == 0)
        return 0;
    if (text[0] == 'd' && text[1] >= '0' && text[1] <= '9')
        return neutral_parse(text + 1, devid);
    for (size_t i = 0; i < VDEV_FAMILIES; i++) {
        const char *prefix = vdev_families[i].prefix;
        uint32_t disk, partition = 0;
        size_t length = strlen(prefix), letters;

        if (strncmp(text, prefix, length))
            continue;
        letters = letters_parse(text + length, &disk);
        if (!letters)
            return -EINVAL;
        text += length + letters;
        if (*text && number_parse(text, 255, &partition) < 0)
            return -EINVAL;
        return vdev_encode(prefix, disk, partition, devid);
    }
    return -EINVAL;
}

static const char *name_print(char *buf, size_t size, const char *prefix, uint32_t disk, uint32_t partition)
{
    char letters[8];
    size_t at = sizeof(letters) - 1;

    letters[at] = '\0';
    for (uint32_t rest = disk + 1; rest; rest = (rest - 1) / 26)
        letters[--at] = (char)('a' + (rest - 1) % 26);
    if (partition)
        snprintf(buf, size, "%s%s%" PRIu32, prefix, letters + at, partition);
    else
        snprintf(buf, size, "%s%s", prefix, letters + at);
    return buf;
}

const char *xenfront_vdev_name(uint32_t devid, char *buf, size_t size)
{
    if ((devid & ~(VDEV_EXTENDED - 1)) == VDEV_EXTENDED)
        return name_print(buf, size, "xvd", (devid & (VDEV_EXTENDED - 1)) >> 8, devid & 0xff);
    for (size_t i = 0; i < VDEV_FAMILIES; i++) {
        const struct vdev_family *family = &vdev_families[i];
        uint32_t index = (devid & 0xff) >> family->disk_shift;

        if (devid >> 8 == family->major && index < family->disks)
            return name_print(buf, size, family->prefix, family->first_disk + index,
                              devid & ((1u << family->disk_shift) - 1));
    }
    snprintf(buf, size, "%" PRIu32, devid);
    return buf;
}
