// SPDX-License-Identifier: MIT
/*
 * mapped_io.h: may the kernel's I/O go straight to and from mapped granted pages on this host? Where a page of
 * another domain has several addresses, a kernel that does not make all of them mean the same page moves other data
 * than it was asked to, and says nothing. So it is tried once, at the start, with a grant of this domain to itself:
 * from a page to a file and from a file to a page, with the engine that would do it, and looked at from both ends.
 *
 * Main thread writes, before there is a device; then any thread may read.
 */
#ifndef XENSPLIT_BACKEND_MAPPED_IO_H
#define XENSPLIT_BACKEND_MAPPED_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "backend/grant_io.h"

/*
 * Tries it, when the settings leave that open, with a file in dir: in a child process, since a kernel that does
 * it wrong may never come back from it. Before there are threads. Logs the result in one line.
 */
void mapped_io_probe(const char *dir);
/* Whether a device's I/O goes straight to mapped pages. *reason: valid for ever. */
bool mapped_io_choose(const char *engine, enum grant_io_method method, bool is_file, const char **reason);

/* For the tests: what went wrong with a file in dir; 0, or -errno and the reason. */
int mapped_io_try(uint16_t domid, const char *dir, char *reason, unsigned int reason_size);
/*
 * Likewise: how the child ended that tries it, and what it said through its pipe. Returns within seconds whatever
 * becomes of it: one that the kernel never lets go of is left alone with it.
 */
int mapped_io_child_wait(pid_t child, int pipe, char *reason, unsigned int size);

#endif
