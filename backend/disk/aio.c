// SPDX-License-Identifier: MIT
/*
 * aio.c: the engine over libaio, for systems that forbid io_uring. libaio is asynchronous only for files that
 * bypass the page cache; transfers through the cache, and syncs where the file system has no asynchronous one,
 * go to the offload pool.
 */
#include <config.h>

#include <errno.h>
#include <libaio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend/disk/engine_kind.h"

#define BATCH 64
#define RETRY_MS 1 /* until the kernel has room again though nothing of ours is in flight */

struct aio {
    io_context_t context;
    int eventfd;
    struct event *readable;
    struct event *retry;
    struct iocb iocb[ENGINE_DEPTH];
    struct iocb *free[ENGINE_DEPTH]; /* a stack: ENGINE_DEPTH - in_flight of them */
    unsigned int free_count;
};

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    uint64_t count;

    if (read(fd, &count, sizeof(count)) == sizeof(count))
        engine_turn(arg);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    engine_turn(arg);
}

/* Offload thread. */
static void transfer_work(struct offload_job *job)
{
    struct disk_io *io = (struct disk_io *)((char *)job - offsetof(struct disk_io, job));
    ssize_t moved;

    if (io->op == DISK_FLUSH)
        moved = fdatasync(io->fd);
    else if (io->op == DISK_READ)
        moved = preadv(io->fd, io->iov, (int)io->iov_count, (off_t)io->offset_bytes);
    else
        moved = pwritev(io->fd, io->iov, (int)io->iov_count, (off_t)io->offset_bytes);
    io->result = moved < 0 ? -errno : moved;
}

static void offload(struct engine *engine, struct disk_io *io)
{
    if (!engine_must_offload(io))
        io->job.work = transfer_work;
    engine_offload(engine, io);
}

static void prepare(struct aio *aio, struct iocb *iocb, struct disk_io *io)
{
    if (io->op == DISK_FLUSH)
        io_prep_fdsync(iocb, io->fd);
    else if (io->op == DISK_READ)
        io_prep_preadv(iocb, io->fd, io->iov, (int)io->iov_count, (long long)io->offset_bytes);
    else
        io_prep_pwritev(iocb, io->fd, io->iov, (int)io->iov_count, (long long)io->offset_bytes);
    io_set_eventfd(iocb, aio->eventfd);
    iocb->data = io;
}

/* The kernel refused the first of the batch. Only a file that has no such operation gives -EINVAL here. */
static void refused(struct engine *engine, struct iocb *iocb, int error)
{
    struct aio *aio = engine->priv;
    struct disk_io *io = iocb->data;

    aio->free[aio->free_count++] = iocb;
    engine->in_flight--;
    if (error == -EINVAL)
        offload(engine, io);
    else
        engine_complete(engine, io, error);
}

/* Gives the kernel count iocbs in order; those it has no room for go back to the front of the line. */
static unsigned int submit(struct engine *engine, struct iocb **batch, unsigned int count)
{
    static const struct timeval soon = { .tv_usec = RETRY_MS * 1000 };
    struct aio *aio = engine->priv;
    unsigned int sent = 0;

    while (sent < count) {
        int ret = io_submit(aio->context, (long)(count - sent), batch + sent);

        if (ret > 0) {
            sent += (unsigned int)ret;
        } else if (ret == -EAGAIN) {
            break;
        } else {
            refused(engine, batch[sent], ret ? ret : -EIO);
            sent++;
        }
    }
    for (unsigned int i = count; i > sent; i--) {
        engine_return(engine, batch[i - 1]->data);
        aio->free[aio->free_count++] = batch[i - 1];
        engine->in_flight--;
    }
    if (sent < count)
        event_add(aio->retry, &soon);
    return sent;
}

static unsigned int aio_start(struct engine *engine)
{
    struct aio *aio = engine->priv;
    struct iocb *batch[BATCH];
    unsigned int count = 0, started = 0;

    while (engine->waiting.first && aio->free_count > 0 && count < BATCH) {
        struct disk_io *io = engine_take(engine);

        if (!io->is_direct || engine_must_offload(io)) {
            offload(engine, io);
            started++;
            continue;
        }
        engine->in_flight++;
        batch[count] = aio->free[--aio->free_count];
        prepare(aio, batch[count], io);
        count++;
    }
    return started + submit(engine, batch, count);
}

static void aio_reap(struct engine *engine)
{
    static struct timespec now; /* zero: libaio then looks at the ring without a system call */
    struct aio *aio = engine->priv;
    struct io_event events[BATCH];
    int count;

    do {
        count = io_getevents(aio->context, 0, BATCH, events, &now);
        for (int i = 0; i < count; i++) {
            struct iocb *iocb = events[i].obj;

            aio->free[aio->free_count++] = iocb;
            engine->in_flight--;
            engine_complete(engine, iocb->data, (int64_t)events[i].res);
        }
    } while (count == BATCH);
}

static void aio_close(struct engine *engine)
{
    struct aio *aio = engine->priv;

    if (!aio)
        return;
    if (aio->readable)
        event_free(aio->readable);
    if (aio->retry)
        event_free(aio->retry);
    if (aio->eventfd >= 0)
        close(aio->eventfd);
    if (aio->context)
        io_destroy(aio->context);
    engine->priv = NULL;
    free(aio);
}

static int aio_open(struct engine *engine)
{
    struct aio *aio = calloc(1, sizeof(*aio));
    int ret = -ENOMEM;

    if (!aio)
        return ret;
    engine->priv = aio;
    for (unsigned int i = 0; i < ENGINE_DEPTH; i++)
        aio->free[aio->free_count++] = &aio->iocb[i];
    aio->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (aio->eventfd < 0) {
        ret = -errno;
        goto fail;
    }
    ret = io_setup(ENGINE_DEPTH, &aio->context);
    if (ret)
        goto fail;
    ret = -ENOMEM;
    aio->readable = event_new(engine->base, aio->eventfd, EV_READ | EV_PERSIST, on_readable, engine);
    aio->retry = event_new(engine->base, -1, 0, on_retry, engine);
    if (!aio->readable || !aio->retry || event_add(aio->readable, NULL))
        goto fail;
    return 0;
fail:
    aio_close(engine);
    return ret;
}

const struct engine_ops engine_ops_aio = {
    .name = "libaio",
    .open = aio_open,
    .close = aio_close,
    .start = aio_start,
    .reap = aio_reap,
};
