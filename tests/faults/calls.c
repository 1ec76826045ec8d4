// SPDX-License-Identifier: MIT
/*
 * calls.c: a library to preload that counts a program's calls of Xen's libraries, and of what makes the records of
 * requests in flight, and lets one of them fail, as if the hypervisor, the kernel or the store had refused it.
 *
 * XS_CALLS names a file of at least sizeof(struct board) bytes, which is mapped: a test reads the counts there, and
 * arms a failure by writing `fail_in` (1: the next call) while the program runs. `only` is written before.
 */
#include <config.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "tests/faults/board.h"

struct board {
    _Atomic int64_t calls;
    _Atomic int64_t fail_in; /* counts down; the call that takes it to 0 fails */
    _Atomic int64_t failed; /* calls that were made to fail */
    char name[40]; /* the last of them */
    char only[40]; /* of these only; empty: of all */
};

static struct board nothing, *board = &nothing;

__attribute__((constructor)) static void start(void)
{
    board = board_map("XS_CALLS", sizeof(*board), &nothing);
}

/* true: this one fails. */
static bool fails(const char *name, int error)
{
    atomic_fetch_add(&board->calls, 1);
    if (board->only[0] && strncmp(board->only, name, sizeof(board->only)) != 0)
        return false;
    if (board->fail_in <= 0 || atomic_fetch_sub(&board->fail_in, 1) != 1)
        return false;
    snprintf(board->name, sizeof(board->name), "%s", name);
    board->failed++;
    errno = error;
    return true;
}

static void *find(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (!function)
        _exit(99);
    return function;
}

/* NAME(PARAMETERS), called with ARGUMENTS, fails with RESULT and errno ERROR. */
#define CALL(type, name, parameters, arguments, result, error) \
    type name parameters \
    { \
        static type(*_Atomic next) parameters; \
\
        if (!next) \
            *(void *_Atomic *)&next = find(#name); \
        return fails(#name, error) ? result : next arguments; \
    }

CALL(void *, xengnttab_map_grant_ref, (xengnttab_handle * handle, uint32_t domid, uint32_t ref, int prot),
     (handle, domid, ref, prot), NULL, EINVAL)
CALL(void *, xengnttab_map_domain_grant_refs,
     (xengnttab_handle * handle, uint32_t count, uint32_t domid, uint32_t *refs, int prot),
     (handle, count, domid, refs, prot), NULL, ENOSPC)
CALL(xenevtchn_port_or_error_t, xenevtchn_bind_interdomain,
     (xenevtchn_handle * handle, uint32_t domid, evtchn_port_t port), (handle, domid, port), -1, ENOSPC)
CALL(bool, xs_watch, (struct xs_handle * xs, const char *path, const char *token), (xs, path, token), false, EIO)
CALL(void *, xs_read, (struct xs_handle * xs, xs_transaction_t t, const char *path, unsigned int *len),
     (xs, t, path, len), NULL, EIO)
CALL(bool, xs_write, (struct xs_handle * xs, xs_transaction_t t, const char *path, const void *data, unsigned int len),
     (xs, t, path, data, len), false, ENOSPC)
CALL(char **, xs_directory, (struct xs_handle * xs, xs_transaction_t t, const char *path, unsigned int *count),
     (xs, t, path, count), NULL, ENOMEM)
CALL(xs_transaction_t, xs_transaction_start, (struct xs_handle * xs), (xs), XBT_NULL, ENOSPC)
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, EROFS)

/* What it refuses stays mapped, which no later call makes good: only when it is asked for by name. */
int xengnttab_unmap(xengnttab_handle *handle, void *pages, uint32_t count)
{
    static int (*_Atomic next)(xengnttab_handle *, void *, uint32_t);

    if (!next)
        *(void *_Atomic *)&next = find("xengnttab_unmap");
    return board->only[0] && fails("xengnttab_unmap", ENOMEM) ? -1 : next(handle, pages, count);
}

/* It returns the error. */
int posix_fallocate(int fd, off_t offset, off_t length)
{
    static int (*_Atomic next)(int, off_t, off_t);

    if (!next)
        *(void *_Atomic *)&next = find("posix_fallocate");
    return fails("posix_fallocate", ENOSPC) ? ENOSPC : next(fd, offset, length);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
    return posix_fallocate(fd, offset, length);
}

/* As the store does it when others were faster; the transaction is over. */
bool xs_transaction_end(struct xs_handle *xs, xs_transaction_t t, bool is_aborted)
{
    static bool (*_Atomic next)(struct xs_handle *, xs_transaction_t, bool);

    if (!next)
        *(void *_Atomic *)&next = find("xs_transaction_end");
    if (!fails("xs_transaction_end", EAGAIN))
        return next(xs, t, is_aborted);
    next(xs, t, true);
    errno = EAGAIN;
    return false;
}
