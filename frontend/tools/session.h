// SPDX-License-Identifier: MIT
/*
 * session.h: one run of a command on one device: opened and connected as the settings say, closed properly at
 * the end, also when a signal asks for it. Messages go to standard error, with the device.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_SESSION_H
#define XENSPLIT_FRONTEND_TOOLS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/tools/options.h"
#include "frontend/tools/process.h"
#include "frontend/xenfront.h"

struct session {
    const struct settings *settings;
    struct xenfront_blk *blk;
    struct xenfront_blk_info info;
    uint64_t start; /* the range of the disk that the settings name, in bytes, checked */
    uint64_t length;
    double connect_s; /* how long it took to find and connect the device */
};

/* TOOL_OK or another exit code, with a message printed. */
int session_open(struct session *session, const struct settings *settings);
/* result, or what went wrong while closing when result is TOOL_OK. */
int session_close(struct session *session, int result);

/* Waits for callbacks; negative errno when the device is broken, -EINTR when a signal asks to stop. */
int session_wait(struct session *session);
/* Prints what the library says about err, or the errno's text; returns TOOL_IO or the signal's exit code. */
int session_fail(struct session *session, int err, const char *what);
/* Finishes what is in flight, whatever becomes of it. Buffers may be freed afterwards. */
void session_drain(struct session *session);
/* Flushes the disk's cache where the backend offers it. */
int session_flush(struct session *session);

#endif
