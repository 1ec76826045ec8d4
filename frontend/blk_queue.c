// SPDX-License-Identifier: MIT
/*
 * blk_queue.c: see blk_queue.h.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/blk_queue.h"

/* What a response's status means to the program. Anything else that a backend may send is an error too. */
static int status_errno(int16_t status)
{
    switch (status) {
    case BLKIF_RSP_OKAY:
        return 0;
    case BLKIF_RSP_EOPNOTSUPP:
        return -EOPNOTSUPP;
    default:
        return -EIO;
    }
}

int blk_queue_init(struct blk_queue *queue, uint32_t depth, struct xenfront_blk_stats *stats)
{
    memset(queue, 0, sizeof(*queue));
    queue->ios = calloc(depth, sizeof(*queue->ios));
    if (!queue->ios)
        return -ENOMEM;
    queue->depth = depth;
    queue->stats = stats;
    queue->tail = &queue->head;
    for (uint32_t i = depth; i--;) {
        queue->ios[i].next = queue->free;
        queue->free = &queue->ios[i];
    }
    return 0;
}

void blk_queue_fini(struct blk_queue *queue)
{
    free(queue->ios);
    queue->ios = NULL;
}

void blk_queue_connect(struct blk_queue *queue, void *ring_page, struct pool *pool, uint16_t handle)
{
    blk_ring_init(&queue->ring, ring_page);
    queue->pool = pool;
    queue->handle = handle;
    queue->most = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    queue->lists = NULL;
}

void blk_queue_indirect(struct blk_queue *queue, const struct region *lists, unsigned int most)
{
    if (most > BLKIF_SEGMENTS_MAX)
        most = BLKIF_SEGMENTS_MAX;
    if (most > queue->pool->region.count) /* a request that needs more would wait for ever */
        most = queue->pool->region.count;
    if (most <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return;
    queue->most = most;
    queue->lists = lists;
}

int blk_queue_add(struct blk_queue *queue, const struct blk_io *request)
{
    struct blk_io *io = queue->free;

    if (!io)
        return -EAGAIN;
    queue->free = io->next;
    *io = *request;
    if (request->cursor.iov == &request->single)
        io->cursor.iov = &io->single;
    io->next = NULL;
    io->is_waiting = true;
    io->left = io->length;
    if (io->busy)
        (*io->busy)++;
    *queue->tail = io;
    queue->tail = &io->next;
    queue->in_flight++;
    return 0;
}

static void io_complete(struct blk_queue *queue, struct blk_io *io, int status)
{
    struct xenfront_blk_stats *stats = queue->stats;
    xenfront_blk_fn fn = io->fn;
    void *cookie = io->cookie;

    stats->errors += status != 0;
    switch (io->operation) {
    case BLKIF_OP_READ:
        stats->reads++;
        stats->bytes_read += status ? 0 : io->length;
        break;
    case BLKIF_OP_WRITE:
        stats->writes++;
        stats->bytes_written += status ? 0 : io->length;
        break;
    case BLKIF_OP_DISCARD:
        stats->discards++;
        stats->bytes_discarded += status ? 0 : io->length;
        break;
    default:
        stats->flushes++;
    }
    if (io->busy)
        (*io->busy)--;
    io->next = queue->free;
    queue->free = io;
    queue->in_flight--;
    fn(cookie, status);
}

/* Fills in the pages for the data: the pool's, with a write's data copied in, or the program's own. */
static void part_fill(struct blk_queue *queue, struct blk_part *part, struct blkif_request_segment *segments)
{
    struct blk_io *io = part->io;
    const struct region *region = io->direct ? io->direct : &queue->pool->region;

    part->pages = io->direct ? 0 : part->cut.count;
    pool_take(queue->pool, part->page, part->pages);
    part->cursor = io->cursor;
    for (unsigned int i = 0; i < part->cut.count; i++) {
        const struct blk_piece *piece = &part->cut.piece[i];
        uint32_t page = io->direct ? piece->page : part->page[i];
        size_t bytes = ((size_t)piece->last_sector - piece->first_sector + 1) * XENFRONT_SECTOR_SIZE;

        if (!io->direct && io->operation == BLKIF_OP_WRITE)
            iov_copy_out(&io->cursor, region_page(region, page), bytes);
        segments[i].gref = region->refs[page];
        segments[i].first_sect = piece->first_sector;
        segments[i].last_sect = piece->last_sector;
    }
    if (!io->direct && io->operation == BLKIF_OP_READ)
        iov_skip(&io->cursor, part->cut.bytes);
}

/* As long as it may be, it is one request. */
static void discard_fill(struct blk_queue *queue, struct blk_part *part, struct blkif_request_discard *discard)
{
    part->cut.count = 0;
    part->cut.bytes = part->io->left;
    part->pages = 0;
    discard->operation = BLKIF_OP_DISCARD;
    discard->handle = queue->handle;
    discard->sector_number = part->io->sector;
    discard->nr_sectors = part->io->left / XENFRONT_SECTOR_SIZE;
}

/* Puts the next part of the oldest waiting request on the ring. False: no slot or not enough pages. */
static bool part_issue(struct blk_queue *queue, struct blk_io *io)
{
    const struct blk_cut *cut;
    union blk_request request;
    struct blk_part *part;
    uint32_t slot;

    if (!queue->ring.free_count)
        return false;
    slot = blk_ring_next(&queue->ring);
    part = &queue->part[slot];
    cut = &part->cut;
    blk_split(io->direct ? io->direct_at : 0, io->left, queue->most, &part->cut);
    if (!io->direct && io->operation != BLKIF_OP_DISCARD && cut->count > queue->pool->free)
        return false;
    part->io = io;
    memset(&request, 0, sizeof(request));
    if (io->operation == BLKIF_OP_DISCARD) {
        discard_fill(queue, part, &request.discard);
    } else if (cut->count > BLKIF_MAX_SEGMENTS_PER_REQUEST) {
        request.indirect.operation = BLKIF_OP_INDIRECT;
        request.indirect.indirect_op = io->operation;
        request.indirect.nr_segments = (uint16_t)cut->count;
        request.indirect.handle = queue->handle;
        request.indirect.sector_number = io->sector;
        request.indirect.indirect_grefs[0] = queue->lists->refs[slot];
        part_fill(queue, part, (struct blkif_request_segment *)region_page(queue->lists, slot));
    } else {
        request.plain.operation = io->operation;
        request.plain.nr_segments = (uint8_t)cut->count;
        request.plain.handle = queue->handle;
        request.plain.sector_number = io->sector;
        part_fill(queue, part, request.plain.seg);
    }
    blk_ring_put(&queue->ring, &request);
    io->parts++;
    io->left -= cut->bytes;
    io->sector += cut->bytes / XENFRONT_SECTOR_SIZE;
    io->direct_at += cut->bytes;
    queue->stats->ring_requests++;
    return true;
}

uint32_t blk_queue_issue(struct blk_queue *queue)
{
    uint32_t issued = 0;

    while (queue->head && part_issue(queue, queue->head)) {
        struct blk_io *io = queue->head;

        issued++;
        if (io->left)
            continue;
        io->is_waiting = false;
        queue->head = io->next;
        if (!queue->head)
            queue->tail = &queue->head;
    }
    return issued;
}

/* Gives the part's pages back; a read's data is copied out first, once, while they are still the part's. */
static void part_end(struct blk_queue *queue, struct blk_part *part, int status)
{
    struct blk_io *io = part->io;

    if (!status && part->pages && io->operation == BLKIF_OP_READ) {
        size_t left = part->cut.bytes;

        for (uint32_t i = 0; i < part->pages; i++) {
            size_t bytes = left < GRANT_SIZE ? left : GRANT_SIZE;

            iov_copy_in(&part->cursor, region_page(&queue->pool->region, part->page[i]), bytes);
            left -= bytes;
        }
    }
    pool_put(queue->pool, part->page, part->pages);
    part->io = NULL;
    if (status && !io->status)
        io->status = status;
    io->parts--;
}

int blk_queue_reap(struct blk_queue *queue, uint32_t max)
{
    struct blk_answer answer;
    int completed = 0, taken = 0;

    for (uint32_t i = 0; i < max; i++) {
        struct blk_io *io;

        taken = blk_ring_take(&queue->ring, &answer);
        if (taken <= 0)
            break;
        queue->stats->ring_responses++;
        io = queue->part[answer.slot].io;
        part_end(queue, &queue->part[answer.slot], status_errno(answer.status));
        if (io->parts || io->is_waiting)
            continue;
        io_complete(queue, io, io->status);
        completed++;
    }
    return taken < 0 ? taken : completed;
}

int blk_queue_abort(struct blk_queue *queue, int status)
{
    struct blk_io *doomed;
    int completed = 0;

    /* First everything leaves the tables, then callbacks run: what they add is refused by then. */
    for (uint32_t i = 0; i < BLK_RING_SLOTS; i++) {
        struct blk_part *part = &queue->part[i];
        struct blk_io *io = part->io;

        if (!io)
            continue;
        part_end(queue, part, status);
        if (!io->parts && !io->is_waiting) {
            io->is_waiting = true;
            *queue->tail = io;
            queue->tail = &io->next;
            io->next = NULL;
        }
    }
    doomed = queue->head;
    queue->head = NULL;
    queue->tail = &queue->head;
    while (doomed) {
        struct blk_io *io = doomed;

        doomed = io->next;
        io_complete(queue, io, io->status ? io->status : status);
        completed++;
    }
    return completed;
}
