// SPDX-License-Identifier: MIT
/*
 * cycle.c: a guest's program that connects, does a little I/O and closes, again and again, with one handle.
 *
 *     cycle DEVICE COUNT        prints how many cycles it did
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/xenfront.h"

#define TIMEOUT_MS 20000

static int result;

static void on_done(void *cookie, int status)
{
    result = status;
    *(int *)cookie = 1;
}

static int die(struct xenfront_blk *blk, const char *what, int cycle, int err)
{
    fprintf(stderr, "cycle %d: %s: %s (%s)\n", cycle, what, xenfront_blk_error(blk), strerror(-err));
    xenfront_blk_free(blk);
    return 1;
}

static int io(struct xenfront_blk *blk, unsigned char *data, int is_write)
{
    int done = 0;
    int err = is_write ? xenfront_blk_write(blk, data, 512, 4096, on_done, &done)
                       : xenfront_blk_read(blk, data, 512, 4096, on_done, &done);

    while (err >= 0 && !done)
        err = xenfront_blk_wait(blk, TIMEOUT_MS);
    return err < 0 ? err : result;
}

int main(int argc, char **argv)
{
    const struct xenfront_blk_options options = { .size = sizeof(options), .data_pages = 11 };
    struct xenfront_blk *blk = xenfront_blk_new(&options);
    const int count = argc == 3 ? atoi(argv[2]) : 0;
    unsigned char data[512], found[512];
    int err;

    if (!blk || count < 1) {
        fprintf(stderr, "usage: cycle DEVICE COUNT\n");
        return 2;
    }
    err = xenfront_blk_open(blk, argv[1]);
    if (err < 0)
        return die(blk, "open", 0, err);
    for (int i = 0; i < count; i++) {
        memset(data, i, sizeof(data));
        err = xenfront_blk_connect(blk, TIMEOUT_MS);
        if (err < 0)
            return die(blk, "connect", i, err);
        err = io(blk, data, 1);
        if (err == 0)
            err = io(blk, found, 0);
        if (err < 0)
            return die(blk, "I/O", i, err);
        if (memcmp(data, found, sizeof(data)) != 0) {
            fprintf(stderr, "cycle %d: read something else than was written\n", i);
            return 1;
        }
        err = xenfront_blk_close(blk, TIMEOUT_MS);
        if (err < 0)
            return die(blk, "close", i, err);
    }
    xenfront_blk_free(blk);
    printf("%d cycles\n", count);
    return 0;
}
