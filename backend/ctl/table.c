// SPDX-License-Identifier: MIT
/*
 * table.c: see table.h.
 */
#include <config.h>

#include "backend/ctl/table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CELL_MAX 512 /* bytes of a value with its end; longer ones are cut */
#define COLUMNS_MAX 24

static bool has_suffix(const char *name, const char *suffix)
{
    const size_t length = strlen(name), end = strlen(suffix);

    return length >= end && strcmp(name + length - end, suffix) == 0;
}

/* Sizes and amounts: "64M", "1.5G". Exact below 1024; the whole number is in the JSON. */
static void format_bytes(char cell[CELL_MAX], uint64_t bytes)
{
    static const char units[] = "KMGTPE";
    uint64_t divisor = 1024;
    unsigned int unit = 0;

    if (bytes < 1024) {
        snprintf(cell, CELL_MAX, "%" PRIu64, bytes);
        return;
    }
    while (bytes / divisor >= 1024) {
        divisor *= 1024;
        unit++;
    }
    if (bytes % divisor == 0)
        snprintf(cell, CELL_MAX, "%" PRIu64 "%c", bytes / divisor, units[unit]);
    else
        snprintf(cell, CELL_MAX, "%.1f%c", (double)bytes / (double)divisor, units[unit]);
}

static void format_value(char cell[CELL_MAX], const char *name, const json_t *value)
{
    if (json_is_integer(value) && (has_suffix(name, "_bytes") || strncmp(name, "bytes_", 6) == 0))
        format_bytes(cell, (uint64_t)json_integer_value(value));
    else if (json_is_integer(value))
        snprintf(cell, CELL_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        snprintf(cell, CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
    else if (json_is_string(value))
        snprintf(cell, CELL_MAX, "%s", json_string_value(value));
    else
        snprintf(cell, CELL_MAX, "-");
    for (char *at = cell; *at; at++)
        if (iscntrl((unsigned char)*at))
            *at = '?';
}

static bool is_shown(const json_t *rows, const struct table_column *column)
{
    bool is_found = json_array_size(rows) == 0 || !column->is_optional;

    for (size_t row = 0; row < json_array_size(rows) && !is_found; row++) {
        const json_t *value = json_object_get(json_array_get(rows, row), column->name);

        is_found = value && !json_is_null(value);
    }
    return is_found;
}

void table_print(FILE *out, const json_t *rows, const struct table_column *all)
{
    struct table_column columns[COLUMNS_MAX];
    int width[COLUMNS_MAX];
    bool is_right[COLUMNS_MAX] = { false };
    char cell[CELL_MAX];
    unsigned int count = 0;

    for (; all->name && count < COLUMNS_MAX; all++) {
        if (!is_shown(rows, all))
            continue;
        columns[count] = *all;
        width[count] = (int)strlen(columns[count].heading);
        for (size_t row = 0; row < json_array_size(rows); row++) {
            const json_t *value = json_object_get(json_array_get(rows, row), columns[count].name);

            format_value(cell, columns[count].name, value);
            if ((int)strlen(cell) > width[count])
                width[count] = (int)strlen(cell);
            is_right[count] |= json_is_number(value);
        }
        count++;
    }
    for (size_t row = 0; row <= json_array_size(rows); row++) {
        for (unsigned int i = 0; i < count; i++) {
            const bool is_last = i + 1 == count;

            if (row == 0)
                snprintf(cell, sizeof(cell), "%s", columns[i].heading);
            else
                format_value(cell, columns[i].name,
                             json_object_get(json_array_get(rows, row - 1), columns[i].name));
            fprintf(out, "%*s%s",
                    is_right[i] ? width[i]
                    : is_last   ? 0
                                : -width[i],
                    cell, is_last ? "\n" : "  ");
        }
    }
}

void table_print_object(FILE *out, const json_t *object)
{
    /* json_object_foreach wants what it may change. */
    json_t *members = (json_t *)(uintptr_t)object;
    char cell[CELL_MAX];
    const char *name;
    json_t *value;
    int width = 0;

    json_object_foreach(members, name, value) if ((int)strlen(name) > width) width = (int)strlen(name);
    json_object_foreach(members, name, value)
    {
        format_value(cell, name, value);
        fprintf(out, "%-*s  %s\n", width, name, cell);
    }
}
