// SPDX-License-Identifier: MIT
/*
 * quiet.c: see quiet.h.
 */
#include <config.h>

#include "frontend/quiet.h"

__attribute__((format(printf, 5, 0))) static void message_drop(struct xentoollog_logger *logger,
                                                               xentoollog_level level, int error,
                                                               const char *context, const char *format,
                                                               va_list args)
{
}

static void progress_drop(struct xentoollog_logger *logger, const char *context, const char *what,
                          int percent, unsigned long done, unsigned long total)
{
}

static void nothing_to_destroy(struct xentoollog_logger *logger)
{
}

struct xentoollog_logger quiet_logger = {
    .vmessage = message_drop,
    .progress = progress_drop,
    .destroy = nothing_to_destroy,
};
