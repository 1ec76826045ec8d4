// SPDX-License-Identifier: MIT
/*
 * store_daemon.h: the two programs that can keep the store of a box, where they are installed, and how each is
 * told to stay within the box.
 */
#ifndef XENBOX_CMD_STORE_DAEMON_H
#define XENBOX_CMD_STORE_DAEMON_H

#include <limits.h>

#include "xenbox/cmd/box.h"

#define STORE_DAEMON_MAX_ARGS 8

struct store_daemon {
    const char *name; /* as --store takes it */
    const char *package; /* Debian's, for a message */
    const char *patterns[2]; /* where distributions keep the program itself */
    int (*prepare)(const struct box *box); /* files that it needs; 0 or negative errno; may be NULL */
    const char *args[STORE_DAEMON_MAX_ARGS]; /* behind its path; NULL ends them */
    const char *config; /* a file in the box that is its last argument; may be NULL */
};

/* NULL: there is none of that name. */
const struct store_daemon *store_daemon_find(const char *name);

/* The newest program of those that are installed; an empty path: none. */
void store_daemon_path(const struct store_daemon *daemon, char path[PATH_MAX]);

/* Prepares the box for it and makes its command line, of which config is a part: 0 or negative errno. */
int store_daemon_argv(const struct store_daemon *daemon, const struct box *box, const char *program,
                      char config[BOX_PATH_MAX], char *argv[STORE_DAEMON_MAX_ARGS + 3]);

#endif
