// SPDX-License-Identifier: MIT
/* evtchn.h: what xenbox's own programs need of an evtchn handle beside <xenevtchn.h>. */
#ifndef XENBOX_LIB_EVTCHN_H
#define XENBOX_LIB_EVTCHN_H

#include <xenevtchn.h>

/* As xenevtchn_open() of that domain, with XB_HELLO_* flags; NULL and errno. Logs errors. */
xenevtchn_handle *evtchn_open_as(uint16_t domid, uint32_t flags);

/* Listens to a port of the domain's kernel; 0, or -errno. */
int evtchn_adopt(xenevtchn_handle *handle, evtchn_port_t port);

/* The connection's socket: its end of the stream says that the domain, or the box, is gone. */
int evtchn_conn_fd(const xenevtchn_handle *handle);

#endif
