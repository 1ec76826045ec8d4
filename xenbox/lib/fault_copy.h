// SPDX-License-Identifier: MIT
/*
 * fault_copy.h: memcpy() between the memory of a box and a program's buffer, which says whether that buffer was there.
 *
 * The device answers a bad local address of a grant copy with EFAULT. A system call that looks first costs more than
 * the copy of a page, so the copy is simply made by one instruction that the process's fault handler knows: a fault
 * there is an error return, any other goes to the handler that was there before. A program that installs a handler of
 * its own afterwards gets the fault itself, as from memcpy().
 */
#ifndef XENBOX_LIB_FAULT_COPY_H
#define XENBOX_LIB_FAULT_COPY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * May this thread copy so? Installs the handlers on first use. False in a thread that blocks SIGSEGV or SIGBUS, which
 * a fault would kill, and where the handlers cannot be installed.
 */
bool fault_copy_is_ready(void);

/* Copies. False: an address was bad, and what lies before it may have been copied. */
bool fault_copy(void *to, const void *from, size_t bytes);

#endif
