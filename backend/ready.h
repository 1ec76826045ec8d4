// SPDX-License-Identifier: MIT
/*
 * ready.h: telling who started us that we serve, in systemd's way (NOTIFY_SOCKET) and on a descriptor.
 */
#ifndef XENSPLIT_BACKEND_READY_H
#define XENSPLIT_BACKEND_READY_H

/* "READY=1" or "STOPPING=1" to systemd, if it started us. */
void ready_notify(const char *state);
/* A line on a descriptor, which is then closed. 0: none. */
void ready_write(unsigned int fd);

#endif
