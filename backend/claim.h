// SPDX-License-Identifier: MIT
/*
 * claim.h: one daemon a domain. Two with different run directories would take the same devices from each other, so
 * a daemon writes into its domain's part of the store who it is: process id and the time at which that process
 * started, which together name it among all there were since the machine started. A claim of a process that is
 * gone is taken over. Main thread.
 */
#ifndef XENSPLIT_BACKEND_CLAIM_H
#define XENSPLIT_BACKEND_CLAIM_H

#include <stddef.h>
#include <sys/types.h>

struct xs_handle;

/* 0; -EBUSY when another daemon lives, which is *holder then; or what the store says. */
int claim_take(struct xs_handle *xs, pid_t *holder);
/* Only if it is ours. A lost store has lost the claim, too. */
void claim_drop(struct xs_handle *xs);

/* Pure: the start time in the text of /proc/PID/stat; 0: there is none, or the process is dead. */
unsigned long long claim_parse_stat(const char *text);

#endif
