// SPDX-License-Identifier: MIT
/*
 * two_disks.c: a program as others write them: it knows only xenfront.h, drives two disks from one poll loop of its
 * own, connects and closes them without ever blocking, and copies the first to the second.
 *
 *     two_disks FROM TO
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/xenfront.h"

#define CHUNK (96u << 10)
#define CHUNKS 8
#define TIMEOUT_MS 10000

struct chunk {
    struct copy *copy;
    uint64_t offset;
    size_t length;
    bool is_busy;
    char data[CHUNK];
};

struct copy {
    struct xenfront_blk *from, *to;
    uint64_t size, next, done;
    struct chunk chunk[CHUNKS];
};

static void die(struct xenfront_blk *blk, const char *what, int err)
{
    fprintf(stderr, "two_disks: %s: %s (%s)\n", what, xenfront_blk_error(blk), strerror(-err));
    exit(1);
}

static void on_written(void *cookie, int status)
{
    struct chunk *chunk = cookie;

    if (status < 0)
        die(chunk->copy->to, "write", status);
    chunk->copy->done += chunk->length;
    chunk->is_busy = false;
}

static void on_read(void *cookie, int status)
{
    struct chunk *chunk = cookie;
    struct copy *copy = chunk->copy;

    if (status < 0)
        die(copy->from, "read", status);
    status = xenfront_blk_write(copy->to, chunk->data, chunk->length, chunk->offset, on_written, chunk);
    if (status < 0)
        die(copy->to, "write", status);
}

/* One round of the event loop: sleeps until either device has something to do. */
static void loop_once(struct copy *copy)
{
    struct xenfront_blk *blks[] = { copy->from, copy->to };
    struct pollfd pollfds[2];
    int timeout = -1;

    for (int i = 0; i < 2; i++) {
        int wish = xenfront_blk_timeout_ms(blks[i]);

        pollfds[i] = (struct pollfd){ .fd = xenfront_blk_fd(blks[i]), .events = POLLIN };
        if (wish >= 0 && (timeout < 0 || wish < timeout))
            timeout = wish;
    }
    if (poll(pollfds, 2, timeout) < 0 && errno != EINTR)
        exit(1);
    for (int i = 0; i < 2; i++) {
        int result = xenfront_blk_pump(blks[i]);

        if (result < 0)
            die(blks[i], "pump", result);
    }
}

static void connect_both(struct copy *copy)
{
    struct xenfront_blk_info info;

    while (xenfront_blk_state(copy->from) != XENFRONT_CONNECTED ||
           xenfront_blk_state(copy->to) != XENFRONT_CONNECTED)
        loop_once(copy);
    xenfront_blk_info(copy->from, &info);
    copy->size = info.size_bytes;
}

static void copy_all(struct copy *copy)
{
    while (copy->done < copy->size) {
        for (int i = 0; i < CHUNKS && copy->next < copy->size; i++) {
            struct chunk *chunk = &copy->chunk[i];
            uint64_t left = copy->size - copy->next;

            if (chunk->is_busy)
                continue;
            chunk->copy = copy;
            chunk->offset = copy->next;
            chunk->length = left < CHUNK ? (size_t)left : CHUNK;
            if (xenfront_blk_read(copy->from, chunk->data, chunk->length, chunk->offset, on_read, chunk) < 0)
                die(copy->from, "read", -EIO);
            chunk->is_busy = true;
            copy->next += chunk->length;
        }
        /* writes were prepared inside of the other device's pump */
        if (xenfront_blk_submit(copy->from) < 0 || xenfront_blk_submit(copy->to) < 0)
            die(copy->to, "submit", -EIO);
        loop_once(copy);
        if (xenfront_blk_submit(copy->to) < 0)
            die(copy->to, "submit", -EIO);
    }
}

static struct xenfront_blk *disk_start(const char *name)
{
    struct xenfront_blk *blk = xenfront_blk_new(NULL);
    int err = blk ? xenfront_blk_open(blk, name) : -errno;

    if (err == 0)
        err = xenfront_blk_start(blk, TIMEOUT_MS);
    if (err < 0)
        die(blk, name, err);
    return blk;
}

int main(int argc, char **argv)
{
    struct copy *copy = calloc(1, sizeof(*copy));

    if (argc != 3 || !copy)
        return 2;
    copy->from = disk_start(argv[1]);
    copy->to = disk_start(argv[2]);
    connect_both(copy);
    copy_all(copy);
    if (xenfront_blk_shutdown(copy->from, TIMEOUT_MS) < 0 || xenfront_blk_shutdown(copy->to, TIMEOUT_MS) < 0)
        die(copy->to, "shutdown", -EIO);
    while (xenfront_blk_state(copy->from) != XENFRONT_IDLE || xenfront_blk_state(copy->to) != XENFRONT_IDLE)
        loop_once(copy);
    xenfront_blk_free(copy->from);
    xenfront_blk_free(copy->to);
    free(copy);
    return 0;
}
