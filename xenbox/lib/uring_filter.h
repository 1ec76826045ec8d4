// SPDX-License-Identifier: MIT
/* uring_filter.h: the submissions of a program's ring that the box's kernel runs. The ring's own thread. */
#ifndef XENBOX_LIB_URING_FILTER_H
#define XENBOX_LIB_URING_FILTER_H

#include <liburing.h>

/*
 * Before the ring's new submissions go to the kernel: takes out those that do direct I/O on granted pages, with the
 * chains that they stand in, and leaves entries in their places that do nothing and have no completion.
 */
void uring_filter(struct io_uring *ring);

#endif
