// SPDX-License-Identifier: MIT
/*
 * process.h: what every command of the tool needs of its process: signals that ask it to stop, a way out when the
 * store has stalled, the clock, JSON on standard output.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_PROCESS_H
#define XENSPLIT_FRONTEND_TOOLS_PROCESS_H

#include <stdint.h>
#include <jansson.h>

/* SIGINT, SIGTERM and SIGHUP are noted, SIGPIPE is ignored. */
void process_signals(void);
/* The signal that asks to stop, or 0. */
int process_signal(void);
/* A signal that comes just before sleeping is noticed after so long: wait no longer. */
#define PROCESS_WAIT_MS 500
/*
 * From now on the store has so many seconds, and a few more, to let a call come back; else the process ends with
 * TOOL_CONNECT. 0: no limit any more.
 */
void process_alarm(uint64_t seconds);

double seconds_now(void);

/* Prints a result object and drops it. */
void print_json(json_t *result);

#endif
