// SPDX-License-Identifier: MIT
/*
 * socket.c: frames over a stream socket, each behind its length in four bytes, in network order: how QEMU's socket
 * backends and passt speak. With passt at the other end a guest has a network without any privilege.
 *
 * Both directions have a buffer of a fixed size. When the other side is slow the guest's ring waits (port_room). When
 * it goes away, or what it says makes no sense, the link is down and what is on its way lost, as on a cable; from
 * then on the port looks for it again, at growing distances.
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
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
#define SKIPPED_BYTES_MAX (128u * 1024u) /* a longer frame is none: the two ends have lost step */
#define FILLS_MAX                                                                                            \
    8u /* of the buffer, without any frame in it that could be given, until others get their turn */
#define RETRY_FIRST_MS 100u
#define RETRY_MAX_MS 5000u

_Static_assert(LENGTH_BYTES <= PORT_HEADROOM_BYTES, "room for the length");

struct stream_socket {
    struct sockaddr_un address;
    struct event *writable;
    struct event *retry;
    unsigned int retry_ms;
    uint32_t out_begin, out_end, in_begin, in_end;
    uint32_t skip_bytes; /* of a frame that nobody can take */
    uint8_t out[BUFFER_BYTES];
    uint8_t in[BUFFER_BYTES];
};

static void socket_close(struct port *port, bool is_kept)
{
    port_set_fd(port, -1);
    free(port->priv);
}

/* Does not wait where is_patient is not set: nobody listens, or those who wait to be accepted are too many. */
static int socket_connect(struct port *port, bool is_patient)
{
    const struct stream_socket *stream = port->priv;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (is_patient ? 0 : SOCK_NONBLOCK), 0);
    int ret = 0;

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&stream->address, sizeof(stream->address)) < 0) {
        ret = -errno;
        close(fd);
        return ret;
    }
    return port_set_fd(port, fd);
}

static int socket_open(struct port *port, const char *argument, const struct port_wish *wish, char *reason,
                       size_t reason_size)
{
    const size_t path_max = sizeof(((struct sockaddr_un *)NULL)->sun_path);
    struct stream_socket *stream;
    int ret;

    if (!argument || argument[0] != '/' || strlen(argument) >= path_max) {
        snprintf(reason, reason_size, "port: expected socket:PATH with an absolute path of at most %zu bytes",
                 path_max - 1);
        return -EINVAL;
    }
    stream = port->priv = calloc(1, sizeof(*stream));
    if (!stream) {
        snprintf(reason, reason_size, "port socket:%s: no memory", argument);
        return -ENOMEM;
    }
    stream->address.sun_family = AF_UNIX;
    memcpy(stream->address.sun_path, argument, strlen(argument) + 1);
    stream->retry_ms = RETRY_FIRST_MS;
    snprintf(port->info.target, sizeof(port->info.target), "socket:%s", argument);
    ret = socket_connect(port, !wish->is_adopting);
    port->has_no_link = ret != 0;
    if (ret == 0 ||
        wish->is_adopting) /* the guest keeps its device, whatever has become of the far end meanwhile */
        return 0;
    snprintf(reason, reason_size, "port socket:%s: expected a stream socket that takes connections: %s",
             argument, strerror(-ret));
    socket_close(port, false);
    return ret;
}

static void retry_later(struct stream_socket *stream)
{
    const struct timeval wait = { .tv_sec = stream->retry_ms / 1000,
                                  .tv_usec = stream->retry_ms % 1000 * 1000 };

    event_add(stream->retry, &wait);
    stream->retry_ms = stream->retry_ms * 2 < RETRY_MAX_MS ? stream->retry_ms * 2 : RETRY_MAX_MS;
}

/* Only while attached. */
__attribute__((format(printf, 2, 3))) static void lose_link(struct port *port, const char *fmt, ...)
{
    struct stream_socket *stream = port->priv;
    char why[160];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    if (stream->writable)
        event_free(stream->writable);
    stream->writable = NULL;
    port_set_fd(port, -1);
    stream->out_begin = stream->out_end = stream->in_begin = stream->in_end = stream->skip_bytes = 0;
    port->has_no_link = true;
    retry_later(stream);
    port->events.on_link(port->events.owner, false, why);
}

static bool has_room(const struct stream_socket *stream)
{
    return BUFFER_BYTES - (stream->out_end - stream->out_begin) >= FRAME_BYTES;
}

static void push_out(struct port *port)
{
    struct stream_socket *stream = port->priv;

    while (stream->out_begin < stream->out_end) {
        const ssize_t sent = send(port->fd, stream->out + stream->out_begin,
                                  stream->out_end - stream->out_begin, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent >= 0) {
            stream->out_begin += (uint32_t)sent;
        } else if (errno == EAGAIN) {
            event_add(stream->writable, NULL);
            return;
        } else if (errno != EINTR) {
            lose_link(port, "the far end is gone: %s", strerror(errno));
        }
    }
    stream->out_begin = stream->out_end = 0;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct port *port = arg;
    struct stream_socket *stream = port->priv;
    const bool was_full = !has_room(stream);

    push_out(port);
    if (was_full && has_room(stream))
        port->events.on_room(port->events.owner);
}

static int watch_writable(struct port *port)
{
    struct stream_socket *stream = port->priv;

    stream->writable = event_new(port->base, port->fd, EV_WRITE, on_writable, port);
    return stream->writable ? 0 : -ENOMEM;
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct port *port = arg;
    int ret = socket_connect(port, false);

    if (ret == 0)
        ret = watch_writable(port);
    if (ret) {
        port_set_fd(port, -1);
        retry_later(port->priv);
        return;
    }
    port->has_no_link = false;
    port->events.on_link(port->events.owner, true, "the far end takes the connection again");
}

static int socket_attach(struct port *port, struct event_base *base, char *reason, size_t reason_size)
{
    struct stream_socket *stream = port->priv;

    stream->retry = evtimer_new(base, on_retry, port);
    if (!stream->retry || (port->fd >= 0 && watch_writable(port) < 0)) {
        snprintf(reason, reason_size, "port %s: no memory for its events", port->info.target);
        return -ENOMEM;
    }
    if (port->fd < 0)
        retry_later(stream);
    else if (stream->out_begin < stream->out_end) /* of an earlier queue: nobody else would push it out */
        event_add(stream->writable, NULL);
    return 0;
}

/* A frame that went out in part is followed by its rest, or the other side loses count. */
static void socket_detach(struct port *port)
{
    struct stream_socket *stream = port->priv;

    if (stream->writable)
        event_free(stream->writable);
    if (stream->retry)
        event_free(stream->retry);
    stream->writable = stream->retry = NULL;
}

/* Without a link everything is taken, and lost. */
static size_t socket_room(struct port *port)
{
    const struct stream_socket *stream = port->priv;

    return port->fd < 0 ? SIZE_MAX : BUFFER_BYTES - (stream->out_end - stream->out_begin);
}

static enum netif_verdict socket_send(struct port *port, const struct netif_packet *packet, uint8_t *bytes)
{
    struct stream_socket *stream = port->priv;
    const uint32_t length = packet->length_bytes;

    if (port->fd < 0 || BUFFER_BYTES - (stream->out_end - stream->out_begin) < LENGTH_BYTES + length) {
        port->counters.refused++;
        return NETIF_VERDICT_OK;
    }
    if (BUFFER_BYTES - stream->out_end < LENGTH_BYTES + length) {
        memmove(stream->out, stream->out + stream->out_begin, stream->out_end - stream->out_begin);
        stream->out_end -= stream->out_begin;
        stream->out_begin = 0;
    }
    memcpy(bytes - LENGTH_BYTES, (const uint8_t[]){ 0, 0, (uint8_t)(length >> 8), (uint8_t)length },
           LENGTH_BYTES);
    memcpy(stream->out + stream->out_end, bytes - LENGTH_BYTES, LENGTH_BYTES + length);
    stream->out_end += LENGTH_BYTES + length;
    return NETIF_VERDICT_OK;
}

/* True: more bytes are there. */
static bool fill_in(struct port *port)
{
    struct stream_socket *stream = port->priv;
    ssize_t got;

    if (stream->in_begin > 0) {
        memmove(stream->in, stream->in + stream->in_begin, stream->in_end - stream->in_begin);
        stream->in_end -= stream->in_begin;
        stream->in_begin = 0;
    }
    do
        got = recv(port->fd, stream->in + stream->in_end, BUFFER_BYTES - stream->in_end, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        lose_link(port, "the far end is gone: %s",
                  got == 0 ? "it has closed the connection" : strerror(errno));
    if (got <= 0)
        return false;
    stream->in_end += (uint32_t)got;
    return true;
}

static uint32_t frame_length(const struct stream_socket *stream)
{
    const uint8_t *at = stream->in + stream->in_begin;

    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Is the next frame there as a whole? What no guest can take is passed over. */
static bool find_frame(struct port *port, uint32_t *length_bytes)
{
    struct stream_socket *stream = port->priv;

    for (;;) {
        const uint32_t have = stream->in_end - stream->in_begin;
        const uint32_t skip = stream->skip_bytes < have ? stream->skip_bytes : have;

        stream->in_begin += skip;
        stream->skip_bytes -= skip;
        if (stream->skip_bytes > 0 || have - skip < LENGTH_BYTES)
            return false;
        *length_bytes = frame_length(stream);
        if (*length_bytes > SKIPPED_BYTES_MAX) {
            lose_link(
                port,
                "expected frames of %u to %u bytes, each behind its length in 4 bytes, found a length of %u",
                NETIF_PACKET_BYTES_MIN, NETIF_PACKET_BYTES_MAX, *length_bytes);
            return false;
        }
        if (*length_bytes < NETIF_PACKET_BYTES_MIN || *length_bytes > NETIF_PACKET_BYTES_MAX) {
            stream->in_begin += LENGTH_BYTES;
            stream->skip_bytes = *length_bytes;
            port->counters.refused++;
            continue;
        }
        return have - skip - LENGTH_BYTES >= *length_bytes;
    }
}

static enum port_got socket_receive(struct port *port, struct netif_packet *packet, uint8_t **bytes)
{
    struct stream_socket *stream = port->priv;
    uint32_t length;

    for (unsigned int fills = 0; !find_frame(port, &length); fills++)
        if (port->fd < 0 || fills == FILLS_MAX || !fill_in(port))
            return PORT_GOT_NOTHING;
    stream->retry_ms = RETRY_FIRST_MS; /* it does speak as we do */
    memset(packet, 0, offsetof(struct netif_packet, part));
    packet->length_bytes = length;
    memcpy(*bytes, stream->in + stream->in_begin + LENGTH_BYTES, length);
    stream->in_begin += LENGTH_BYTES + length;
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
