// SPDX-License-Identifier: MIT
/* sinks.c: see sinks.h. */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "xenbox/lib/sinks.h"

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100 /* Linux 6.18: EPIPE without SIGPIPE */
#endif

#define SINKS_FIRST_SIZE 16u

/* Where the id is, or the free place where it would be. */
static struct sinks_entry *sinks_find(const struct sinks *sinks, uint32_t id)
{
    uint32_t at = XB_CONN_SLOT(id) & (sinks->size - 1);

    while (sinks->entry[at].id && sinks->entry[at].id != id)
        at = (at + 1) & (sinks->size - 1);
    return &sinks->entry[at];
}

/* Nobody reads from the pipe any more. */
static bool sink_is_dead(int fd)
{
    struct pollfd wait = { .fd = fd };

    return fd < 0 || (poll(&wait, 1, 0) == 1 && (wait.revents & POLLERR));
}

/*
 * Makes room: first by letting go of the handles that have been closed meanwhile, since a backend meets a new one
 * with each frontend that comes, and twice as much where that does not help.
 */
static int sinks_grow(struct sinks *sinks)
{
    struct sinks grown = { .size = sinks->size ? sinks->size : SINKS_FIRST_SIZE };
    uint32_t alive = 0;

    for (uint32_t i = 0; i < sinks->size; i++) {
        struct sinks_entry *entry = &sinks->entry[i];
        if (entry->id && entry->fd >= 0 && sink_is_dead(entry->fd)) {
            close(entry->fd);
            entry->fd = -1;
        }
        alive += entry->id && entry->fd >= 0;
    }
    while (4 * (alive + 1) > grown.size)
        grown.size *= 2;
    grown.entry = calloc(grown.size, sizeof(*grown.entry));
    if (!grown.entry)
        return -ENOMEM;
    for (uint32_t i = 0; i < sinks->size; i++) {
        /* An entry whose write failed is left out: see sinks_write(). */
        if (!sinks->entry[i].id || sinks->entry[i].fd < 0)
            continue;
        *sinks_find(&grown, sinks->entry[i].id) = sinks->entry[i];
        grown.used++;
    }
    free(sinks->entry);
    *sinks = grown;
    return 0;
}

int sinks_get(struct sinks *sinks, struct client *client, uint32_t id)
{
    struct xb_u32 wanted = { .value = id };
    struct iovec request = { .iov_base = &wanted, .iov_len = sizeof(wanted) };
    struct sinks_entry *entry = sinks->size ? sinks_find(sinks, id) : NULL;
    int fd, ret;

    if (entry && entry->id)
        return entry->fd < 0 ? -ESRCH : 0;
    ret = client_callv(client, XB_OP_SINK, &request, 1, NULL, 0, NULL, &fd);
    if (ret < 0)
        return ret;
    if (fd < 0)
        return -EPROTO;
    if (2 * (sinks->used + 1) > sinks->size) {
        ret = sinks_grow(sinks);
        if (ret < 0) {
            close(fd);
            return ret;
        }
    }
    *sinks_find(sinks, id) = (struct sinks_entry){ .id = id, .fd = fd };
    sinks->used++;
    return 0;
}

void sinks_fini(struct sinks *sinks)
{
    for (uint32_t i = 0; i < sinks->size; i++) {
        if (sinks->entry[i].id && sinks->entry[i].fd >= 0)
            close(sinks->entry[i].fd);
    }
    free(sinks->entry);
    *sinks = (struct sinks){ 0 };
}

/* A kernel without RWF_NOSIGNAL: the SIGPIPE of this thread's write is kept from the program. */
static ssize_t write_blocking_sigpipe(int fd, const void *data, size_t size)
{
    const struct timespec no_time = { 0 };
    sigset_t pipe_set, pending, old;
    bool was_pending;
    ssize_t written;
    int error;

    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
    written = write(fd, data, size);
    error = errno;
    if (written < 0 && error == EPIPE && !was_pending) {
        while (sigtimedwait(&pipe_set, NULL, &no_time) < 0 && errno == EINTR) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = error;
    return written;
}

static ssize_t write_nosignal(int fd, const void *data, size_t size)
{
    static _Atomic bool is_unsupported;
    struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
    ssize_t written;

    if (!atomic_load_explicit(&is_unsupported, memory_order_relaxed)) {
        written = pwritev2(fd, &iov, 1, -1, RWF_NOSIGNAL);
        if (written >= 0 || (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS))
            return written;
        atomic_store_explicit(&is_unsupported, true, memory_order_relaxed);
    }
    return write_blocking_sigpipe(fd, data, size);
}

int sinks_write(struct sinks *sinks, uint32_t id, uint32_t port)
{
    struct sinks_entry *entry = sinks_find(sinks, id);
    ssize_t written;

    do
        written = write_nosignal(entry->fd, &port, sizeof(port));
    while (written < 0 && errno == EINTR);
    if (written == sizeof(port))
        return 0;
    if (errno == EPIPE) {
        /* The place stays taken until the table grows, so that the search for others passes it. */
        close(entry->fd);
        entry->fd = -1;
        return -ESRCH;
    }
    return -errno;
}
