// SPDX-License-Identifier: MIT
/*
 * supervisor.h: the process that is a box's: it starts the hypervisor process, xenstored and the guests'
 * store proxy, watches them, and ends them. Whatever it started dies with it.
 */
#ifndef XENBOX_CMD_SUPERVISOR_H
#define XENBOX_CMD_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>

#include "xenbox/cmd/box.h"
#include "xenbox/cmd/store_daemon.h"

#define SUPERVISOR_WHY_MAX 512
#define SUPERVISOR_MAX_LIMITS 16
#define SUPERVISOR_MAX_BUGS 8 /* options, each with any number of ids */

struct supervisor_plan {
    struct box box;
    const char *mapping; /* fast or strict */
    const char *mode; /* autotranslated, pv or pv32 */
    bool is_punishing; /* an unmap under I/O has the effect that it has on a real domain 0 */
    const struct store_daemon *store; /* what kind of program keeps the store */
    const char *xenstored; /* the program */
    const char *limits[SUPERVISOR_MAX_LIMITS]; /* "key=value", for the hypervisor process to judge */
    size_t limit_count;
    const char *bugs[SUPERVISOR_MAX_BUGS]; /* "ID[,ID...]" */
    size_t bug_count;
};

/*
 * Brings the box up. 0: it is ready. Otherwise nothing of it is left, and why says what went wrong. SIGTERM
 * and SIGINT are blocked from then on: supervisor_run takes them.
 */
int supervisor_start(const struct supervisor_plan *plan, char why[SUPERVISOR_WHY_MAX]);

/* Until SIGTERM or SIGINT, or until the hypervisor process dies. Returns the exit code of the process. */
int supervisor_run(void);

#endif
