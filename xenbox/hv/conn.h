// SPDX-License-Identifier: MIT
/*
 * conn.h: who is connected to a box: library handles and their slots in the tables.
 *
 * A connection ends when its socket is closed or its process is dead, whichever is seen first, since a child
 * that was forked may keep the socket open. Then what it owned is undone. Records whose grant entry is locked
 * by a live program at that moment are dropped a little later; until then the connection is on box->dying and
 * keeps its slot.
 */
#ifndef XENBOX_HV_CONN_H
#define XENBOX_HV_CONN_H

#include "xenbox/hv/box.h"

struct conn {
    struct source source;
    LIST_ENTRY(conn) link;
    int fd; /* -1: dying */
    uint32_t id; /* 0: has not said hello yet */
    uint32_t sink; /* evtchn: the handle's id */
    uint16_t domid;
    uint16_t kind; /* enum xb_conn_kind */
    bool is_kernel; /* XB_HELLO_KERNEL */
    bool is_closed; /* by itself, not by the death of its process */
    struct xb_conn *slot;
    struct process *process;
    uint32_t *chunk; /* its maptrack chunks: the slot has a copy that its program can write */
    uint32_t chunks, chunk_room;
    uint32_t *foreign; /* frames that it maps without a grant */
    uint32_t foreigns, foreign_room;
    uint32_t scratch; /* gnttab in a PV mode: its frame, where no program can write it */
};

/* A new connection on socket fd, which it owns from here on, also in failure. */
int conn_accept(struct box *box, int fd, struct conn **result);

/*
 * Says hello: checks it and takes a slot. `adopted_fd` is the descriptor of an evtchn handle or -1; *sink_fd
 * is the read end to be sent (and closed by the caller), or -1.
 */
int conn_hello(struct box *box, struct conn *conn, const struct xb_hello *hello, int adopted_fd,
               int *sink_fd);

/* The end of a connection: undoes what it owned. */
void conn_reap(struct box *box, struct conn *conn);

/* The end of all connections and handles, with the box. */
void conn_reap_all(struct box *box);

/* An entry was unlocked: tries again to drop the records of dying connections. */
void conn_drop_deferred(struct box *box);

/* Gives it one more chunk of map records. -ENOSPC: a limit was reached. */
int conn_grow_maptrack(struct box *box, struct conn *conn, uint32_t *chunk);

/* Holds frames for it; -ENOMEM. Letting go of a frame that it does not hold is ignored. */
int conn_hold_frames(struct box *box, struct conn *conn, const uint32_t *frames, uint32_t count);
void conn_unhold_frames(struct box *box, struct conn *conn, const uint32_t *frames, uint32_t count);

/* A slot of the tables, used by a connection and by the evtchn handle that it made. */
void slot_get(struct box *box, uint32_t id);
void slot_put(struct box *box, uint32_t id);

#endif
