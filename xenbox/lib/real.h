// SPDX-License-Identifier: MIT
/*
 * real.h: the library that a replacement stands in front of.
 *
 * The replacements of libaio and liburing do what is theirs and leave the rest to the library that was installed:
 * it is loaded by its full path, beside the one with the same name that asked for it.
 */
#ifndef XENBOX_LIB_REAL_H
#define XENBOX_LIB_REAL_H

/* Loads it. A program cannot go on without: says why and ends it. */
void *real_open(const char *path);

/* A function of it; NULL: a library of another version, without that function. */
void *real_function(void *library, const char *name, const char *version);

#endif
