// SPDX-License-Identifier: MIT
/* clock.h: the clock that deadlines are measured with. */
#ifndef XENBOX_CMD_CLOCK_H
#define XENBOX_CMD_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
