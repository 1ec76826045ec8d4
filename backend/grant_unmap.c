// SPDX-License-Identifier: MIT
/*
 * grant_unmap.c: see grant_unmap.h.
 */
#include <config.h>

#include "backend/grant_unmap.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"

int grant_unmap(xengnttab_handle *gnttab, void *pages, uint32_t count, const char *label)
{
    int error;

    if (!xengnttab_unmap(gnttab, pages, count))
        return 0;
    error = errno ? -errno : -EINVAL;
    log_error(label, "cannot unmap %u pages of the guest's: %s", count, strerror(-error));
    return error;
}
