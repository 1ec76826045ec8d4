// SPDX-License-Identifier: MIT
/*
 * link.h: the messages between a test program and the process of the other domain that does what it says: `xencheck
 * peer`. Functions return 0 or negative errno and never log.
 */
#ifndef XENCHECK_LINK_H
#define XENCHECK_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include <xenstore.h>

struct link {
    struct xs_handle *xs;
    char in[128], out[128]; /* nodes that we read and write */
    unsigned int sequence; /* of the last message that was taken */
    bool is_peer;
};

/* Below the folder `dir` of the store. The runner's waits until the peer is there. */
int link_open(struct link *link, const char *dir, bool is_peer);
void link_close(struct link *link);

/* Waits for the other's next message and copies it; -ETIMEDOUT after so many milliseconds (-1: never). */
int link_receive(struct link *link, char *text, size_t size, int timeout_ms);
int link_send(struct link *link, const char *text);

#endif
