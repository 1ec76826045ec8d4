// SPDX-License-Identifier: MIT
/*
 * daemon.h: the process: its main loop, signals, the lock of the run directory, readiness, and the order in
 * which the rooms start and stop. The main thread runs the loop and owns the store.
 */
#ifndef XENSPLIT_BACKEND_DAEMON_H
#define XENSPLIT_BACKEND_DAEMON_H

#include <event2/event.h>

#include "backend/mailbox.h"

struct xs_handle;

/* Runs until a signal says otherwise; the exit status of the program. */
int daemon_run(int argc, char **argv);

struct event_base *daemon_base(void); /* main thread */
struct mailbox *daemon_mailbox(void); /* any thread may post: delivered on the main thread */
/*
 * Main thread. NULL while the store is gone, which the functions of common/xenbus.h take as -ENOTCONN: ask anew
 * for each step, and keep no copy.
 */
struct xs_handle *daemon_xs(void);

/* device.c: a device has been freed. The last one's end is what a daemon that was told to end waits for. */
void daemon_device_gone(void);

#endif
