// SPDX-License-Identifier: MIT
/*
 * kernel_driver.c: see kernel_driver.h. The kernel shows a driver that is bound as a link named `driver`.
 */
#include <config.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend/kernel_driver.h"

bool kernel_driver_find(const char *devices, const char *kind, uint16_t domid, uint32_t devid, char *name,
                        size_t size)
{
    char path[PATH_MAX], target[PATH_MAX];
    const char *slash;
    ssize_t length;

    snprintf(path, sizeof(path), "%s/%s-%u-%u/driver", devices, kind, domid, devid);
    length = readlink(path, target, sizeof(target) - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    slash = strrchr(target, '/');
    snprintf(name, size, "%s", slash ? slash + 1 : target);
    return true;
}
