// SPDX-License-Identifier: MIT
/*
 * iov.c: see iov.h.
 */
#include <config.h>

#include <stdint.h>
#include <string.h>

#include "frontend/iov.h"

/* How much of *cursor->iov is left, at most length; moves on to the next entry when nothing is. */
static size_t cursor_step(struct iov_cursor *cursor, size_t length)
{
    size_t left;

    while ((left = cursor->iov->iov_len - cursor->offset) == 0) {
        cursor->iov++;
        cursor->offset = 0;
    }
    return left < length ? left : length;
}

void iov_copy_out(struct iov_cursor *cursor, void *to, size_t length)
{
    for (uint8_t *at = to; length;) {
        size_t step = cursor_step(cursor, length);

        memcpy(at, (const uint8_t *)cursor->iov->iov_base + cursor->offset, step);
        cursor->offset += step;
        at += step;
        length -= step;
    }
}

void iov_copy_in(struct iov_cursor *cursor, const void *from, size_t length)
{
    for (const uint8_t *at = from; length;) {
        size_t step = cursor_step(cursor, length);

        memcpy((uint8_t *)cursor->iov->iov_base + cursor->offset, at, step);
        cursor->offset += step;
        at += step;
        length -= step;
    }
}

void iov_skip(struct iov_cursor *cursor, size_t length)
{
    while (length) {
        size_t step = cursor_step(cursor, length);

        cursor->offset += step;
        length -= step;
    }
}

size_t iov_length(const struct iovec *iov, int count)
{
    size_t sum = 0;

    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > SIZE_MAX - sum)
            return SIZE_MAX;
        sum += iov[i].iov_len;
    }
    return sum;
}
