// SPDX-License-Identifier: MIT
/*
 * console_log.h: what the programs of a domain say, kept in the box: console-DOMID.log, and console-DOMID.log.1 for
 * what was there before it grew past CONSOLE_LOG_BYTES. The files go with the box.
 */
#ifndef XENBOX_CMD_CONSOLE_LOG_H
#define XENBOX_CMD_CONSOLE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenbox/cmd/box.h"

#define CONSOLE_LOG_BYTES (1u << 20)

/* The path of the newest part, or with `is_old` of the one before. 0, or -ENAMETOOLONG. */
int console_log_path(const struct box *box, uint16_t domid, bool is_old, char *path, size_t size);

/*
 * Standard output and error of this process go to the log from here on, whatever it becomes. A process in the
 * background writes the log, and ends when nobody holds the other end any more. 0, or a negative errno.
 */
int console_log_start(const struct box *box, uint16_t domid);

#endif
