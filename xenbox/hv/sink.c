// SPDX-License-Identifier: MIT
/* sink.c: see sink.h. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xenbox/hv/conn.h"
#include "xenbox/hv/event_channel.h"
#include "xenbox/hv/sink.h"

/*
 * Each port is in the pipe once until it is unmasked, so this many bytes hold all ports of a domain twice
 * over. It is less than a pipe's default, which matters where the kernel limits the pipe pages of a user.
 */
#define SINK_BYTES ((int)(2 * XB_MAX_PORTS * sizeof(uint32_t)))

static void sink_ready(struct box *box, struct source *source, uint32_t events)
{
    struct sink *sink = (struct sink *)source;

    if (events & EPOLLERR)
        sink_destroy(box, sink);
}

int sink_create(struct box *box, uint32_t id, uint16_t domid, int *read_fd, struct sink **result)
{
    struct sink *sink = calloc(1, sizeof(*sink));
    int ends[2] = { -1, -1 }, ret;
    struct stat stat;

    if (!sink)
        return -ENOMEM;
    if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(ends[1], F_SETPIPE_SZ, SINK_BYTES) < 0 || fstat(ends[1], &stat) < 0) {
        ret = -errno;
        goto fail;
    }
    sink->source.ready = sink_ready;
    sink->id = id;
    sink->domid = domid;
    sink->fd = ends[1];
    sink->inode = stat.st_ino;
    ret = box_watch(box, sink->fd, 0, &sink->source); /* errors are always reported */
    if (ret < 0)
        goto fail;
    LIST_INSERT_HEAD(&box->sinks, sink, link);
    slot_get(box, id);
    *read_fd = ends[0];
    *result = sink;
    return 0;

fail:
    if (ends[0] >= 0) {
        close(ends[0]);
        close(ends[1]);
    }
    free(sink);
    return ret;
}

struct sink *sink_find(struct box *box, uint32_t id)
{
    struct sink *sink;

    LIST_FOREACH (sink, &box->sinks, link) {
        if (sink->id == id)
            return sink;
    }
    return NULL;
}

struct sink *sink_find_fd(struct box *box, int fd)
{
    struct sink *sink;
    struct stat stat;

    if (fstat(fd, &stat) < 0 || !S_ISFIFO(stat.st_mode))
        return NULL;
    LIST_FOREACH (sink, &box->sinks, link) {
        if (sink->inode == stat.st_ino)
            return sink;
    }
    return NULL;
}

bool sink_is_closed(const struct sink *sink)
{
    struct pollfd poll_fd = { .fd = sink->fd };

    return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLERR);
}

void sink_destroy(struct box *box, struct sink *sink)
{
    port_close_all(box, sink->domid, sink->id);
    LIST_REMOVE(sink, link);
    box_unwatch(box, sink->fd);
    slot_put(box, sink->id);
    box_bury(box, &sink->source);
}

void sink_write(struct sink *sink, uint32_t port)
{
    /* EPIPE: its end is being processed. EAGAIN cannot be, by SINK_BYTES. Neither leaves anything to do. */
    if (write(sink->fd, &port, sizeof(port)) < 0)
        return;
}

void sink_write_again(struct sink *sink, uint32_t port)
{
    int waiting;

    if (ioctl(sink->fd, FIONREAD, &waiting) == 0 && waiting < SINK_BYTES / 2)
        sink_write(sink, port);
}
