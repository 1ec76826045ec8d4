// SPDX-License-Identifier: MIT
/* server.h: the socket of a box, its event loop and the operations of proto.h. */
#ifndef XENBOX_HV_SERVER_H
#define XENBOX_HV_SERVER_H

#include "xenbox/hv/box.h"

/* Listens on the socket of the box. Connections are served from then on by server_run(). */
int server_listen(struct box *box, const char *dir);

/* Serves until XB_OP_STOP or SIGTERM, kills what is connected, returns when all of that is gone. */
int server_run(struct box *box);

/* For conn.c: a message or the end of a connection. */
void server_conn_ready(struct box *box, struct source *source, uint32_t events);

#endif
