// SPDX-License-Identifier: MIT
/*
 * process.h: the processes that are connected to a box.
 *
 * Each is watched by a pidfd, since a socket may live on in a forked child: when the process dies, its
 * connections are reaped. A domain's death and the end of the box kill by it.
 */
#ifndef XENBOX_HV_PROCESS_H
#define XENBOX_HV_PROCESS_H

#include "xenbox/hv/box.h"

struct process {
    struct source source;
    LIST_ENTRY(process) link;
    pid_t pid;
    int pidfd;
    unsigned conns;
};

/*
 * The process with that pid, for one more connection; *result is NULL for one of another pid namespace, which
 * cannot be watched from here. -ESRCH: it is dead already, -EMFILE, -ENOMEM.
 */
int process_get(struct box *box, pid_t pid, struct process **result);
void process_put(struct box *box, struct process *process); /* may be NULL */

/*
 * Kills the processes of a domain and hangs up on its kernel. A process with a connection of kind
 * XB_CONN_TOOL is the one that asks for such things, and is spared here and below.
 */
void process_kill_domain(struct box *box, uint16_t domid);

void process_kill_all(struct box *box);

/* Is one left that process_kill_all() has killed? */
bool process_is_any_left(struct box *box);

#endif
