// SPDX-License-Identifier: MIT
/*
 * part.h: one of the processes that a box consists of, as its supervisor sees it. It dies with the
 * supervisor, however that ends.
 */
#ifndef XENBOX_CMD_PART_H
#define XENBOX_CMD_PART_H

#include <stddef.h>
#include <sys/types.h>

#include "xenbox/cmd/box.h"

#define PART_READY_FD 3 /* where a part says that it is ready */

struct part {
    const char *name; /* for messages and for the log: NAME.log in the box directory */
    pid_t pid; /* 0: not running */
    int pidfd;
    int ready; /* read end of its pipe; kept open as long as it lives */
};

void part_init(struct part *part, const char *name);
/* Kills it if it runs, and waits until it is gone. */
void part_fini(struct part *part);

/*
 * Starts argv[0]. enter(box) prepares the environment in the new process: 0 or negative errno; it may be
 * NULL. It finds the ready pipe at PART_READY_FD. 0 or negative errno.
 */
int part_start(struct part *part, const struct box *box, char *const argv[],
               int (*enter)(const struct box *box));

/*
 * Waits until the part has written something to its ready pipe. 0, or negative errno with a sentence in why.
 */
int part_wait_ready(struct part *part, const struct box *box, int timeout_ms, char *why, size_t size);

/* It has ended (its pidfd is readable): takes its status, and says in why how it ended. */
void part_reap(struct part *part, char *why, size_t size);

#endif
