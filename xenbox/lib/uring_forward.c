// SPDX-License-Identifier: MIT
/* uring_forward.c: what the replacement of liburing leaves to the installed one as it is. */
#include <config.h>

#include <pthread.h>

#include "xenbox/lib/real.h"
#include "xenbox/lib/uring_real.h"

static void *library;

static void library_open(void)
{
    library = real_open(REAL_LIBURING);
}

void *uring_real(_Atomic(void *) *slot, const char *name, const char *version)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    void *function = atomic_load_explicit(slot, memory_order_relaxed);

    if (function)
        return function;
    pthread_once(&once, library_open);
    function = real_function(library, name, version);
    atomic_store_explicit(slot, function, memory_order_relaxed);
    return function;
}

#define FORWARD(type, name, version, parameters, arguments)                                                  \
    type name parameters                                                                                     \
    {                                                                                                        \
        return URING_REAL(name, version) arguments;                                                          \
    }

#define V0 "LIBURING_2.0"
#define V1 "LIBURING_2.1"
#define V2 "LIBURING_2.2"
#define V3 "LIBURING_2.3"

void io_uring_free_probe(struct io_uring_probe *probe)
{
    URING_REAL(io_uring_free_probe, V0)(probe);
}

struct io_uring_sqe *io_uring_get_sqe(struct io_uring *ring)
{
    return _io_uring_get_sqe(ring);
}

FORWARD(int, __io_uring_get_cqe, V0,
        (struct io_uring * ring, struct io_uring_cqe **cqe, unsigned submit, unsigned wait, sigset_t *mask),
        (ring, cqe, submit, wait, mask))
FORWARD(int, __io_uring_sqring_wait, V0, (struct io_uring * ring), (ring))
FORWARD(struct io_uring_probe *, io_uring_get_probe, V0, (void), ())
FORWARD(struct io_uring_probe *, io_uring_get_probe_ring, V0, (struct io_uring * ring), (ring))
FORWARD(unsigned, io_uring_peek_batch_cqe, V0,
        (struct io_uring * ring, struct io_uring_cqe **cqes, unsigned count), (ring, cqes, count))
FORWARD(int, io_uring_register_eventfd, V0, (struct io_uring * ring, int fd), (ring, fd))
FORWARD(int, io_uring_register_eventfd_async, V0, (struct io_uring * ring, int fd), (ring, fd))
FORWARD(int, io_uring_unregister_eventfd, V0, (struct io_uring * ring), (ring))
FORWARD(int, io_uring_register_personality, V0, (struct io_uring * ring), (ring))
FORWARD(int, io_uring_unregister_personality, V0, (struct io_uring * ring, int id), (ring, id))
FORWARD(int, io_uring_register_probe, V0,
        (struct io_uring * ring, struct io_uring_probe *probe, unsigned count), (ring, probe, count))
FORWARD(int, io_uring_ring_dontfork, V0, (struct io_uring * ring), (ring))
FORWARD(int, io_uring_unregister_buffers, V0, (struct io_uring * ring), (ring))

FORWARD(ssize_t, io_uring_mlock_size, V1, (unsigned entries, unsigned flags), (entries, flags))
FORWARD(ssize_t, io_uring_mlock_size_params, V1, (unsigned entries, struct io_uring_params *params),
        (entries, params))
FORWARD(int, io_uring_register_iowq_aff, V1, (struct io_uring * ring, size_t size, const cpu_set_t *mask),
        (ring, size, mask))
FORWARD(int, io_uring_unregister_iowq_aff, V1, (struct io_uring * ring), (ring))
FORWARD(int, io_uring_register_iowq_max_workers, V1, (struct io_uring * ring, unsigned *values),
        (ring, values))

FORWARD(int, io_uring_register_buf_ring, V2,
        (struct io_uring * ring, struct io_uring_buf_reg *buffers, unsigned flags), (ring, buffers, flags))
FORWARD(int, io_uring_unregister_buf_ring, V2, (struct io_uring * ring, int group), (ring, group))
FORWARD(int, io_uring_register_buffers_sparse, V2, (struct io_uring * ring, unsigned count), (ring, count))
FORWARD(int, io_uring_register_ring_fd, V2, (struct io_uring * ring), (ring))
FORWARD(int, io_uring_unregister_ring_fd, V2, (struct io_uring * ring), (ring))

FORWARD(int, io_uring_enter, V3,
        (unsigned fd, unsigned submit, unsigned complete, unsigned flags, sigset_t *mask),
        (fd, submit, complete, flags, mask))
FORWARD(int, io_uring_enter2, V3,
        (unsigned fd, unsigned submit, unsigned complete, unsigned flags, sigset_t *mask, size_t size),
        (fd, submit, complete, flags, mask, size))
FORWARD(int, io_uring_setup, V3, (unsigned entries, struct io_uring_params *params), (entries, params))
FORWARD(int, io_uring_get_events, V3, (struct io_uring * ring), (ring))
FORWARD(int, io_uring_register_file_alloc_range, V3,
        (struct io_uring * ring, unsigned offset, unsigned count), (ring, offset, count))
FORWARD(int, io_uring_register_sync_cancel, V3,
        (struct io_uring * ring, struct io_uring_sync_cancel_reg *cancel), (ring, cancel))
