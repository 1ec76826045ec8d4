// SPDX-License-Identifier: MIT
/*
 * blk_io.c: requests of the program, checked and handed to the queue, and buffers that are granted as they
 * are.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/blkfront.h"
#include "frontend/quiet.h"

/* So many prepared requests reach the backend without waiting for more: it works on them meanwhile. */
#define PUBLISH_EARLY 8u

struct xenfront_buffer {
    struct xenfront_blk *blk;
    struct region region;
    xengntshr_handle *shr; /* of its own: the buffer may be freed after the connection */
    uint32_t busy; /* requests that use it */
    size_t length;
};

static int range_check(struct xenfront_blk *blk, const char *what, uint64_t length, uint64_t offset)
{
    uint32_t unit = blk->info.sector_size;

    if (!length || length % unit || offset % unit)
        return front_error_set(&blk->front.error, -EINVAL,
                               "%s: multiples of the sector size %" PRIu32 " expected, found %" PRIu64
                               " bytes at %" PRIu64,
                               what, unit, length, offset);
    if (offset > blk->info.size_bytes || length > blk->info.size_bytes - offset)
        return front_error_set(&blk->front.error, -EINVAL,
                               "%s: a range on a disk of %" PRIu64 " bytes expected, found %" PRIu64
                               " bytes at %" PRIu64,
                               what, blk->info.size_bytes, length, offset);
    return 0;
}

/* Checks and queues a request for a range, whose place of data is filled in if it has any. */
static int range_add(struct xenfront_blk *blk, const char *what, struct blk_io *io, uint64_t offset)
{
    int err = front_check(&blk->front);

    if (err < 0)
        return err;
    err = range_check(blk, what, io->length, offset);
    if (err < 0)
        return err;
    if (io->operation != BLKIF_OP_READ && blk->info.is_readonly)
        return front_error_set(&blk->front.error, -EROFS, "%s: the disk is read-only", what);
    io->sector = offset / XENFRONT_SECTOR_SIZE;
    err = blk_queue_add(&blk->queue, io);
    if (err < 0 || ++blk->unpublished < PUBLISH_EARLY)
        return err;
    blk_push(&blk->front);
    return 0;
}

static int transfer_add(struct xenfront_blk *blk, struct blk_io *io, uint64_t offset)
{
    return range_add(blk, io->operation == BLKIF_OP_READ ? "read" : "write", io, offset);
}

static int contiguous(struct xenfront_blk *blk, uint8_t operation, const void *data, size_t length,
                      uint64_t offset, xenfront_blk_fn fn, void *cookie)
{
    struct blk_io io = {
        .operation = operation,
        .length = length,
        .single = { .iov_base = (void *)data, .iov_len = length },
        .fn = fn,
        .cookie = cookie,
    };

    io.cursor.iov = &io.single;
    return transfer_add(blk, &io, offset);
}

static int vectored(struct xenfront_blk *blk, uint8_t operation, const struct iovec *iov, int count,
                    uint64_t offset, xenfront_blk_fn fn, void *cookie)
{
    struct blk_io io = {
        .operation = operation,
        .length = iov_length(iov, count),
        .cursor = { .iov = iov },
        .fn = fn,
        .cookie = cookie,
    };

    return transfer_add(blk, &io, offset);
}

static int direct(struct xenfront_blk *blk, uint8_t operation, struct xenfront_buffer *buffer, size_t at,
                  size_t length, uint64_t offset, xenfront_blk_fn fn, void *cookie)
{
    struct blk_io io = {
        .operation = operation,
        .length = length,
        .direct = &buffer->region,
        .direct_at = at,
        .busy = &buffer->busy,
        .fn = fn,
        .cookie = cookie,
    };

    if (buffer->blk != blk || at > buffer->length || length > buffer->length - at ||
        (blk->has_info && at % blk->info.sector_size))
        return front_error_set(&blk->front.error, -EINVAL,
                               "a range in a buffer of this device expected, found %zu bytes at %zu of %zu",
                               length, at, buffer->length);
    return transfer_add(blk, &io, offset);
}

int xenfront_blk_read(struct xenfront_blk *blk, void *data, size_t length, uint64_t offset,
                      xenfront_blk_fn fn, void *cookie)
{
    return contiguous(blk, BLKIF_OP_READ, data, length, offset, fn, cookie);
}

int xenfront_blk_write(struct xenfront_blk *blk, const void *data, size_t length, uint64_t offset,
                       xenfront_blk_fn fn, void *cookie)
{
    return contiguous(blk, BLKIF_OP_WRITE, data, length, offset, fn, cookie);
}

int xenfront_blk_readv(struct xenfront_blk *blk, const struct iovec *iov, int count, uint64_t offset,
                       xenfront_blk_fn fn, void *cookie)
{
    return vectored(blk, BLKIF_OP_READ, iov, count, offset, fn, cookie);
}

int xenfront_blk_writev(struct xenfront_blk *blk, const struct iovec *iov, int count, uint64_t offset,
                        xenfront_blk_fn fn, void *cookie)
{
    return vectored(blk, BLKIF_OP_WRITE, iov, count, offset, fn, cookie);
}

int xenfront_blk_read_buffer(struct xenfront_blk *blk, struct xenfront_buffer *buffer, size_t at,
                             size_t length, uint64_t offset, xenfront_blk_fn fn, void *cookie)
{
    return direct(blk, BLKIF_OP_READ, buffer, at, length, offset, fn, cookie);
}

int xenfront_blk_write_buffer(struct xenfront_blk *blk, struct xenfront_buffer *buffer, size_t at,
                              size_t length, uint64_t offset, xenfront_blk_fn fn, void *cookie)
{
    return direct(blk, BLKIF_OP_WRITE, buffer, at, length, offset, fn, cookie);
}

int xenfront_blk_flush(struct xenfront_blk *blk, xenfront_blk_fn fn, void *cookie)
{
    struct blk_io io = { .operation = BLKIF_OP_FLUSH_DISKCACHE, .fn = fn, .cookie = cookie };
    int err = front_check(&blk->front);

    if (err < 0)
        return err;
    if (!blk->info.has_flush)
        return front_error_set(&blk->front.error, -EOPNOTSUPP, "flush: the backend does not offer it");
    return blk_queue_add(&blk->queue, &io);
}

int xenfront_blk_discard(struct xenfront_blk *blk, uint64_t length, uint64_t offset, xenfront_blk_fn fn,
                         void *cookie)
{
    struct blk_io io = { .operation = BLKIF_OP_DISCARD, .length = length, .fn = fn, .cookie = cookie };
    int err = front_check(&blk->front);

    if (err < 0)
        return err;
    if (!blk->info.has_discard)
        return front_error_set(&blk->front.error, -EOPNOTSUPP, "discard: the backend does not offer it");
    return range_add(blk, "discard", &io, offset);
}

int xenfront_blk_submit(struct xenfront_blk *blk)
{
    int err = front_check(&blk->front);

    return err < 0 ? err : (int)blk_push(&blk->front);
}

struct xenfront_buffer *xenfront_buffer_new(struct xenfront_blk *blk, size_t length)
{
    struct xenfront_buffer *buffer = NULL;
    size_t pages = length / GRANT_SIZE + (length % GRANT_SIZE != 0);
    int err = front_check(&blk->front);

    if (err < 0)
        goto fail;
    err = -EINVAL;
    if (!pages || pages > INT32_MAX)
        goto fail;
    err = -ENOMEM;
    buffer = calloc(1, sizeof(*buffer));
    if (!buffer)
        goto fail;
    buffer->shr = xengntshr_open(&quiet_logger, 0);
    err = buffer->shr
              ? region_init(&buffer->region, buffer->shr, blk->front.attach.backend_domid, (uint32_t)pages)
              : -errno;
    if (err < 0) {
        front_error_set(&blk->front.error, err,
                        "cannot grant a buffer of %zu pages to domain %" PRIu32 ": %s", pages,
                        blk->front.attach.backend_domid, strerror(-err));
        goto fail;
    }
    buffer->blk = blk;
    buffer->length = length;
    return buffer;
fail:
    xenfront_buffer_free(buffer);
    errno = -err;
    return NULL;
}

void *xenfront_buffer_data(const struct xenfront_buffer *buffer)
{
    return buffer->region.base;
}

size_t xenfront_buffer_length(const struct xenfront_buffer *buffer)
{
    return buffer->length;
}

int xenfront_buffer_free(struct xenfront_buffer *buffer)
{
    if (!buffer)
        return 0;
    if (buffer->busy)
        return -EBUSY;
    if (buffer->blk)
        buffer->blk->stats.quarantined_pages += region_fini(&buffer->region);
    if (buffer->shr)
        xengntshr_close(buffer->shr);
    free(buffer);
    return 0;
}
