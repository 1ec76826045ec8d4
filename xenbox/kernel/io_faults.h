// SPDX-License-Identifier: MIT
/*
 * io_faults.h: an engine that is slow, short or failing, or keeps pages too long, as $XENBOX_IO of this process
 * asks for it: for direct asynchronous I/O on granted pages, and only for that.
 *
 *   delay=TIME        each request starts that much later
 *   short[=N]         each Nth request moves about half of its bytes
 *   error=NAME[/N]    each Nth request fails with EIO, EAGAIN, EINTR, ENOSPC or ETIMEDOUT and moves nothing
 *   extra-ref[=TIME]  a reference to the pages is kept that much longer (20ms) than the request takes
 *
 * TIME is a number with us, ms or s. Read once a process, when it first maps a page.
 */
#ifndef XENBOX_KERNEL_IO_FAULTS_H
#define XENBOX_KERNEL_IO_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

struct io_faults {
    uint64_t delay_us;
    uint64_t extra_ref_us;
    unsigned short_every; /* 0: never */
    unsigned error_every;
    int error; /* positive */
};

/* Parses the list; the words cpu and dma in it are for others. False, with nothing set, when it is not understood. */
bool io_faults_parse(struct io_faults *faults, const char *text);

/* Those of this process; NULL when there are none. Says on standard error what it does not understand. */
const struct io_faults *io_faults_get(void);

#endif
