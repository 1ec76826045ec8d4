// SPDX-License-Identifier: MIT
/*
 * blk_request.c: the stations of one request. Which comes when, and for how many at once, is blk_queue.c's.
 */
#include <config.h>

#include "backend/blk/blk_request.h"

#include <errno.h>
#include <string.h>

#include "backend/blk/blk_loan.h"
#include "backend/blk/blk_queue.h"
#include "backend/disk/engine.h"
#include "backend/worker.h"
#include "common/log.h"

static const enum disk_op disk_ops[] = {
    [BLKIF_OP_READ] = DISK_READ,
    [BLKIF_OP_WRITE] = DISK_WRITE,
    [BLKIF_OP_FLUSH_DISKCACHE] = DISK_FLUSH,
    [BLKIF_OP_DISCARD] = DISK_DISCARD,
};

static void on_done(struct disk_io *io, int error)
{
    struct blk_request *request = (struct blk_request *)((char *)io - offsetof(struct blk_request, io));

    request->error = error;
    blk_queue_request_done(request->queue, request);
}

bool blk_request_accept(struct blk_request *request)
{
    struct blkif_command *command = &request->record->command;
    struct blk_queue *queue = request->queue;
    struct disk_io *io = &request->io;

    request->error = 0;
    request->data = NULL;
    request->is_window = false;
    request->is_loan = false;
    request->verdict = blkif_command_check(command, &queue->limits);
    if (request->verdict != BLKIF_VERDICT_OK)
        return true;
    io->op = disk_ops[command->operation];
    io->offset_bytes = command->sector * BLKIF_SECTOR_BYTES;
    io->length_bytes = command->sectors * BLKIF_SECTOR_BYTES;
    io->done = on_done;
    io->iov_count = 0;
    if (io->op == DISK_DISCARD)
        io->length_bytes = command->discard_sectors * BLKIF_SECTOR_BYTES;
    if (queue->is_void || command->sectors == 0)
        return true;
    request->data = disk_window(queue->disk, io->op, io->offset_bytes, io->length_bytes);
    request->is_window = request->data != NULL;
    if (!request->data && queue->loans && blk_loan_take(request))
        return true;
    if (!request->data)
        request->data = buffer_pool_take(engine_buffers(queue->worker->engine), &queue->waiter);
    request->iov.iov_base = request->data;
    request->iov.iov_len = io->length_bytes;
    io->iov = &request->iov;
    io->iov_count = 1;
    return request->data != NULL;
}

static bool has_work(const struct blk_request *request, enum disk_op op)
{
    return request->verdict == BLKIF_VERDICT_OK && !request->error && request->io.op == op;
}

/* No data moves, but a request with a bad grant fails on this disk as on any other. */
static void touch(struct blk_request *request, struct grant_io *grants)
{
    const struct blkif_command *command = &request->record->command;

    if (request->verdict != BLKIF_VERDICT_OK)
        return;
    for (unsigned int i = 0; i < command->segment_count; i++)
        grant_io_touch(grants, command->seg[i].gref, &request->error);
}

void blk_request_fill(struct blk_request *request, struct grant_io *grants)
{
    const struct blkif_command *command = &request->record->command;
    char *at = request->data;

    if (request->queue->is_void)
        touch(request, grants);
    if (!at || !has_work(request, DISK_WRITE))
        return;
    for (unsigned int i = 0; i < command->segment_count; i++) {
        const struct blkif_request_segment *segment = &command->seg[i];
        uint32_t bytes = blkif_segment_sectors(segment) * BLKIF_SECTOR_BYTES;

        grant_io_get(grants, segment->gref, segment->first_sect * BLKIF_SECTOR_BYTES, bytes, at,
                     &request->error);
        at += bytes;
    }
}

void blk_request_empty(struct blk_request *request, struct grant_io *grants)
{
    const struct blkif_command *command = &request->record->command;
    const char *at = request->data;

    if (!at || !has_work(request, DISK_READ))
        return;
    for (unsigned int i = 0; i < command->segment_count; i++) {
        const struct blkif_request_segment *segment = &command->seg[i];
        uint32_t bytes = blkif_segment_sectors(segment) * BLKIF_SECTOR_BYTES;

        grant_io_put(grants, segment->gref, segment->first_sect * BLKIF_SECTOR_BYTES, bytes, at,
                     &request->error);
        at += bytes;
    }
}

bool blk_request_submit(struct blk_request *request)
{
    struct blk_queue *queue = request->queue;

    if (request->verdict != BLKIF_VERDICT_OK || request->error || request->is_window)
        return false;
    if (queue->is_void && request->io.op != DISK_FLUSH)
        return false;
    disk_submit(queue->disk, queue->worker->engine, &request->io);
    return true;
}

static const char *failure_text(const struct blk_request *request)
{
    if (request->verdict != BLKIF_VERDICT_OK)
        return blkif_verdict_text(request->verdict);
    /* Disks work on memory of ours, so a bad address is the guest's. */
    return request->error == -EFAULT ? "a granted page cannot be copied" : strerror(-request->error);
}

static void log_failure(const struct blk_request *request)
{
    const struct blkif_command *command = &request->record->command;
    const bool is_discard = command->operation == BLKIF_OP_DISCARD && !command->is_indirect;

    log_limited(&request->queue->log_limit, LOG_LEVEL_WARNING, request->queue->label,
                "%s of %llu %s at sector %llu: %s", blkif_operation_name(command->operation),
                is_discard ? (unsigned long long)command->discard_sectors : command->segment_count,
                is_discard ? "sectors" : "segments", (unsigned long long)command->sector, failure_text(request));
}

/* What a disk turns out not to be able to do, though it looked as if it were, its frontend need not try again. */
static int16_t failure_status(const struct blk_request *request)
{
    if (request->verdict != BLKIF_VERDICT_OK)
        return blkif_verdict_status(request->verdict);
    return request->io.op == DISK_DISCARD && request->error == -EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP
                                                                            : BLKIF_RSP_ERROR;
}

static void count_success(struct queue_counters *counters, const struct disk_io *io)
{
    switch (io->op) {
    case DISK_READ:
        counters->reads++;
        counters->bytes_read += io->length_bytes;
        break;
    case DISK_WRITE:
        counters->writes++;
        counters->bytes_written += io->length_bytes;
        break;
    case DISK_FLUSH:
        counters->flushes++;
        break;
    case DISK_DISCARD:
        counters->discards++;
        counters->bytes_discarded += io->length_bytes;
        break;
    }
}

int16_t blk_request_finish(struct blk_request *request)
{
    struct blk_queue *queue = request->queue;

    blk_loan_give(request);
    if (request->data && !request->is_window)
        buffer_pool_give(engine_buffers(queue->worker->engine), request->data);
    request->data = NULL;
    if (request->verdict == BLKIF_VERDICT_OK && !request->error) {
        count_success(&queue->counters, &request->io);
        return BLKIF_RSP_OKAY;
    }
    queue->counters.errors++;
    log_failure(request);
    return failure_status(request);
}
