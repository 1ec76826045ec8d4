// SPDX-License-Identifier: MIT
/*
 * spin.c: adaptive spinning.
 */
#include <config.h>

#include "backend/spin.h"

#include <time.h>

#include "common/barrier.h"

#define LEAST_NS 1000u /* a shorter limit is none */
#define PROBE_EVERY 64u /* occasions, once the limit has fallen to nothing */
#define LOOKS 8 /* at the condition, for each look at the clock */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool spin_until(struct spin *spin, uint32_t most_ns, spin_fn *is_ready, void *arg)
{
    uint64_t start;

    if (spin->limit_ns < LEAST_NS) {
        if (spin->passed++ % PROBE_EVERY)
            return false;
        spin->limit_ns = most_ns;
    }
    start = now_ns();
    do {
        for (unsigned int i = 0; i < LOOKS; i++) {
            if (is_ready(arg)) {
                spin->limit_ns = most_ns;
                return true;
            }
            cpu_relax();
        }
    } while (now_ns() - start < spin->limit_ns);
    spin->limit_ns /= 2;
    return false;
}
