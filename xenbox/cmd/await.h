// SPDX-License-Identifier: MIT
/* await.h: waiting for a file to appear. */
#ifndef XENBOX_CMD_AWAIT_H
#define XENBOX_CMD_AWAIT_H

/* Until there is a directory entry `name` in dir. 0, -ETIMEDOUT or another negative errno. */
int await_entry(const char *dir, const char *name, int timeout_ms);

#endif
