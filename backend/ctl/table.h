// SPDX-License-Identifier: MIT
/*
 * table.h: JSON for people: an array of objects as a table, one object as a list of names and values. Pure but
 * for the printing. Control characters of a value, which a guest may have chosen, are printed as '?'.
 */
#ifndef XENSPLIT_BACKEND_CTL_TABLE_H
#define XENSPLIT_BACKEND_CTL_TABLE_H

#include <stdio.h>
#include <stdbool.h>
#include <jansson.h>

struct table_column {
    const char *name; /* of the member */
    const char *heading;
    bool is_optional; /* left out when there are rows and none has it */
};

/* columns: ends with a NULL name. Numbers stand on the right; what is null is "-". */
void table_print(FILE *out, const json_t *rows, const struct table_column *columns);
void table_print_object(FILE *out, const json_t *object);

#endif
