// SPDX-License-Identifier: MIT
/*
 * error.c: see error.h.
 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>

#include "frontend/error.h"

int front_error_set(struct front_error *error, int err, const char *fmt, ...)
{
    va_list args;
    int used = 0;

    if (error->device[0])
        used = snprintf(error->text, sizeof(error->text), "%s: ", error->device);
    va_start(args, fmt);
    vsnprintf(error->text + used, sizeof(error->text) - (size_t)used, fmt, args);
    va_end(args);
    return err;
}

void front_error_clear(struct front_error *error)
{
    error->text[0] = '\0';
}
