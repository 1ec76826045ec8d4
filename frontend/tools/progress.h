// SPDX-License-Identifier: MIT
/*
 * progress.h: a progress bar on standard error, when that is a terminal.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_PROGRESS_H
#define XENSPLIT_FRONTEND_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what;
    uint64_t total; /* bytes; 0: not known */
    double start; /* seconds */
    double shown;
    bool is_on;
};

void progress_start(struct progress *progress, const char *what, uint64_t total, bool is_quiet);
void progress_show(struct progress *progress, uint64_t done); /* at most ten times a second */
void progress_end(struct progress *progress); /* removes the bar */

#endif
