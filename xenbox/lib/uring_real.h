// SPDX-License-Identifier: MIT
/* uring_real.h: the functions of the installed liburing, for the files of its replacement. Any thread. */
#ifndef XENBOX_LIB_URING_REAL_H
#define XENBOX_LIB_URING_REAL_H

#include <liburing.h>

/* Finds it at the first call. */
void *uring_real(_Atomic(void *) *slot, const char *name, const char *version);

/* The function of that name. */
#define URING_REAL(name, version)                                                                            \
    (__extension__({                                                                                         \
        static _Atomic(void *) slot;                                                                         \
        (__typeof__(&name))uring_real(&slot, #name, version);                                                \
    }))

#endif
