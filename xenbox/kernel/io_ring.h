// SPDX-License-Identifier: MIT
/*
 * io_ring.h: an io_uring of the box's kernel in this process, by the bare system calls: the library that wraps them
 * is one of those that are replaced. No locks; pushing and reaping may be done by two threads.
 */
#ifndef XENBOX_KERNEL_IO_RING_H
#define XENBOX_KERNEL_IO_RING_H

#include <linux/io_uring.h>

struct io_ring {
    int fd;
    unsigned entries, mask;
    _Atomic unsigned *head, *tail; /* of submissions */
    unsigned *array;
    struct io_uring_sqe *sqes;
    _Atomic unsigned *cq_head, *cq_tail;
    unsigned cq_mask;
    struct io_uring_cqe *cqes;
    unsigned pushed; /* tail, before it is shown to the kernel */
};

/* With room for `entries` submissions at a time; completions never get lost. -errno; it stays open for good. */
int io_ring_init(struct io_ring *ring, unsigned entries);

/* Room for that many more submissions? */
unsigned io_ring_room(const struct io_ring *ring);

/* The next submission, all zero; there must be room. */
struct io_uring_sqe *io_ring_push(struct io_ring *ring);

/* Hands what was pushed to the kernel. */
int io_ring_submit(struct io_ring *ring);

/* Waits for the next completion. -errno. */
int io_ring_reap(struct io_ring *ring, struct io_uring_cqe *cqe);

#endif
