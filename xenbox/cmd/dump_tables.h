// SPDX-License-Identifier: MIT
/*
 * dump_tables.h: the tables of a box as JSON. The tables change while they are read: each field is right by
 * itself, and two of them need not belong to the same moment. Indexes found in them are checked.
 */
#ifndef XENBOX_CMD_DUMP_TABLES_H
#define XENBOX_CMD_DUMP_TABLES_H

#include <jansson.h>

#include "xenbox/hv/layout.h"

/* A new reference, or NULL when there is no memory. */
json_t *dump_tables(const struct xb_tables *tables);

#endif
