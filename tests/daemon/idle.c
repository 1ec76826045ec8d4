// SPDX-License-Identifier: MIT
/*
 * idle.c: a guest's program that connects disks and then does nothing with them, until its standard input ends.
 *
 *     idle DEVICE...        prints how many microseconds a connect and one read took, in the median
 */
#include <config.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "frontend/xenfront.h"

#define TIMEOUT_MS 20000

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void on_done(void *cookie, int status)
{
    *(int *)cookie = status == 0 ? 1 : -1;
}

static struct xenfront_blk *connect_disk(const char *device)
{
    const struct xenfront_blk_options options = { .size = sizeof(options), .data_pages = 11, .depth = 1 };
    struct xenfront_blk *blk = xenfront_blk_new(&options);
    static char data[512];
    int done = 0;

    if (!blk || xenfront_blk_open(blk, device) < 0 || xenfront_blk_connect(blk, TIMEOUT_MS) < 0 ||
        xenfront_blk_read(blk, data, sizeof(data), 0, on_done, &done) < 0)
        done = -1;
    while (done == 0)
        if (xenfront_blk_wait(blk, TIMEOUT_MS) < 0)
            done = -1;
    if (done > 0)
        return blk;
    fprintf(stderr, "idle: %s: %s\n", device, blk ? xenfront_blk_error(blk) : "no memory");
    exit(1);
}

static int compare(const void *a, const void *b)
{
    const uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return one < other ? -1 : one > other;
}

int main(int argc, char **argv)
{
    const int count = argc - 1;
    struct xenfront_blk **blk = calloc(argc, sizeof(*blk));
    uint64_t *ns = calloc(argc, sizeof(*ns));
    char byte;

    if (count < 1 || !blk || !ns) {
        fprintf(stderr, "usage: idle DEVICE...\n");
        return 2;
    }
    for (int i = 0; i < count; i++) {
        const uint64_t began = now_ns();

        blk[i] = connect_disk(argv[1 + i]);
        ns[i] = now_ns() - began;
    }
    qsort(ns, count, sizeof(*ns), compare);
    printf("%llu\n", (unsigned long long)(ns[count / 2] / 1000));
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    for (int i = 0; i < count; i++) {
        xenfront_blk_close(blk[i], TIMEOUT_MS);
        xenfront_blk_free(blk[i]);
    }
    free(blk);
    free(ns);
    return 0;
}
