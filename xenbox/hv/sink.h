// SPDX-License-Identifier: MIT
/*
 * sink.h: the evtchn handles of a box.
 *
 * A handle is a pipe. Its read end is the descriptor that a program polls and passes on; the hypervisor
 * process keeps the write end, and the kernel tells it (EPOLLERR) when the last read end anywhere is closed.
 * Then, and only then, the ports of the handle are unbound. The handle's id is that of the connection that
 * made it.
 */
#ifndef XENBOX_HV_SINK_H
#define XENBOX_HV_SINK_H

#include "xenbox/hv/box.h"

struct sink {
    struct source source;
    LIST_ENTRY(sink) link;
    uint32_t id;
    uint16_t domid;
    int fd; /* write end, O_NONBLOCK */
    ino_t inode; /* of the pipe: both ends show it */
};

/* A new handle for connection `id`; *read_fd is to be sent to the client and closed. */
int sink_create(struct box *box, uint32_t id, uint16_t domid, int *read_fd, struct sink **result);

struct sink *sink_find(struct box *box, uint32_t id);
struct sink *sink_find_fd(struct box *box, int fd); /* by either end of its pipe */

/* Nobody can read from it any more. */
bool sink_is_closed(const struct sink *sink);

/* Unbinds its ports and forgets it. */
void sink_destroy(struct box *box, struct sink *sink);

/* Makes the descriptor of the handle readable with `port`. */
void sink_write(struct sink *sink, uint32_t port);
/* The same for a port that may be in the pipe already: not when all ports would not fit behind it any more. */
void sink_write_again(struct sink *sink, uint32_t port);

#endif
