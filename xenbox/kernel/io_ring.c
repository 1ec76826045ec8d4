// SPDX-License-Identifier: MIT
/* io_ring.c: see io_ring.h. */
#include <config.h>

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "xenbox/kernel/io_ring.h"

#define CQ_FACTOR 4

static int ring_enter(int fd, unsigned submit, unsigned wait, unsigned flags)
{
    int ret = syscall(SYS_io_uring_enter, fd, submit, wait, flags, NULL, 0);

    return ret < 0 ? -errno : ret;
}

static void *ring_map(int fd, size_t bytes, off_t what)
{
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
}

int io_ring_init(struct io_ring *ring, unsigned entries)
{
    struct io_uring_params params = { .flags = IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE,
                                      .cq_entries = CQ_FACTOR * entries };
    size_t sq_bytes, cq_bytes;
    uint8_t *rings;

    ring->fd = syscall(SYS_io_uring_setup, entries, &params);
    if (ring->fd < 0)
        return -errno;
    sq_bytes = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    cq_bytes = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    rings = ring_map(ring->fd, sq_bytes > cq_bytes ? sq_bytes : cq_bytes, IORING_OFF_SQ_RING);
    ring->sqes = ring_map(ring->fd, params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    if (!(params.features & IORING_FEAT_SINGLE_MMAP) || !(params.features & IORING_FEAT_NODROP) ||
        rings == MAP_FAILED || ring->sqes == MAP_FAILED) {
        close(ring->fd);
        return -ENOSYS;
    }
    ring->entries = params.sq_entries;
    ring->mask = params.sq_entries - 1;
    ring->head = (_Atomic unsigned *)(rings + params.sq_off.head);
    ring->tail = (_Atomic unsigned *)(rings + params.sq_off.tail);
    ring->array = (unsigned *)(rings + params.sq_off.array);
    ring->cq_head = (_Atomic unsigned *)(rings + params.cq_off.head);
    ring->cq_tail = (_Atomic unsigned *)(rings + params.cq_off.tail);
    ring->cq_mask = params.cq_entries - 1;
    ring->cqes = (struct io_uring_cqe *)(rings + params.cq_off.cqes);
    ring->pushed = atomic_load(ring->tail);
    for (unsigned i = 0; i < ring->entries; i++)
        ring->array[i] = i;
    return 0;
}

unsigned io_ring_room(const struct io_ring *ring)
{
    return ring->entries - (ring->pushed - atomic_load_explicit(ring->head, memory_order_acquire));
}

struct io_uring_sqe *io_ring_push(struct io_ring *ring)
{
    struct io_uring_sqe *sqe = &ring->sqes[ring->pushed++ & ring->mask];

    memset(sqe, 0, sizeof(*sqe));
    return sqe;
}

int io_ring_submit(struct io_ring *ring)
{
    unsigned left;

    atomic_store_explicit(ring->tail, ring->pushed, memory_order_release);
    while ((left = ring->pushed - atomic_load_explicit(ring->head, memory_order_acquire))) {
        int ret = ring_enter(ring->fd, left, 0, 0);

        if (ret == -EAGAIN || ret == -EBUSY || ret == -EINTR)
            sched_yield();
        else if (ret < 0)
            return ret;
    }
    return 0;
}

int io_ring_reap(struct io_ring *ring, struct io_uring_cqe *cqe)
{
    unsigned head = atomic_load_explicit(ring->cq_head, memory_order_relaxed);
    int ret;

    while (head == atomic_load_explicit(ring->cq_tail, memory_order_acquire)) {
        ret = ring_enter(ring->fd, 0, 1, IORING_ENTER_GETEVENTS);
        if (ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY)
            return ret;
    }
    *cqe = ring->cqes[head & ring->cq_mask];
    atomic_store_explicit(ring->cq_head, head + 1, memory_order_release);
    return 0;
}
