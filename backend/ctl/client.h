// SPDX-License-Identifier: MIT
/*
 * client.h: asks a running daemon one question (ctl.h has the protocol). Blocks, for CLIENT_TIMEOUT_S at most.
 */
#ifndef XENSPLIT_BACKEND_CTL_CLIENT_H
#define XENSPLIT_BACKEND_CTL_CLIENT_H

#include <stddef.h>
#include <jansson.h>

#define CLIENT_TIMEOUT_S 15

enum client_verdict {
    CLIENT_ANSWERED,
    CLIENT_REFUSED, /* the daemon says why */
    CLIENT_NO_DAEMON, /* nobody listens there, or it may not be asked */
    CLIENT_FAILED, /* there was no answer, or none that makes sense */
};

/* What is asked. */
struct client_question {
    const char *command;
    const char *device; /* NULL: all */
    int queue, worker; /* -1: not said */
    const char *file; /* NULL: not said */
};

/* *result is the caller's, except when the verdict is another one: then reason says why. */
enum client_verdict client_ask(const char *run_dir, const struct client_question *question, json_t **result,
                               char *reason, size_t reason_size);

#endif
