// SPDX-License-Identifier: MIT
/*
 * leaks.h: what programs have left in the tables of a box. The baseline is what the box's own processes and
 * the kernels of its domains need: their connections, and the store and console rings. All else belongs to
 * somebody, and whoever he is has not given it back.
 */
#ifndef XENBOX_CMD_LEAKS_H
#define XENBOX_CMD_LEAKS_H

#include <stdio.h>

#include "xenbox/cmd/box.h"
#include "xenbox/hv/layout.h"

/*
 * Prints a line for each process, handle or domain that has something left, and returns how many lines. Waits a
 * moment for the end of those that have died: they are no leak until they were reaped.
 */
unsigned leaks_report(const struct xb_tables *tables, const struct box_status *status, FILE *out);

#endif
