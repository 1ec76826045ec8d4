// SPDX-License-Identifier: MIT
/*
 * fairness.c: a guest with many disks that asks each for one block at a time, a few thousand times a second in all, and
 * measures how long each takes. What the daemon does for others meanwhile shows in the slowest of a hundred.
 *
 *     bench-fairness SECONDS DEVICE...        prints "P50 P99 REQUESTS", times in microseconds
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/xenfront.h"

#define INTERVAL_NS 200000u /* between two requests, all disks together */
#define SAMPLES_MAX 2000000u
#define TIMEOUT_MS 20000

static uint32_t *samples; /* ns */
static size_t sample_count;
static int is_done;

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + ts.tv_nsec;
}

static void die(struct xenfront_blk *blk, const char *what)
{
    fprintf(stderr, "bench-fairness: %s: %s\n", what, xenfront_blk_error(blk));
    exit(1);
}

static struct xenfront_blk *open_disk(const char *device)
{
    const struct xenfront_blk_options options = { .size = sizeof(options), .data_pages = 11, .depth = 1 };
    struct xenfront_blk *blk = xenfront_blk_new(&options);

    if (!blk || xenfront_blk_open(blk, device) < 0 || xenfront_blk_connect(blk, TIMEOUT_MS) < 0)
        die(blk, device);
    return blk;
}

static void on_done(void *cookie, int status)
{
    is_done = status == 0 ? 1 : -1;
}

static void measure(struct xenfront_blk *blk, char *data)
{
    const uint64_t began = now_ns();

    is_done = 0;
    if (xenfront_blk_read(blk, data, 4096, 0, on_done, NULL) < 0)
        die(blk, "read");
    while (!is_done)
        if (xenfront_blk_wait(blk, TIMEOUT_MS) < 0)
            die(blk, "wait");
    if (is_done < 0)
        die(blk, "read");
    if (sample_count < SAMPLES_MAX)
        samples[sample_count++] = (uint32_t)(now_ns() - began);
}

static int compare(const void *a, const void *b)
{
    const uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

    return one < other ? -1 : one > other;
}

int main(int argc, char **argv)
{
    const int count = argc - 2;
    static char data[4096];
    struct xenfront_blk **disks;
    uint64_t next, end;

    if (count < 1) {
        fprintf(stderr, "usage: bench-fairness SECONDS DEVICE...\n");
        return 2;
    }
    disks = calloc(count, sizeof(*disks));
    samples = calloc(SAMPLES_MAX, sizeof(*samples));
    if (!disks || !samples)
        return 1;
    for (int i = 0; i < count; i++)
        disks[i] = open_disk(argv[2 + i]);
    next = now_ns();
    end = next + strtoull(argv[1], NULL, 10) * 1000000000u;
    for (int i = 0; now_ns() < end; i = (i + 1) % count) {
        const struct timespec at = { .tv_sec = next / 1000000000u, .tv_nsec = next % 1000000000u };

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        next += INTERVAL_NS;
        measure(disks[i], data);
    }
    for (int i = 0; i < count; i++) {
        xenfront_blk_close(disks[i], TIMEOUT_MS);
        xenfront_blk_free(disks[i]);
    }
    qsort(samples, sample_count, sizeof(*samples), compare);
    if (sample_count > 0)
        printf("%.1f %.1f %zu\n", samples[sample_count / 2] / 1000.0, samples[sample_count * 99 / 100] / 1000.0,
               sample_count);
    free(samples);
    free(disks);
    return sample_count > 0 ? 0 : 1;
}
