// SPDX-License-Identifier: MIT
/*
 * link.c: see link.h: messages between the runner and its peer, as two nodes of the store below the folder that both
 * know: "command" from the runner, "reply" from the peer. A message carries a number, so that a watch that
 * fires twice is no second message. Each side waits for the other; there is never more than one message under
 * way.
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/xen/src/link.h"

#define MEET_MS                                                                                              \
    180000 /* that the runner waits for the peer to come up, a guest that boots on a busy machine */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* The number of the message in a node; -1 when there is none. */
static long link_number(struct link *link, const char *node)
{
    unsigned int length;
    char *value = xs_read(link->xs, XBT_NULL, node, &length);
    long number = value ? strtol(value, NULL, 10) : -1;

    free(value);
    return number;
}

/* The peer clears what an earlier one left and says that it is there; the runner waits for that. */
static int link_meet(struct link *link, bool is_peer)
{
    int64_t deadline = now_ms() + MEET_MS;
    long number;

    if (is_peer) {
        if (!xs_rm(link->xs, XBT_NULL, link->in) && errno != ENOENT)
            return -errno;
        return xs_write(link->xs, XBT_NULL, link->out, "0 up", 4) ? 0 : -errno;
    }
    while ((number = link_number(link, link->in)) < 0) {
        struct pollfd pfd = { .fd = xs_fileno(link->xs), .events = POLLIN };
        int64_t left = deadline - now_ms();
        unsigned int count;

        if (left <= 0)
            return -ETIMEDOUT;
        if (poll(&pfd, 1, (int)left) > 0)
            free(xs_read_watch(link->xs, &count));
    }
    link->sequence = number;
    return 0;
}

int link_open(struct link *link, const char *dir, bool is_peer)
{
    int error;

    *link = (struct link){ .is_peer = is_peer };
    link->xs = xs_open(0);
    if (!link->xs)
        return -errno;
    snprintf(link->in, sizeof(link->in), "%s/%s", dir, is_peer ? "command" : "reply");
    snprintf(link->out, sizeof(link->out), "%s/%s", dir, is_peer ? "reply" : "command");
    error = xs_watch(link->xs, link->in, "in") ? link_meet(link, is_peer) : -errno;
    if (error)
        link_close(link);
    return error;
}

void link_close(struct link *link)
{
    if (link->xs)
        xs_close(link->xs);
    link->xs = NULL;
}

/* 1 when the node holds a message that was not taken yet, 0 when not. */
static int link_take(struct link *link, char *text, size_t size)
{
    unsigned int length;
    char *value = xs_read(link->xs, XBT_NULL, link->in, &length), *end;
    int taken = 0;

    if (!value)
        return errno == ENOENT ? 0 : -errno;
    if (strtoul(value, &end, 10) == link->sequence + 1) {
        link->sequence++;
        snprintf(text, size, "%s", *end ? end + 1 : "");
        taken = 1;
    }
    free(value);
    return taken;
}

int link_receive(struct link *link, char *text, size_t size, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;
    int ret;

    while (!(ret = link_take(link, text, size))) {
        struct pollfd pfd = { .fd = xs_fileno(link->xs), .events = POLLIN };
        int64_t left = deadline - now_ms();
        unsigned int count;

        if (timeout_ms >= 0 && left <= 0)
            return -ETIMEDOUT;
        if (poll(&pfd, 1, timeout_ms < 0 ? -1 : (int)left) > 0)
            free(xs_read_watch(link->xs, &count));
    }
    return ret < 0 ? ret : 0;
}

int link_send(struct link *link, const char *text)
{
    char value[XENSTORE_PAYLOAD_MAX - 256];
    /* A question opens a number, the answer has the same: the peer received it just before. */
    int length = snprintf(value, sizeof(value), "%u %s", link->sequence + !link->is_peer, text);

    if (length < 0 || (size_t)length >= sizeof(value))
        return -E2BIG;
    return xs_write(link->xs, XBT_NULL, link->out, value, length) ? 0 : -errno;
}
