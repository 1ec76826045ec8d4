// SPDX-License-Identifier: MIT
/*
 * engine.c: what both kinds of engine have in common: the line of waiting requests, short transfers, retries,
 * and calling done() from the loop.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/disk/engine_kind.h"
#include "backend/disk/faults.h"
#include "common/log.h"

#define ENGINE_TRIES 1000u /* of a request that the kernel keeps sending back with EAGAIN or EINTR */

/* In the order in which ENGINE_AUTO tries them. */
static const struct {
    enum engine_kind kind;
    const struct engine_ops *ops;
} candidates[] = {
    { ENGINE_IO_URING, &engine_ops_uring },
    { ENGINE_LIBAIO, &engine_ops_aio },
};

static void run_finished(struct engine *engine)
{
    struct disk_io *io;

    while ((io = disk_io_list_take(&engine->finished)))
        io->done(io, io->error);
}

static void on_finish(evutil_socket_t fd, short what, void *arg)
{
    run_finished(arg);
}

static int open_first(struct engine *engine, enum engine_kind kind)
{
    int ret = -EINVAL;

    for (unsigned int i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        if (kind != ENGINE_AUTO && kind != candidates[i].kind)
            continue;
        engine->ops = candidates[i].ops;
        ret = engine->ops->open(engine);
        if (ret == 0)
            return 0;
        log_warning(NULL, "%s cannot be used here: %s%s", engine->ops->name, strerror(-ret),
                    candidates[i].kind == ENGINE_IO_URING ? " (see /proc/sys/kernel/io_uring_disabled)" : "");
    }
    engine->ops = NULL;
    return ret;
}

int engine_create(struct engine **result, struct event_base *base, enum engine_kind kind)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    int ret = -ENOMEM;

    if (!engine)
        return ret;
    engine->base = base;
    engine->finish_event = event_new(base, -1, 0, on_finish, engine);
    if (!engine->finish_event)
        goto fail;
    ret = buffer_pool_init(&engine->buffers);
    if (ret)
        goto fail;
    ret = mailbox_init(&engine->mailbox, base);
    if (ret)
        goto fail;
    ret = open_first(engine, kind);
    if (ret)
        goto fail;
    *result = engine;
    return 0;
fail:
    engine_destroy(engine);
    return ret;
}

void engine_destroy(struct engine *engine)
{
    if (!engine)
        return;
    mailbox_fini(&engine->mailbox);
    if (engine->ops)
        engine->ops->close(engine);
    faults_destroy(engine->faults);
    if (engine->finish_event)
        event_free(engine->finish_event);
    buffer_pool_fini(&engine->buffers);
    free(engine);
}

const char *engine_name(const struct engine *engine)
{
    return engine->ops->name;
}

unsigned int engine_in_flight(const struct engine *engine)
{
    return engine->in_flight;
}

struct buffer_pool *engine_buffers(struct engine *engine)
{
    return &engine->buffers;
}

void engine_submit(struct engine *engine, struct disk_io *io)
{
    disk_io_list_append(&engine->waiting, io);
}

void engine_turn(struct engine *engine)
{
    unsigned int started;

    do {
        engine->ops->reap(engine);
        started = engine->waiting.first ? engine->ops->start(engine) : 0;
    } while (started > 0);
    run_finished(engine);
}

void engine_start(struct engine *engine)
{
    if (engine->waiting.first)
        engine_turn(engine);
}

void engine_poll(struct engine *engine)
{
    if (engine->in_flight > 0 || engine->finished.first)
        engine_turn(engine);
}

static void io_finish(struct engine *engine, struct disk_io *io, int error)
{
    io->error = error;
    disk_io_list_append(&engine->finished, io);
}

void engine_finish(struct engine *engine, struct disk_io *io, int error)
{
    if (!engine->finished.first)
        event_active(engine->finish_event, EV_TIMEOUT, 0);
    io_finish(engine, io, error);
}

/* Drops the bytes that were moved from the front of the vector; false when none are left to move. */
static bool io_advance(struct disk_io *io, size_t bytes)
{
    io->offset_bytes += bytes;
    while (io->iov_count > 0 && bytes >= io->iov->iov_len) {
        bytes -= io->iov->iov_len;
        io->iov++;
        io->iov_count--;
    }
    if (io->iov_count == 0)
        return false;
    io->iov->iov_base = (char *)io->iov->iov_base + bytes;
    io->iov->iov_len -= bytes;
    return true;
}

static void offload_done(struct letter *letter)
{
    struct disk_io *io = (struct disk_io *)((char *)letter - offsetof(struct disk_io, job.done));
    struct engine *engine = io->engine;

    engine->in_flight--;
    engine_complete(engine, io, io->result);
    engine_turn(engine);
}

void engine_offload(struct engine *engine, struct disk_io *io)
{
    engine->in_flight++;
    io->engine = engine;
    io->job.done.deliver = offload_done;
    io->job.reply_to = &engine->mailbox;
    offload_post(&io->job);
}

struct disk_io *engine_take(struct engine *engine)
{
    struct disk_io *io = disk_io_list_take(&engine->waiting);

    if (engine->faults && io)
        faults_before(engine->faults, io);
    return io;
}

void engine_return(struct engine *engine, struct disk_io *io)
{
    if (engine->faults)
        faults_undo(io);
    disk_io_list_return(&engine->waiting, io);
}

static void io_complete(struct engine *engine, struct disk_io *io, int64_t result)
{
    if ((result == -EINTR || result == -EAGAIN) && io->tries++ < ENGINE_TRIES) {
        engine_submit(engine, io);
    } else if (result < 0) {
        io_finish(engine, io, (int)result);
    } else if (io->iov_count == 0 || !io_advance(io, result)) {
        io_finish(engine, io, 0);
    } else if (result == 0) {
        io_finish(engine, io, -EIO); /* the file ended where the disk does not: somebody truncated it */
    } else {
        engine_submit(engine, io);
    }
}

void engine_complete(struct engine *engine, struct disk_io *io, int64_t result)
{
    if (!engine->faults || !faults_after(engine->faults, io, &result))
        io_complete(engine, io, result);
}

static void on_late(void *arg, struct disk_io *io, int64_t result)
{
    struct engine *engine = arg;

    io_complete(engine, io, result);
    engine_turn(engine);
}

int engine_misbehave(struct engine *engine, const char *plan_text, char *reason, size_t reason_size)
{
    struct faults_plan plan;
    int ret = faults_parse(&plan, plan_text, reason, reason_size);

    if (ret || strcmp(plan_text, "none") == 0)
        return ret;
    ret = faults_create(&engine->faults, &plan, engine->base, on_late, engine);
    if (ret)
        snprintf(reason, reason_size, "no memory");
    return ret;
}
