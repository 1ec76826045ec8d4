// SPDX-License-Identifier: MIT
/*
 * env.h: the environment that makes a process a member of a box: which box, which domain, which libraries,
 * which store.
 */
#ifndef XENBOX_CMD_ENV_H
#define XENBOX_CMD_ENV_H

#include <stdint.h>

#include "xenbox/cmd/box.h"

#define ENV_LIBDIR "XENBOX_LIBDIR" /* instead of the installed directory of the replacement libraries */
#define ENV_LIBEXECDIR "XENBOX_LIBEXECDIR" /* and of the helper programs */

/* Sets the variables in this process, for what it executes. 0 or negative errno. */
int env_enter(const struct box *box, uint16_t domid);

/* Puts a library in front of those that are loaded into every program. 0 or negative errno. */
int env_preload(const char *path);

const char *env_libdir(void);
/* A file in the directory of the libraries, or of the helper programs. */
int env_library_path(const char *name, char *path, size_t size);
int env_helper_path(const char *name, char *path, size_t size);

#endif
