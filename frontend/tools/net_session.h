// SPDX-License-Identifier: MIT
/*
 * net_session.h: one run of a command on one network device: opened and connected as the settings say, closed
 * properly at the end, also when a signal asks for it. Messages go to standard error, with the device.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_NET_SESSION_H
#define XENSPLIT_FRONTEND_TOOLS_NET_SESSION_H

#include "frontend/tools/options.h"
#include "frontend/tools/process.h"
#include "frontend/xenfront.h"

struct net_session {
    const struct settings *settings;
    struct xenfront_net *net;
    struct xenfront_net_info info;
    double connect_s; /* how long it took to find and connect the device */
};

/* TOOL_OK or another exit code, with a message printed. */
int net_session_open(struct net_session *session, const struct settings *settings);
/* result, or what went wrong while closing when result is TOOL_OK. */
int net_session_close(struct net_session *session, int result);
/* Prints what the library says about err, or the errno's text; returns TOOL_IO or the signal's exit code. */
int net_session_fail(struct net_session *session, int err, const char *what);
/* A signal asked to stop, or so many seconds have passed since `start`; 0: no limit. */
bool net_session_is_over(double start, uint64_t seconds);

#endif
