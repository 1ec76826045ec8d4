// SPDX-License-Identifier: MIT
/*
 * audit.h: do the tables of a box agree with themselves?
 *
 * Everything that layout.h calls a function of something else is counted again and compared: pins and in-use
 * bits with map records, grants and pages with entries and frames, both ends of each event channel, listeners
 * and chunks with connections. It reads only, needs nothing but the mapped tables, and may run in any
 * process. Programs that are in the middle of an operation look like contradictions: ask when the box is
 * quiet, or ask again.
 */
#ifndef XENBOX_HV_AUDIT_H
#define XENBOX_HV_AUDIT_H

#include <stddef.h>

#include "xenbox/hv/layout.h"

/* 0 when all is in balance; -EUCLEAN with the first contradiction in words; -ENOMEM. */
int audit_tables(const struct xb_tables *tables, char *why, size_t size);

/* What a box holds, to be compared before and after. */
struct audit_counts {
    uint32_t conns, chunks, maps; /* slots, maptrack chunks, live map records */
    uint32_t domains, grants, frames, ports;
};

/* Pages that a domain had mapped until they went away under I/O, in a box that punishes; of all domains. */
uint32_t audit_damage(const struct xb_tables *tables);

void audit_count(const struct xb_tables *tables, struct audit_counts *counts);

#endif
