// SPDX-License-Identifier: MIT
/*
 * xs_mux.h: many xenstore clients on one domain's xenstore ring, as a guest kernel's xenbus driver has it.
 *
 * Pure: bytes in, bytes out, no I/O, no clock, no thread. The caller moves bytes between sockets and clients,
 * and between the ring and the multiplexer, and asks after each step which clients have something to do.
 *
 * The rules. A client has one request on its way at a time, so its memory is bounded and nobody can fill the
 * ring alone; requests of different clients take turns. Request ids are replaced on the way out and restored
 * on the way back. Watch tokens get a prefix that names the client, so two clients may set the same watch. A
 * transaction can be used only by the client that started it. When a client goes away its transactions are
 * aborted and its watches removed before its slot is used again. What the store says to a client that does
 * not read is kept up to XS_CLIENT_BACKLOG bytes, and then the client is given up.
 */
#ifndef XENBOX_KERNEL_XS_MUX_H
#define XENBOX_KERNEL_XS_MUX_H

#include <stddef.h>
#include <stdint.h>

#define XS_MUX_CLIENTS 1024u /* of one domain, those included that are still being cleaned up */
#define XS_CLIENT_BACKLOG (512u << 10) /* bytes kept for a client that does not read */

struct xs_mux;
struct xs_client;

/* NULL: no memory. */
struct xs_mux *xs_mux_new(void);
/* Frees all clients too; NULL is fine. */
void xs_mux_free(struct xs_mux *mux);

/* The bytes to put on the ring next; 0: none. Then say how many of them were put. */
size_t xs_mux_peek(struct xs_mux *mux, const void **data);
void xs_mux_sent(struct xs_mux *mux, size_t len);

/* Bytes that came from the ring. -EPROTO: not the xenstore protocol, the ring cannot be used any more. */
int xs_mux_receive(struct xs_mux *mux, const void *data, size_t len);

/*
 * The next client to look after: it has output, or it can take input again, or xs_client_error() is set. Each
 * is returned once until something new happens to it; NULL: none.
 */
struct xs_client *xs_mux_woken(struct xs_mux *mux);

/* NULL, errno EUSERS: as many clients as there may be; ENOMEM. */
struct xs_client *xs_client_new(struct xs_mux *mux, void *owner);
void *xs_client_owner(const struct xs_client *client);

/*
 * The client is gone. Its memory stays until the store has answered to its clean-up; do not touch it again.
 */
void xs_client_close(struct xs_client *client);

/* 0, or why the client must be closed: -EPROTO (sent garbage), -ENOBUFS (does not read), -ENOMEM. */
int xs_client_error(const struct xs_client *client);

/* Where the client's next bytes go and how many may be put there; 0: it must wait for its answer. */
size_t xs_client_want(struct xs_client *client, void **to);
void xs_client_got(struct xs_client *client, size_t len);

/* Bytes for the client; 0: none. Then say how many were delivered. */
size_t xs_client_peek(struct xs_client *client, const void **data);
void xs_client_sent(struct xs_client *client, size_t len);

#endif
