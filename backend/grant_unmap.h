// SPDX-License-Identifier: MIT
/*
 * grant_unmap.h: taking a mapping of a guest's pages away, and looking at whether that was done. Any thread that may
 * use the handle.
 */
#ifndef XENSPLIT_BACKEND_GRANT_UNMAP_H
#define XENSPLIT_BACKEND_GRANT_UNMAP_H

#include <stdint.h>
#include <xengnttab.h>

/* count pages, as they were mapped. Negative errno: they are still there. Logs errors, with the label. */
int grant_unmap(xengnttab_handle *gnttab, void *pages, uint32_t count, const char *label);

#endif
