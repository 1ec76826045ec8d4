// SPDX-License-Identifier: MIT
/*
 * progress.c: see progress.h.
 */
#include <config.h>

#include <stdio.h>
#include <unistd.h>

#include "frontend/tools/process.h"
#include "frontend/tools/progress.h"

#define BAR_WIDTH 32
#define INTERVAL 0.1 /* seconds */

void progress_start(struct progress *progress, const char *what, uint64_t total, bool is_quiet)
{
    *progress = (struct progress){
        .what = what,
        .total = total,
        .start = seconds_now(),
        .is_on = !is_quiet && isatty(STDERR_FILENO),
    };
}

void progress_show(struct progress *progress, uint64_t done)
{
    double now, rate;
    int filled;

    if (!progress->is_on)
        return;
    now = seconds_now();
    if (now - progress->shown < INTERVAL)
        return;
    progress->shown = now;
    rate = (double)done / (now - progress->start + 1e-9) / 1e6;
    if (!progress->total) {
        fprintf(stderr, "\r%s %.1f MB, %.0f MB/s  ", progress->what, (double)done / 1e6, rate);
        return;
    }
    if (done > progress->total) /* a total may be an estimate */
        done = progress->total;
    filled = (int)((double)done * BAR_WIDTH / (double)progress->total);
    fprintf(stderr, "\r%s [%.*s%*s] %3d%% of %.1f MB, %.0f MB/s  ", progress->what, filled,
            "################################", BAR_WIDTH - filled, "",
            (int)((double)done * 100 / (double)progress->total), (double)progress->total / 1e6, rate);
}

void progress_end(struct progress *progress)
{
    if (progress->is_on && progress->shown > 0)
        fprintf(stderr, "\r\033[K");
    progress->is_on = false;
}
