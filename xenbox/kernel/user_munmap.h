// SPDX-License-Identifier: MIT
/*
 * user_munmap.h: munmap(2) as a kernel with gntdev's notifier does it: what a program takes out of its address space
 * by that call alone is unmapped as a grant, too, page by page.
 */
#ifndef XENBOX_KERNEL_USER_MUNMAP_H
#define XENBOX_KERNEL_USER_MUNMAP_H

#include "xenbox/kernel/user_pages.h"

/* The system call for what is no granted memory, the mapping's pages_gone() for what is. errno is set. */
USER_PAGES_EXPORT int user_munmap(void *address, size_t bytes);

#endif
