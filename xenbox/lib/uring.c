// SPDX-License-Identifier: MIT
/*
 * uring.c: the calls of liburing that the box's kernel has a part in: submission, and registration of buffers and
 * files. All of it is done by the installed library; what it does with granted pages is seen to before.
 */
#include <config.h>

#include <errno.h>

#include "xenbox/kernel/user_pages.h"
#include "xenbox/lib/uring_filter.h"
#include "xenbox/lib/uring_real.h"
#include "xenbox/lib/uring_shadow.h"

#define V0 "LIBURING_2.0"
#define V1 "LIBURING_2.1"
#define V2 "LIBURING_2.2"
#define V3 "LIBURING_2.3"

int io_uring_submit(struct io_uring *ring)
{
    uring_filter(ring);
    return URING_REAL(io_uring_submit, V0)(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_nr)
{
    uring_filter(ring);
    return URING_REAL(io_uring_submit_and_wait, V0)(ring, wait_nr);
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
    uring_filter(ring);
    return URING_REAL(io_uring_submit_and_get_events, V3)(ring);
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned wait_nr,
                                     struct __kernel_timespec *timeout, sigset_t *mask)
{
    uring_filter(ring);
    return URING_REAL(io_uring_submit_and_wait_timeout, V2)(ring, cqe, wait_nr, timeout, mask);
}

/* On an old kernel these submit, too. */
int io_uring_wait_cqes(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned wait_nr,
                       struct __kernel_timespec *timeout, sigset_t *mask)
{
    if (!(ring->features & IORING_FEAT_EXT_ARG))
        uring_filter(ring);
    return URING_REAL(io_uring_wait_cqes, V0)(ring, cqe, wait_nr, timeout, mask);
}

int io_uring_wait_cqe_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
                              struct __kernel_timespec *timeout)
{
    if (!(ring->features & IORING_FEAT_EXT_ARG))
        uring_filter(ring);
    return URING_REAL(io_uring_wait_cqe_timeout, V0)(ring, cqe, timeout);
}

/* A ring that was closed behind our back may have had its number. */
static int ring_begin(struct io_uring *ring, int ret)
{
    if (ret >= 0)
        shadow_forget(ring->ring_fd);
    return ret;
}

int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
    return ring_begin(ring, URING_REAL(io_uring_queue_init, V0)(entries, ring, flags));
}

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *params)
{
    return ring_begin(ring, URING_REAL(io_uring_queue_init_params, V0)(entries, ring, params));
}

int io_uring_queue_mmap(int fd, struct io_uring_params *params, struct io_uring *ring)
{
    return ring_begin(ring, URING_REAL(io_uring_queue_mmap, V0)(fd, params, ring));
}

void io_uring_queue_exit(struct io_uring *ring)
{
    shadow_forget(ring->ring_fd);
    URING_REAL(io_uring_queue_exit, V0)(ring);
}

/* A kernel does not pin granted pages for as long as the program likes. */
static bool are_granted(const struct iovec *buffers, unsigned count)
{
    if (!user_pages_any())
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (user_pages_touch(buffers[i].iov_base, buffers[i].iov_len))
            return true;
    }
    return false;
}

int io_uring_register_buffers(struct io_uring *ring, const struct iovec *buffers, unsigned count)
{
    return are_granted(buffers, count) ? -EOPNOTSUPP
                                       : URING_REAL(io_uring_register_buffers, V0)(ring, buffers, count);
}

int io_uring_register_buffers_tags(struct io_uring *ring, const struct iovec *buffers, const __u64 *tags,
                                   unsigned count)
{
    return are_granted(buffers, count)
               ? -EOPNOTSUPP
               : URING_REAL(io_uring_register_buffers_tags, V1)(ring, buffers, tags, count);
}

int io_uring_register_buffers_update_tag(struct io_uring *ring, unsigned offset, const struct iovec *buffers,
                                         const __u64 *tags, unsigned count)
{
    return are_granted(buffers, count)
               ? -EOPNOTSUPP
               : URING_REAL(io_uring_register_buffers_update_tag, V1)(ring, offset, buffers, tags, count);
}

/* What was registered, as far as the kernel took it. */
static int files_set(int ring_fd, unsigned offset, const int *files, unsigned count, int ret)
{
    if (ret >= 0 && files)
        shadow_set_files(ring_fd, offset, files, ret > 0 && (unsigned)ret < count ? (unsigned)ret : count);
    return ret;
}

int io_uring_register_files(struct io_uring *ring, const int *files, unsigned count)
{
    return files_set(ring->ring_fd, 0, files, count,
                     URING_REAL(io_uring_register_files, V0)(ring, files, count));
}

int io_uring_register_files_tags(struct io_uring *ring, const int *files, const __u64 *tags, unsigned count)
{
    return files_set(ring->ring_fd, 0, files, count,
                     URING_REAL(io_uring_register_files_tags, V1)(ring, files, tags, count));
}

int io_uring_register_files_sparse(struct io_uring *ring, unsigned count)
{
    return URING_REAL(io_uring_register_files_sparse, V2)(ring, count);
}

int io_uring_register_files_update(struct io_uring *ring, unsigned offset, const int *files, unsigned count)
{
    return files_set(ring->ring_fd, offset, files, count,
                     URING_REAL(io_uring_register_files_update, V0)(ring, offset, files, count));
}

int io_uring_register_files_update_tag(struct io_uring *ring, unsigned offset, const int *files,
                                       const __u64 *tags, unsigned count)
{
    return files_set(ring->ring_fd, offset, files, count,
                     URING_REAL(io_uring_register_files_update_tag, V1)(ring, offset, files, tags, count));
}

int io_uring_unregister_files(struct io_uring *ring)
{
    int ret = URING_REAL(io_uring_unregister_files, V0)(ring);

    if (ret == 0)
        shadow_clear_files(ring->ring_fd);
    return ret;
}

/* The buffers of a registration by the bare call. */
static bool registers_granted(unsigned opcode, const void *argument, unsigned count)
{
    const struct io_uring_rsrc_register *resources = argument;
    const struct io_uring_rsrc_update2 *update = argument;

    switch (opcode) {
    case IORING_REGISTER_BUFFERS:
        return are_granted(argument, count);
    case IORING_REGISTER_BUFFERS2:
        return resources->data &&
               are_granted((const struct iovec *)(uintptr_t)resources->data, resources->nr);
    case IORING_REGISTER_BUFFERS_UPDATE:
        return update->data && are_granted((const struct iovec *)(uintptr_t)update->data, update->nr);
    default:
        return false;
    }
}

int io_uring_register(unsigned fd, unsigned opcode, const void *argument, unsigned count)
{
    const struct io_uring_rsrc_register *resources = argument;
    const struct io_uring_rsrc_update2 *update = argument;
    int ret;

    if (registers_granted(opcode, argument, count))
        return -EOPNOTSUPP;
    ret = URING_REAL(io_uring_register, V3)(fd, opcode, argument, count);
    switch (opcode) {
    case IORING_REGISTER_FILES:
        return files_set((int)fd, 0, argument, count, ret);
    case IORING_REGISTER_FILES2:
        return files_set((int)fd, 0, (const int *)(uintptr_t)resources->data, resources->nr, ret);
    case IORING_REGISTER_FILES_UPDATE:
        return files_set((int)fd, update->offset, (const int *)(uintptr_t)update->data, count, ret);
    case IORING_REGISTER_FILES_UPDATE2:
        return files_set((int)fd, update->offset, (const int *)(uintptr_t)update->data, update->nr, ret);
    case IORING_UNREGISTER_FILES:
        if (ret == 0)
            shadow_clear_files((int)fd);
        return ret;
    default:
        return ret;
    }
}
