// SPDX-License-Identifier: MIT
/*
 * uring_filter.c: see uring_filter.h.
 *
 * A request that pins pages is read, write, readv or writev on a file that was opened with O_DIRECT, or a zero-copy
 * send. All others copy in the task's context when they run, through the address that they were given, as they
 * would on a real kernel. A chain stays together: with one such request all of it is run by us.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "xenbox/kernel/io_engine.h"
#include "xenbox/lib/uring_filter.h"
#include "xenbox/lib/uring_shadow.h"

#define BUFFERS_MAX 1024u /* as in a kernel */

/* What a request is to us until it is over. */
struct moved {
    struct io_request io; /* the first member */
    struct uring_shadow *shadow;
    uint64_t user_data;
    uint64_t bytes; /* of a complete transfer; 0: not a transfer */
    bool is_silent; /* no completion when it succeeds */
};

#define LINKS (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)

static struct io_uring_sqe *sqe_at(struct io_uring *ring, unsigned index)
{
    return &ring->sq.sqes[(index & ring->sq.ring_mask) << !!(ring->flags & IORING_SETUP_SQE128)];
}

/* The buffers of a request that may pin pages. False: it is none of those. */
static bool buffers_of(const struct io_uring_sqe *sqe, struct iovec *one, const struct iovec **buffers,
                       unsigned *count, bool *is_write)
{
    if (sqe->flags & IOSQE_BUFFER_SELECT)
        return false;
    switch (sqe->opcode) {
    case IORING_OP_READV:
    case IORING_OP_WRITEV:
        *is_write = sqe->opcode == IORING_OP_READV;
        *buffers = (const struct iovec *)(uintptr_t)sqe->addr;
        *count = sqe->len;
        return *buffers && *count <= BUFFERS_MAX;
    case IORING_OP_READ:
    case IORING_OP_WRITE:
    case IORING_OP_SEND_ZC:
        *is_write = sqe->opcode == IORING_OP_READ;
        *one = (struct iovec){ .iov_base = (void *)(uintptr_t)sqe->addr, .iov_len = sqe->len };
        *buffers = one;
        *count = 1;
        return true;
    default:
        return false;
    }
}

/* The descriptor that a request is about; -1: a registered file that we do not know. */
static int fd_of(const struct io_uring *ring, const struct io_uring_sqe *sqe)
{
    struct uring_shadow *shadow;
    int fd;

    if (!(sqe->flags & IOSQE_FIXED_FILE))
        return sqe->fd;
    shadow = shadow_get(ring->ring_fd);
    if (!shadow)
        return -1;
    fd = shadow_file(shadow, sqe->fd);
    shadow_put(shadow);
    return fd;
}

/* Does it pin granted pages? */
static bool is_ours(const struct io_uring *ring, const struct io_uring_sqe *sqe)
{
    const struct iovec *buffers;
    bool is_write, is_touched = false;
    struct iovec one;
    unsigned count;
    int flags;

    if (!buffers_of(sqe, &one, &buffers, &count, &is_write))
        return false;
    for (unsigned i = 0; !is_touched && i < count; i++)
        is_touched = user_pages_touch(buffers[i].iov_base, buffers[i].iov_len);
    if (!is_touched)
        return false;
    if (sqe->opcode == IORING_OP_SEND_ZC)
        return true;
    flags = fcntl(fd_of(ring, sqe), F_GETFL);
    /* With a registered file that came from somewhere else we cannot tell; it is refused below. */
    return flags < 0 ? (sqe->flags & IOSQE_FIXED_FILE) != 0 : (flags & O_DIRECT) != 0;
}

static void moved_complete(struct io_request *io, int result, uint32_t flags)
{
    struct moved *moved = (struct moved *)io;
    bool is_success = result >= 0 && (!moved->bytes || (uint64_t)result == moved->bytes);

    shadow_complete(moved->shadow, moved->user_data, result, flags, !(moved->is_silent && is_success),
                    !(flags & IORING_CQE_F_MORE));
}

/* Can it be run on another ring than the one that it was made for? */
static bool is_movable(const struct io_uring *ring, const struct io_uring_sqe *sqe)
{
    if (sqe->personality || (sqe->flags & (IOSQE_IO_DRAIN | IOSQE_BUFFER_SELECT)))
        return false;
    if ((sqe->flags & IOSQE_FIXED_FILE) && fd_of(ring, sqe) < 0)
        return false;
    switch (sqe->opcode) {
    case IORING_OP_READ:
    case IORING_OP_WRITE:
    case IORING_OP_READV:
    case IORING_OP_WRITEV:
    case IORING_OP_SEND_ZC:
    case IORING_OP_NOP:
    case IORING_OP_FSYNC:
    case IORING_OP_SYNC_FILE_RANGE:
    case IORING_OP_FALLOCATE:
    case IORING_OP_TIMEOUT:
    case IORING_OP_LINK_TIMEOUT:
    case IORING_OP_SEND:
    case IORING_OP_RECV:
    case IORING_OP_SENDMSG:
    case IORING_OP_RECVMSG:
        return true;
    default:
        return false;
    }
}

/* Pins its pages and puts the addresses that I/O uses in the place of the program's. */
static int moved_pin(struct moved *moved)
{
    struct io_uring_sqe *sqe = &moved->io.sqe;
    const struct iovec *buffers;
    struct iovec one;
    unsigned count;
    bool is_write;
    int ret;

    if (!buffers_of(sqe, &one, &buffers, &count, &is_write))
        return 0;
    for (unsigned i = 0; i < count; i++)
        moved->bytes += buffers[i].iov_len;
    ret = user_pages_pin(buffers, count, is_write, XB_IO_URING, &moved->io.pins);
    if (ret < 0 || !moved->io.pins || sqe->opcode == IORING_OP_SEND_ZC)
        return ret;
    moved->io.pieces = malloc(BUFFERS_MAX * sizeof(struct iovec));
    if (!moved->io.pieces)
        return -ENOMEM;
    ret = user_pages_translate(moved->io.pins, buffers, count, moved->io.pieces, BUFFERS_MAX);
    if (ret < 0)
        return ret;
    sqe->opcode = is_write ? IORING_OP_READV : IORING_OP_WRITEV;
    sqe->addr = (uintptr_t)moved->io.pieces;
    sqe->len = (unsigned)ret;
    return 0;
}

static struct moved *moved_create(struct io_uring *ring, const struct io_uring_sqe *sqe,
                                  struct uring_shadow *shadow)
{
    struct moved *moved = calloc(1, sizeof(*moved));

    if (!moved)
        return NULL;
    moved->io.sqe = *sqe;
    moved->io.sqe.flags &= LINKS | IOSQE_ASYNC;
    if (sqe->flags & IOSQE_FIXED_FILE)
        moved->io.sqe.fd = fd_of(ring, sqe);
    moved->io.complete = moved_complete;
    moved->shadow = shadow;
    moved->user_data = sqe->user_data;
    moved->is_silent = sqe->flags & IOSQE_CQE_SKIP_SUCCESS;
    return moved;
}

/* What stays in its place: it counts as submitted, and nobody hears of it again. */
static void sqe_blank(struct io_uring_sqe *sqe)
{
    memset(sqe, 0, sizeof(*sqe));
    sqe->opcode = IORING_OP_NOP;
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    sqe->fd = -1;
}

static void chain_move(struct io_uring *ring, unsigned from, unsigned to)
{
    struct io_request **requests = calloc(to - from, sizeof(struct io_request *));
    struct uring_shadow *shadow = shadow_get(ring->ring_fd);
    bool is_refused = false;
    unsigned made = 0;

    if (to - from > IO_ENGINE_CHAIN_MAX || !io_engine_is_ready())
        goto end; /* the kernel runs it, and nobody knows of its pages */
    for (unsigned i = from; i != to; i++)
        is_refused |= !is_movable(ring, sqe_at(ring, i));
    for (; requests && shadow && made < to - from; made++) {
        struct moved *moved = moved_create(ring, sqe_at(ring, from + made), shadow);

        if (!moved)
            break;
        if (is_refused)
            moved->io.forced = made ? -ECANCELED : -EOPNOTSUPP;
        else
            moved->io.forced = moved_pin(moved);
        requests[made] = &moved->io;
    }
    /* Without memory what is not moved goes to the kernel as it is, which may well have none either. */
    for (unsigned i = 0; i < made; i++) {
        shadow_begin(shadow);
        sqe_blank(sqe_at(ring, from + i));
    }
    if (made) {
        requests[made - 1]->sqe.flags &= ~LINKS;
        io_engine_run(requests, made);
    }
end:
    if (shadow)
        shadow_put(shadow);
    free(requests);
}

void uring_filter(struct io_uring *ring)
{
    unsigned tail = ring->sq.sqe_tail, end;

    if ((!user_pages_any() && !shadow_is_busy()) || !(ring->features & IORING_FEAT_CQE_SKIP))
        return;
    for (unsigned i = ring->sq.sqe_head; i != tail; i = end) {
        bool is_found = false, is_drain = false;

        for (end = i; end != tail; end++) {
            const struct io_uring_sqe *sqe = sqe_at(ring, end);

            is_found |= is_ours(ring, sqe);
            is_drain |= (sqe->flags & IOSQE_IO_DRAIN) != 0;
            if (!(sqe->flags & LINKS))
                break;
        }
        end += end != tail;
        if (is_drain)
            shadow_drain(ring->ring_fd);
        if (is_found)
            chain_move(ring, i, end);
    }
}
