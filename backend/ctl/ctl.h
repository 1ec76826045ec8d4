// SPDX-License-Identifier: MIT
/*
 * ctl.h: the control socket, <run-dir>/control: how the operator's command asks a running daemon. A connection
 * is one question: the client sends a line with a JSON object (ctl_request.h), gets a line with one back, and
 * the daemon closes:
 *
 *     {"result": ...}    or    {"error": "what was expected, what was found"}
 *
 * Everything happens on the main thread, never waits, and is bounded: requests in length, clients in number, a
 * connection in time. A client that does not read costs its own reply.
 */
#ifndef XENSPLIT_BACKEND_CTL_CTL_H
#define XENSPLIT_BACKEND_CTL_CTL_H

#include <event2/event.h>

/* Main thread. A socket that cannot be made is logged, and devices are served without. */
void ctl_start(struct event_base *base, const char *run_dir);
/* Main thread. Clients are dropped. Safe twice and when it was not started. */
void ctl_stop(void);

#endif
