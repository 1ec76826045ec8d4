// SPDX-License-Identifier: MIT
/*
 * frame_ring.c: one a worker, counted.
 *
 * With RWF_NOWAIT the kernel does each transfer while it takes it in, and copies meanwhile: nothing stays with it that
 * a dying process could leave behind. Whatever it has not done so, for any reason, is done with a plain call.
 */
#include <config.h>

#include "backend/port/frame_ring.h"

#include <errno.h>
#include <limits.h>
#include <liburing.h>
#include <stdlib.h>
#include <unistd.h>

#define NOT_DONE INT_MIN /* no errno, no length */
#define ALONE 1u /* a batch of so many costs less with a plain call */

struct frame_op {
    int fd;
    bool is_write;
    uint32_t length_bytes;
    void *bytes;
};

struct frame_ring {
    struct io_uring uring;
    bool has_uring;
    bool is_run; /* what is in op is over */
    unsigned int count;
    struct frame_op op[FRAME_RING_DEPTH];
    int32_t result[FRAME_RING_DEPTH];
};

static _Thread_local struct frame_ring *shared;
static _Thread_local unsigned int users;

/* The flag keeps one bad transfer from ending a batch; kernels that know it (5.18) know the operations, too. */
static bool open_uring(struct frame_ring *ring)
{
    return io_uring_queue_init(FRAME_RING_DEPTH, &ring->uring, IORING_SETUP_SUBMIT_ALL) == 0;
}

static void close_uring(struct frame_ring *ring)
{
    if (ring->has_uring)
        io_uring_queue_exit(&ring->uring);
    ring->has_uring = false;
}

struct frame_ring *frame_ring_get(void)
{
    if (!shared) {
        shared = calloc(1, sizeof(*shared));
        if (!shared)
            return NULL;
        shared->has_uring = open_uring(shared);
    }
    users++;
    return shared;
}

void frame_ring_put(void)
{
    if (--users > 0)
        return;
    close_uring(shared);
    free(shared);
    shared = NULL;
}

void frame_ring_use_plain_calls(struct frame_ring *ring)
{
    close_uring(ring);
}

static void add(struct frame_ring *ring, const struct frame_op *op)
{
    if (ring->is_run)
        ring->count = 0;
    ring->is_run = false;
    ring->op[ring->count++] = *op;
}

void frame_ring_read(struct frame_ring *ring, int fd, void *bytes, uint32_t length_bytes)
{
    add(ring, &(struct frame_op){ .fd = fd, .bytes = bytes, .length_bytes = length_bytes });
}

void frame_ring_write(struct frame_ring *ring, int fd, void *bytes, uint32_t length_bytes)
{
    add(ring, &(struct frame_op){ .fd = fd, .bytes = bytes, .length_bytes = length_bytes, .is_write = true });
}

unsigned int frame_ring_count(const struct frame_ring *ring)
{
    return ring->is_run ? 0 : ring->count;
}

static void prepare(struct frame_ring *ring, unsigned int index)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    const struct frame_op *op = &ring->op[index];

    if (op->is_write)
        io_uring_prep_write(sqe, op->fd, op->bytes, op->length_bytes, 0);
    else
        io_uring_prep_read(sqe, op->fd, op->bytes, op->length_bytes, 0);
    sqe->rw_flags = RWF_NOWAIT;
    sqe->user_data = index;
}

/* How many there were. */
static unsigned int reap(struct frame_ring *ring)
{
    struct io_uring_cqe *cqe;
    unsigned int head, count = 0;

    io_uring_for_each_cqe(&ring->uring, head, cqe)
    {
        ring->result[cqe->user_data] = cqe->res;
        count++;
    }
    io_uring_cq_advance(&ring->uring, count);
    return count;
}

/* False: this ring is of no use, and what it has not done is NOT_DONE. */
static bool run_uring(struct frame_ring *ring)
{
    unsigned int submitted = 0, done = 0;

    for (unsigned int i = 0; i < ring->count; i++)
        prepare(ring, i);
    while (submitted < ring->count) {
        const int ret = io_uring_submit(&ring->uring);

        if (ret == -EINTR)
            continue;
        if (ret <= 0)
            break;
        submitted += (unsigned int)ret;
        done += reap(ring);
    }
    while (done < submitted) {
        const int ret = io_uring_submit_and_wait(&ring->uring, 1);

        if (ret < 0 && ret != -EINTR)
            break;
        done += reap(ring);
    }
    return done == ring->count;
}

static int32_t run_plainly(const struct frame_op *op)
{
    const ssize_t ret =
        op->is_write ? write(op->fd, op->bytes, op->length_bytes) : read(op->fd, op->bytes, op->length_bytes);

    return ret < 0 ? -errno : (int32_t)ret;
}

const int32_t *frame_ring_run(struct frame_ring *ring)
{
    bool is_good = true;

    for (unsigned int i = 0; i < ring->count; i++)
        ring->result[i] = NOT_DONE;
    if (ring->has_uring && ring->count > ALONE)
        is_good = run_uring(ring);
    for (unsigned int i = 0; i < ring->count; i++) {
        if (ring->result[i] == -EOPNOTSUPP) { /* RWF_NOWAIT, on this kind of file */
            ring->result[i] = NOT_DONE;
            is_good = false;
        }
        if (ring->result[i] == NOT_DONE)
            ring->result[i] = run_plainly(&ring->op[i]);
    }
    if (!is_good)
        close_uring(ring);
    ring->is_run = true;
    return ring->result;
}
