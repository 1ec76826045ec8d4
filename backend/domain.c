// SPDX-License-Identifier: MIT
/*
 * domain.c: see domain.h. The list call exists in every version of libxenctrl, the one for a single domain was
 * renamed.
 */
#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <xenctrl.h>

#include "common/log.h"
#include "backend/domain.h"

static xc_interface *control;

int domains_open(void)
{
    control = xc_interface_open(NULL, NULL, 0);
    return control ? 0 : errno ? -errno : -ENODEV;
}

void domains_close(void)
{
    if (control)
        xc_interface_close(control);
    control = NULL;
}

int domain_query(uint16_t domid, uint8_t handle[DOMAIN_HANDLE_BYTES])
{
    static bool has_complained;
    xc_domaininfo_t info;
    int error;
    int count = xc_domain_getinfolist(control, domid, 1, &info); /* the first one from domid on */

    if (count < 0) {
        error = errno ? -errno : -EIO;
        if (!has_complained)
            log_warning(NULL,
                        "the hypervisor does not say which domains live (%s): only the store tells when a guest "
                        "has ended, and a domid that is used again is not noticed",
                        strerror(-error));
        has_complained = true;
        return error;
    }
    if (count == 0 || info.domain != domid || (info.flags & XEN_DOMINF_dying))
        return -ESRCH;
    memcpy(handle, info.handle, DOMAIN_HANDLE_BYTES);
    return 0;
}
