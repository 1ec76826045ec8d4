// SPDX-License-Identifier: MIT
/*
 * uring.c: the engine over io_uring. One ring a worker, watched through its own descriptor, which is readable
 * while completions wait. Transfers that lie in a registered chunk of the buffer pool use it.
 *
 * Only buffers of our own are ever given to the kernel: a process that dies with io_uring requests on granted
 * pages leaves dom0 damaged.
 */
#include <config.h>

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "backend/disk/engine_kind.h"

#define RETRY_MS 1 /* until the kernel has memory for requests again */

struct uring {
    struct io_uring ring;
    struct event *readable;
    struct event *retry;
};

static bool on_chunk(void *arg, unsigned int chunk, void *memory)
{
    struct uring *uring = arg;
    struct iovec iov = { .iov_base = memory, .iov_len = BUFFER_POOL_CHUNK_BYTES };

    return io_uring_register_buffers_update_tag(&uring->ring, chunk, &iov, NULL, 1) == 1;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    engine_turn(arg);
}

static void prepare(struct engine *engine, struct io_uring_sqe *sqe, struct disk_io *io)
{
    const struct iovec *iov = io->iov;
    int chunk = -1;

    if (io->op != DISK_FLUSH && io->iov_count == 1)
        chunk = buffer_pool_chunk(&engine->buffers, iov->iov_base, iov->iov_len);
    if (io->op == DISK_FLUSH)
        io_uring_prep_fsync(sqe, io->fd, IORING_FSYNC_DATASYNC);
    else if (chunk >= 0 && io->op == DISK_READ)
        io_uring_prep_read_fixed(sqe, io->fd, iov->iov_base, iov->iov_len, io->offset_bytes, chunk);
    else if (chunk >= 0)
        io_uring_prep_write_fixed(sqe, io->fd, iov->iov_base, iov->iov_len, io->offset_bytes, chunk);
    else if (io->op == DISK_READ)
        io_uring_prep_readv(sqe, io->fd, iov, io->iov_count, io->offset_bytes);
    else
        io_uring_prep_writev(sqe, io->fd, iov, io->iov_count, io->offset_bytes);
    io_uring_sqe_set_data(sqe, io);
}

/* What was prepared stays in the ring until the kernel takes it: now, after a completion, or at the retry. */
static void submit(struct uring *uring)
{
    static const struct timeval soon = { .tv_usec = RETRY_MS * 1000 };

    io_uring_submit(&uring->ring);
    if (io_uring_sq_ready(&uring->ring))
        event_add(uring->retry, &soon);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct engine *engine = arg;

    submit(engine->priv);
    engine_turn(engine);
}

static unsigned int uring_start(struct engine *engine)
{
    struct uring *uring = engine->priv;
    unsigned int started = 0;

    while (engine->waiting.first && engine->in_flight < ENGINE_DEPTH) {
        struct io_uring_sqe *sqe;

        if (engine_must_offload(engine->waiting.first)) {
            engine_offload(engine, engine_take(engine));
            continue;
        }
        sqe = io_uring_get_sqe(&uring->ring);
        if (!sqe)
            break;
        prepare(engine, sqe, engine_take(engine));
        engine->in_flight++;
        started++;
    }
    if (started > 0)
        submit(uring);
    return started;
}

static void uring_reap(struct engine *engine)
{
    struct uring *uring = engine->priv;
    struct io_uring_cqe *cqe;
    unsigned int head, count = 0;

    io_uring_for_each_cqe(&uring->ring, head, cqe)
    {
        engine->in_flight--;
        engine_complete(engine, io_uring_cqe_get_data(cqe), cqe->res);
        count++;
    }
    if (count > 0)
        io_uring_cq_advance(&uring->ring, count);
}

static void uring_close(struct engine *engine)
{
    struct uring *uring = engine->priv;

    if (!uring)
        return;
    if (uring->readable)
        event_free(uring->readable);
    if (uring->retry)
        event_free(uring->retry);
    io_uring_queue_exit(&uring->ring);
    engine->buffers.on_chunk = NULL;
    engine->priv = NULL;
    free(uring);
}

static int uring_open(struct engine *engine)
{
    struct uring *uring = calloc(1, sizeof(*uring));
    int ret;

    if (!uring)
        return -ENOMEM;
    /* Completions need no interrupt of the worker: it looks when it comes by. Older kernels do not know that. */
    ret = io_uring_queue_init(ENGINE_DEPTH, &uring->ring, IORING_SETUP_COOP_TASKRUN);
    if (ret == -EINVAL)
        ret = io_uring_queue_init(ENGINE_DEPTH, &uring->ring, 0);
    if (ret) {
        free(uring);
        return ret;
    }
    engine->priv = uring;
    uring->readable = event_new(engine->base, uring->ring.ring_fd, EV_READ | EV_PERSIST, on_readable, engine);
    uring->retry = event_new(engine->base, -1, 0, on_retry, engine);
    if (!uring->readable || !uring->retry || event_add(uring->readable, NULL)) {
        uring_close(engine);
        return -ENOMEM;
    }
    if (io_uring_register_buffers_sparse(&uring->ring, BUFFER_POOL_CHUNKS) == 0) {
        engine->buffers.on_chunk = on_chunk;
        engine->buffers.on_chunk_arg = uring;
    }
    return 0;
}

const struct engine_ops engine_ops_uring = {
    .name = "io_uring",
    .open = uring_open,
    .close = uring_close,
    .start = uring_start,
    .reap = uring_reap,
};
