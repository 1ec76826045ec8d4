// SPDX-License-Identifier: MIT
/*
 * audit_pages.h: do the views of mapped pages agree?
 *
 * audit_pages() compares tables with tables: map records, page structs, p2m and grant entries. audit_views() looks at
 * what programs really have: it reads the mappings of their processes (which must be ours) and the pages that empty
 * placeholders show. Both say of a box whose programs are at work what is in the middle of a change: ask again.
 */
#ifndef XENBOX_HV_AUDIT_PAGES_H
#define XENBOX_HV_AUDIT_PAGES_H

#include <stddef.h>

#include "xenbox/hv/layout.h"

/* 0, or -EUCLEAN with the first contradiction in words. */
int audit_pages(const struct xb_tables *tables, char *why, size_t size);

/* The same; -ENOMEM. `frames_fd` is the memory of all frames. */
int audit_views(const struct xb_tables *tables, int frames_fd, char *why, size_t size);

#endif
