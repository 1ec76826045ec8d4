// SPDX-License-Identifier: MIT
/*
 * iov.h: walking an iovec. Pure.
 */
#ifndef XENSPLIT_FRONTEND_IOV_H
#define XENSPLIT_FRONTEND_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* A place in an iovec. Entries of length 0 are skipped. */
struct iov_cursor {
    const struct iovec *iov;
    size_t offset; /* in *iov */
};

/* Move length bytes between the places at cursor and memory, and the cursor with them. */
void iov_copy_out(struct iov_cursor *cursor, void *to, size_t length);
void iov_copy_in(struct iov_cursor *cursor, const void *from, size_t length);
void iov_skip(struct iov_cursor *cursor, size_t length);
/* The sum of all lengths; SIZE_MAX when it does not fit. */
size_t iov_length(const struct iovec *iov, int count);

#endif
