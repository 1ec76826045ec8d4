// SPDX-License-Identifier: MIT
/*
 * vdev.c: the encoding of virtual disk names. A name is a family prefix, the disk in letters (base 26 without
 * a zero: a..z, aa, ab, ...) or digits, and a partition, 0 or none for the whole disk.
 */
#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "xenbox/cmd/number.h"
#include "xenbox/cmd/vdev.h"

#define XVD_MAJOR 202u
#define SD_MAJOR 8u
#define IDE0_MAJOR 3u
#define IDE1_MAJOR 22u
#define EXTENDED (1u << 28)

struct vdev_family {
    const char *prefix;
    bool has_digits; /* disk and partition in digits with a p between: d0p1 */
    uint32_t max_disk;
    uint32_t max_partition;
    uint32_t (*encode)(uint32_t disk, uint32_t partition);
};

static uint32_t encode_xvd(uint32_t disk, uint32_t partition)
{
    if (disk > 15 || partition > 15)
        return EXTENDED | disk << 8 | partition;
    return XVD_MAJOR << 8 | disk << 4 | partition;
}

static uint32_t encode_sd(uint32_t disk, uint32_t partition)
{
    return SD_MAJOR << 8 | disk << 4 | partition;
}

static uint32_t encode_hd(uint32_t disk, uint32_t partition)
{
    return (disk < 2 ? IDE0_MAJOR : IDE1_MAJOR) << 8 | (disk & 1) << 6 | partition;
}

static const struct vdev_family families[] = {
    { "xvd", false, (1u << 20) - 1, 255, encode_xvd },
    { "sd", false, 15, 15, encode_sd },
    { "hd", false, 3, 63, encode_hd },
    { "d", true, (1u << 20) - 1, 255, encode_xvd },
};

/* Digits from *text on, at most max; leaves *text behind them. */
static int take_digits(const char **text, uint32_t max, uint32_t *number)
{
    const char *p = *text;
    uint64_t n = 0;

    if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
        return -EINVAL;
    for (; *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (uint64_t)(*p - '0');
        if (n > max)
            return -ERANGE;
    }
    *text = p;
    *number = (uint32_t)n;
    return 0;
}

static int take_letters(const char **text, uint32_t max, uint32_t *number)
{
    const char *p = *text;
    uint64_t n = 0;

    if (*p < 'a' || *p > 'z')
        return -EINVAL;
    for (; *p >= 'a' && *p <= 'z'; p++) {
        n = n * 26 + (uint64_t)(*p - 'a') + 1;
        if (n - 1 > max)
            return -ERANGE;
    }
    *text = p;
    *number = (uint32_t)(n - 1);
    return 0;
}

static int parse_in_family(const struct vdev_family *family, const char *text, uint32_t *number)
{
    uint32_t disk, partition = 0;
    int error;

    error = (family->has_digits ? take_digits : take_letters)(&text, family->max_disk, &disk);
    if (!error && *text && family->has_digits && *text++ != 'p')
        error = -EINVAL;
    else if (!error && family->has_digits && text[-1] == 'p' && !*text)
        error = -EINVAL;
    if (!error && *text)
        error = take_digits(&text, family->max_partition, &partition);
    if (!error && *text)
        error = -EINVAL;
    if (!error)
        *number = family->encode(disk, partition);
    return error;
}

int vdev_parse(const char *name, uint32_t *number)
{
    unsigned long plain;

    if (number_parse(name, UINT32_MAX, &plain) == 0) {
        if (plain == 0 || plain >= 2u * EXTENDED) /* above: reserved */
            return -ERANGE;
        *number = (uint32_t)plain;
        return 0;
    }
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        size_t length = strlen(families[i].prefix);

        if (strncmp(name, families[i].prefix, length) == 0)
            return parse_in_family(&families[i], name + length, number);
    }
    return -EINVAL;
}

int vdev_name(uint32_t disk, char *name)
{
    char letters[8];
    size_t n = sizeof(letters) - 1;

    if (disk > families[0].max_disk)
        return -ERANGE;
    letters[n] = '\0';
    for (uint64_t rest = (uint64_t)disk + 1; rest; rest = (rest - 1) / 26)
        letters[--n] = (char)('a' + (rest - 1) % 26);
    snprintf(name, VDEV_NAME_MAX, "%s%s", families[0].prefix, letters + n);
    return 0;
}
