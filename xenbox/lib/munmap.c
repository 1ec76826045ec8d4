// SPDX-License-Identifier: MIT
/*
 * munmap.c: munmap(2) of programs that map grants. It stands in libxengnttab because such a program loads that before
 * the C library, and has the C library's version so that it is taken for it.
 */
#include <config.h>

#include <sys/mman.h>

#include "xenbox/kernel/user_munmap.h"

int munmap(void *address, size_t bytes)
{
    return user_munmap(address, bytes);
}
