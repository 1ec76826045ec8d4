// SPDX-License-Identifier: MIT
/*
 * socket.c: frames over a stream socket, each behind its length in four bytes, in network order: how QEMU's socket
 * backends and passt speak. With passt at the other end a guest has a network without any privilege.
 *
 * Both directions have a buffer of a fixed size. When the other side is slow the guest's ring waits (port_room).
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/port/port_kind.h"

#define LENGTH_BYTES 4u
#define FRAME_BYTES (PORT_HEADROOM_BYTES + PORT_ROOM_BYTES)
#define BUFFER_BYTES (256u * 1024u)

_Static_assert(LENGTH_BYTES <= PORT_HEADROOM_BYTES, "room for the length");

struct stream_socket {
    struct event *writable;
    uint32_t out_begin, out_end, in_begin, in_end;
    uint32_t skip_bytes; /* of a frame that nobody can take */
    uint8_t out[BUFFER_BYTES];
    uint8_t in[BUFFER_BYTES];
};

static void socket_close(struct port *port, bool is_kept)
{
    if (port->fd >= 0)
        close(port->fd);
    port->fd = -1;
    free(port->priv);
}

static int socket_connect(struct port *port, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    memcpy(address.sun_path, path, strlen(path) + 1);
    port->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (port->fd < 0 || connect(port->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return 0;
}

static int socket_open(struct port *port, const char *argument, const struct port_wish *wish, char *reason,
                       size_t reason_size)
{
    const size_t path_max = sizeof(((struct sockaddr_un *)NULL)->sun_path);
    int ret;

    if (!argument || argument[0] != '/' || strlen(argument) >= path_max) {
        snprintf(reason, reason_size, "port: expected socket:PATH with an absolute path of at most %zu bytes",
                 path_max - 1);
        return -EINVAL;
    }
    port->priv = calloc(1, sizeof(struct stream_socket));
    if (!port->priv) {
        snprintf(reason, reason_size, "port socket:%s: no memory", argument);
        return -ENOMEM;
    }
    snprintf(port->info.target, sizeof(port->info.target), "socket:%s", argument);
    ret = socket_connect(port, argument);
    if (ret) {
        snprintf(reason, reason_size, "port socket:%s: expected a stream socket that takes connections: %s",
                 argument, strerror(-ret));
        socket_close(port, false);
    }
    return ret;
}

static bool has_room(const struct stream_socket *socket)
{
    return BUFFER_BYTES - (socket->out_end - socket->out_begin) >= FRAME_BYTES;
}

static void push_out(struct port *port)
{
    struct stream_socket *socket = port->priv;

    while (socket->out_begin < socket->out_end && !port->error) {
        const ssize_t sent = send(port->fd, socket->out + socket->out_begin,
                                  socket->out_end - socket->out_begin, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent >= 0) {
            socket->out_begin += (uint32_t)sent;
        } else if (errno == EAGAIN) {
            event_add(socket->writable, NULL);
            return;
        } else if (errno != EINTR) {
            port->error = -errno;
        }
    }
    socket->out_begin = socket->out_end = 0;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct port *port = arg;
    struct stream_socket *socket = port->priv;
    const bool was_full = !has_room(socket);

    push_out(port);
    if ((was_full && has_room(socket)) || port->error)
        port->events.on_room(port->events.owner);
}

static int socket_attach(struct port *port, struct event_base *base, char *reason, size_t reason_size)
{
    struct stream_socket *socket = port->priv;

    socket->writable = event_new(base, port->fd, EV_WRITE, on_writable, port);
    if (!socket->writable) {
        snprintf(reason, reason_size, "port %s: no memory for its event", port->info.target);
        return -ENOMEM;
    }
    if (socket->out_begin < socket->out_end) /* of an earlier queue: nobody else would push it out */
        event_add(socket->writable, NULL);
    return 0;
}

/* A frame that went out in part is followed by its rest, or the other side loses count. */
static void socket_detach(struct port *port)
{
    struct stream_socket *socket = port->priv;

    if (socket->writable)
        event_free(socket->writable);
    socket->writable = NULL;
}

static size_t socket_room(struct port *port)
{
    const struct stream_socket *socket = port->priv;

    return port->error ? SIZE_MAX : BUFFER_BYTES - (socket->out_end - socket->out_begin);
}

static enum netif_verdict socket_send(struct port *port, const struct netif_packet *packet, uint8_t *bytes)
{
    struct stream_socket *socket = port->priv;
    const uint32_t length = packet->length_bytes;

    if (port->error || BUFFER_BYTES - (socket->out_end - socket->out_begin) < LENGTH_BYTES + length) {
        port->counters.refused++;
        return NETIF_VERDICT_OK;
    }
    if (BUFFER_BYTES - socket->out_end < LENGTH_BYTES + length) {
        memmove(socket->out, socket->out + socket->out_begin, socket->out_end - socket->out_begin);
        socket->out_end -= socket->out_begin;
        socket->out_begin = 0;
    }
    memcpy(bytes - LENGTH_BYTES, (const uint8_t[]){ 0, 0, (uint8_t)(length >> 8), (uint8_t)length },
           LENGTH_BYTES);
    memcpy(socket->out + socket->out_end, bytes - LENGTH_BYTES, LENGTH_BYTES + length);
    socket->out_end += LENGTH_BYTES + length;
    return NETIF_VERDICT_OK;
}

/* True: more bytes are there. */
static bool fill_in(struct port *port)
{
    struct stream_socket *socket = port->priv;
    ssize_t got;

    if (socket->in_begin > 0) {
        memmove(socket->in, socket->in + socket->in_begin, socket->in_end - socket->in_begin);
        socket->in_end -= socket->in_begin;
        socket->in_begin = 0;
    }
    do
        got = recv(port->fd, socket->in + socket->in_end, BUFFER_BYTES - socket->in_end, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        port->error = got == 0 ? -ECONNRESET : -errno;
    if (got <= 0)
        return false;
    socket->in_end += (uint32_t)got;
    return true;
}

static uint32_t frame_length(const struct stream_socket *socket)
{
    const uint8_t *at = socket->in + socket->in_begin;

    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Is the next frame there as a whole? What no guest can take is passed over. */
static bool find_frame(struct port *port, uint32_t *length_bytes)
{
    struct stream_socket *socket = port->priv;

    for (;;) {
        const uint32_t have = socket->in_end - socket->in_begin;
        const uint32_t skip = socket->skip_bytes < have ? socket->skip_bytes : have;

        socket->in_begin += skip;
        socket->skip_bytes -= skip;
        if (socket->skip_bytes > 0 || have - skip < LENGTH_BYTES)
            return false;
        *length_bytes = frame_length(socket);
        if (*length_bytes < NETIF_PACKET_BYTES_MIN || *length_bytes > NETIF_PACKET_BYTES_MAX) {
            socket->in_begin += LENGTH_BYTES;
            socket->skip_bytes = *length_bytes;
            port->counters.refused++;
            continue;
        }
        return have - skip - LENGTH_BYTES >= *length_bytes;
    }
}

static enum port_got socket_receive(struct port *port, struct netif_packet *packet, uint8_t **bytes)
{
    struct stream_socket *socket = port->priv;
    uint32_t length;

    while (!find_frame(port, &length))
        if (port->error || !fill_in(port))
            return PORT_GOT_NOTHING;
    memset(packet, 0, offsetof(struct netif_packet, part));
    packet->length_bytes = length;
    memcpy(*bytes, socket->in + socket->in_begin + LENGTH_BYTES, length);
    socket->in_begin += LENGTH_BYTES + length;
    return PORT_GOT_FRAME;
}

const struct port_kind port_kind_socket = {
    .name = "socket",
    .open = socket_open,
    .close = socket_close,
    .attach = socket_attach,
    .detach = socket_detach,
    .watch = port_watch_nothing,
    .set_carrier = port_carrier_nothing,
    .room = socket_room,
    .send = socket_send,
    .flush = push_out,
    .receive = socket_receive,
    .release = port_release_nothing,
};
