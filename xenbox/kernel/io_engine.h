// SPDX-License-Identifier: MIT
/*
 * io_engine.h: direct I/O on granted pages that the box's kernel runs itself: on a ring of its own, with a thread
 * that takes the completions. Pages are let go before a completion is delivered.
 *
 * Any thread may submit. complete() is called in the engine's thread and must not block.
 */
#ifndef XENBOX_KERNEL_IO_ENGINE_H
#define XENBOX_KERNEL_IO_ENGINE_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdint.h>

#include "xenbox/kernel/user_pages.h"

/* The first member of what malloc() gave to its owner; the engine frees it. */
struct io_request {
    struct io_uring_sqe sqe; /* what is run, with real descriptors and addresses; user_data is the engine's */
    struct user_pages *pins; /* or NULL */
    struct iovec *pieces; /* what sqe.addr points to, freed with the request; or NULL */
    int forced; /* negative errno: nothing is moved, this is the result */
    /* Once, or more often for one with IORING_CQE_F_MORE in flags; the last call is the one without. */
    void (*complete)(struct io_request *request, int result, uint32_t flags);
    struct __kernel_timespec wait; /* the engine's */
    bool is_short; /* the engine has shortened it */
};

#define IO_ENGINE_CHAIN_MAX 256

/* Has it been started, or can it be? To be asked before anything is given to it. */
USER_PAGES_EXPORT bool io_engine_is_ready(void);

/*
 * Starts requests, which are chained as the link flags in their entries say. From then on they are the engine's.
 * -E2BIG, and nothing done: too many at a time.
 */
USER_PAGES_EXPORT int io_engine_run(struct io_request **requests, unsigned count);

/* Puts a completion into another ring of this process; for complete(). */
USER_PAGES_EXPORT void io_engine_post(int ring_fd, uint64_t user_data, int result, uint32_t flags);

/* Is $XENBOX_IO set, so that all direct I/O on granted pages has to go through here? */
USER_PAGES_EXPORT bool io_engine_has_faults(void);

#endif
