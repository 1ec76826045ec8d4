// SPDX-License-Identifier: MIT
/*
 * client.h: a library handle's connection to the hypervisor process of its box.
 *
 * Linked into each replacement library and into xenbox's own programs. Functions return 0 or a negative errno
 * and log nothing, except where they say so. All may be called from any thread; requests of one handle take
 * turns.
 *
 * A child that was forked has its parent's handles, and using one would mix up the parent's conversation. A
 * handle therefore knows its process: in another one client_call() fails with -EBADF and client_close() only
 * closes the child's own copy.
 */
#ifndef XENBOX_LIB_CLIENT_H
#define XENBOX_LIB_CLIENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include <xentoollog.h>

#include "xenbox/hv/layout.h"
#include "xenbox/hv/proto.h"

struct client_box; /* the memory of a box as this process has mapped it */

struct client {
    const char *library; /* for log lines: "gnttab" */
    struct xentoollog_logger *logger; /* NULL: stderr */
    struct client_box *box;
    struct xb_tables *tables;
    struct xb_conn *slot; /* the journal of this connection */
    uint32_t id; /* connection id */
    uint32_t sink; /* evtchn: handle id */
    uint16_t domid;
    int fd; /* socket */
    unsigned process; /* which process opened it; see client_is_ours() */
    pthread_mutex_t lock; /* one request at a time */
    bool is_lost; /* the loss of the hypervisor process has been logged */
};

/*
 * Connects to the box in $XENBOX as `domid`. `adopt_fd` (or -1) goes along with XB_HELLO_ADOPT in `flags`;
 * *sink_fd (NULL where none is expected) gets the read end of a new evtchn handle, close-on-exec. Logs
 * errors. -ENOENT: there is no box there, -ECONNREFUSED: its hypervisor process is gone.
 */
int client_open_as(struct client *client, const char *library, struct xentoollog_logger *logger,
                   enum xb_conn_kind kind, uint16_t domid, uint32_t flags, int adopt_fd, int *sink_fd);

/* The same as $XENBOX_DOMID (unset: 0). */
int client_open(struct client *client, const char *library, struct xentoollog_logger *logger,
                enum xb_conn_kind kind, uint32_t flags, int adopt_fd, int *sink_fd);

/* Waits until the hypervisor process has undone what the handle owned. Safe on a zeroed struct and twice. */
void client_close(struct client *client);

/* Is it still the process that opened the handle, and not a child of it? */
bool client_is_ours(const struct client *client);

/*
 * One request and its answer. `answer` gets at most answer_size bytes, *got (may be NULL) how many came; less
 * than expected is the caller's to check only where the size of an answer varies: with got NULL, exactly
 * answer_size bytes must come. -EIO: the hypervisor process is gone; logged once a handle.
 */
int client_call(struct client *client, uint32_t op, const void *request, size_t request_size, void *answer,
                size_t answer_size, size_t *got);

/* The same, gathered and scattered, and with a descriptor in the answer (fd may be NULL). */
int client_callv(struct client *client, uint32_t op, const struct iovec *request, int request_count,
                 const struct iovec *answer, int answer_count, size_t *got, int *fd);

/* A one-way message. */
int client_post(struct client *client, uint32_t op, const void *request, size_t request_size);

/* 0, or -EIO when the hypervisor process is gone; logged once a handle. Does not block. */
int client_check(struct client *client);

/* All frames of the box in one mapping, made on first use; NULL with errno set. */
uint8_t *client_frames(struct client *client);
int client_frames_fd(const struct client *client);

/* Maps `count` frames at `address` (NULL: anywhere), in as few steps as they are consecutive. */
int client_map_frames(struct client *client, const uint32_t *frames, size_t count, int prot, void **address);
/* One frame at an address where something is mapped, which it replaces in one step. */
int client_map_frame_at(struct client *client, uint32_t frame, int prot, void *address);

void client_unmap_frames(void *address, size_t count);

/*
 * One line "xenbox: LIBRARY: text: strerror(error)" through the handle's logger; error 0: without the last
 * part.
 */
void client_log(const struct client *client, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
