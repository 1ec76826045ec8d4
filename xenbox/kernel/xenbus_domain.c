// SPDX-License-Identifier: MIT
/*
 * xenbus_domain.c: see xenbus_domain.h. The protocol is xs_mux's business, the shared page xs_ring's; here
 * bytes move between them and the sockets. A client's socket is read only while the multiplexer wants its
 * bytes, so a client that is ahead of the store is held back by its own socket buffer.
 */
#include <config.h>

#include "xenbox/kernel/xenbus_domain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <xenevtchn.h>
#include <xen/io/xs_wire.h>

#include "xenbox/kernel/xs_mux.h"
#include "xenbox/kernel/xs_ring.h"
#include "xenbox/lib/client.h"
#include "xenbox/lib/evtchn.h"

struct session {
    struct xenbus_domain *domain;
    int fd;
    struct event *readable, *writable, *closed;
    struct xs_client *xs;
    LIST_ENTRY(session) link;
};

struct xenbus_domain {
    struct event_base *base;
    uint16_t domid;
    xenbus_domain_gone_fn gone;
    void *opaque;
    xenevtchn_handle *evtchn;
    evtchn_port_t port;
    struct event *port_event, *hv_event, *listen_event;
    char name[8]; /* of the socket */
    int listen_fd;
    int spare_fd; /* given up for a moment to refuse a client when there are no descriptors left */
    void *page;
    struct xs_ring ring;
    struct xs_mux *mux;
    LIST_HEAD(, session) sessions;
};

#define PUMP_PASSES 64 /* before other domains get their turn */

/* ---- sessions: a program of the domain that is connected ---- */

static void session_log(const struct session *session, const char *what)
{
    struct ucred peer = { 0 };
    socklen_t len = sizeof(peer);

    getsockopt(session->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    fprintf(stderr, "xenbox-xenbus: domain %u: client of process %d %s: disconnected\n",
            session->domain->domid, (int)peer.pid, what);
}

static void event_drop(struct event **event)
{
    if (*event)
        event_free(*event);
    *event = NULL;
}

static void session_close(struct session *session)
{
    LIST_REMOVE(session, link);
    event_drop(&session->readable);
    event_drop(&session->writable);
    event_drop(&session->closed);
    if (session->xs)
        xs_client_close(session->xs);
    close(session->fd);
    free(session);
}

static const char *session_failure(int error)
{
    switch (error) {
    case -EPROTO:
        return "does not speak the xenstore protocol";
    case -ENOBUFS:
        return "does not read its watch events";
    default:
        return "cannot be served: no memory";
    }
}

/* Writes what there is for the client and arms what it waits for. Closes it when it is beyond help. */
static void session_serve(struct session *session)
{
    int error = xs_client_error(session->xs);
    const void *data;
    void *to;
    size_t len;

    if (error) {
        session_log(session, session_failure(error));
        session_close(session);
        return;
    }
    while ((len = xs_client_peek(session->xs, &data)) > 0) {
        ssize_t sent = send(session->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent < 0) {
            session_close(session);
            return;
        }
        xs_client_sent(session->xs, (size_t)sent);
    }
    if (len > 0)
        event_add(session->writable, NULL);
    if (xs_client_want(session->xs, &to) > 0)
        event_add(session->readable, NULL);
}

/* Reads as much as the multiplexer wants; false: the client is closed. */
static bool session_read(struct session *session)
{
    size_t want;
    void *to;

    while ((want = xs_client_want(session->xs, &to)) > 0) {
        ssize_t got = recv(session->fd, to, want, MSG_DONTWAIT);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return true;
        if (got <= 0) {
            session_close(session);
            return false;
        }
        xs_client_got(session->xs, (size_t)got);
    }
    return true;
}

static void domain_pump(struct xenbus_domain *domain);

static void session_on_readable(evutil_socket_t fd, short what, void *opaque)
{
    struct session *session = opaque;
    struct xenbus_domain *domain = session->domain;

    if (session_read(session))
        session_serve(session);
    domain_pump(domain);
}

static void session_on_writable(evutil_socket_t fd, short what, void *opaque)
{
    struct session *session = opaque;
    struct xenbus_domain *domain = session->domain;

    session_serve(session);
    domain_pump(domain);
}

/* Hung up; a last request that is still to be read comes first, as a kernel would have taken it already. */
static void session_on_closed(evutil_socket_t fd, short what, void *opaque)
{
    struct session *session = opaque;
    struct xenbus_domain *domain = session->domain;

    if (session_read(session))
        session_close(session);
    domain_pump(domain);
}

static int spare_open(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void session_new(struct xenbus_domain *domain, int fd)
{
    struct session *session = calloc(1, sizeof(*session));

    if (!session) {
        close(fd);
        return;
    }
    session->domain = domain;
    session->fd = fd;
    LIST_INSERT_HEAD(&domain->sessions, session, link);
    session->readable = event_new(domain->base, fd, EV_READ, session_on_readable, session);
    session->writable = event_new(domain->base, fd, EV_WRITE, session_on_writable, session);
    session->closed = event_new(domain->base, fd, EV_CLOSED | EV_PERSIST, session_on_closed, session);
    session->xs = xs_client_new(domain->mux, session);
    if (!session->xs || !session->readable || !session->writable || !session->closed) {
        session_log(session, session->xs ? session_failure(-ENOMEM) : "is one too many");
        session_close(session);
        return;
    }
    event_add(session->closed, NULL);
    session_serve(session);
}

/* Without a descriptor the client would stay in the queue, and the listening socket readable. */
static void domain_refuse(struct xenbus_domain *domain)
{
    fprintf(stderr, "xenbox-xenbus: domain %u: no descriptors left: a client is refused\n", domain->domid);
    close(domain->spare_fd);
    domain->spare_fd = accept4(domain->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (domain->spare_fd >= 0)
        close(domain->spare_fd);
    domain->spare_fd = spare_open();
}

static void domain_on_connection(evutil_socket_t listen_fd, short what, void *opaque)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0)
        session_new(opaque, fd);
    else if (errno == EMFILE || errno == ENFILE)
        domain_refuse(opaque);
}

/* ---- the ring ---- */

static int domain_move(struct xenbus_domain *domain, bool *has_moved)
{
    char buffer[XENSTORE_RING_SIZE];
    struct xs_client *xs;
    const void *data;
    ssize_t done = 0;
    size_t len;

    *has_moved = false;
    while ((xs = xs_mux_woken(domain->mux)))
        session_serve(xs_client_owner(xs));
    while ((len = xs_mux_peek(domain->mux, &data)) > 0 &&
           (done = xs_ring_write(&domain->ring, data, len)) > 0) {
        xs_mux_sent(domain->mux, (size_t)done);
        *has_moved = true;
    }
    while (done >= 0 && (done = xs_ring_read(&domain->ring, buffer, sizeof(buffer))) > 0) {
        int rc = xs_mux_receive(domain->mux, buffer, (size_t)done);

        if (rc < 0)
            return rc;
        *has_moved = true;
    }
    return done < 0 ? (int)done : 0;
}

/* Moves all that can be moved. The last thing that a callback does, since the domain may be given up here. */
static void domain_pump(struct xenbus_domain *domain)
{
    bool has_moved = true, is_peer_waiting = false;
    int rc = 0;

    for (int pass = 0; rc == 0 && has_moved && pass < PUMP_PASSES; pass++) {
        rc = domain_move(domain, &has_moved);
        is_peer_waiting |= has_moved;
    }
    if (is_peer_waiting)
        xenevtchn_notify(domain->evtchn, domain->port);
    if (has_moved)
        event_active(domain->port_event, EV_READ, 0);
    if (rc < 0) {
        fprintf(stderr,
                "xenbox-xenbus: domain %u: the store has broken the ring (an impossible index or length): "
                "given up\n",
                domain->domid);
        domain->gone(domain, domain->opaque);
    }
}

static void domain_on_event(evutil_socket_t fd, short what, void *opaque)
{
    struct xenbus_domain *domain = opaque;
    xenevtchn_port_or_error_t port = xenevtchn_pending(domain->evtchn);

    if (port >= 0)
        xenevtchn_unmask(domain->evtchn, (evtchn_port_t)port);
    domain_pump(domain);
}

/* The hypervisor process says nothing unasked: it has hung up because the domain is dead. */
static void domain_on_hangup(evutil_socket_t fd, short what, void *opaque)
{
    struct xenbus_domain *domain = opaque;

    domain->gone(domain, domain->opaque);
}

/* ---- life ---- */

/* Listens under a temporary name first, so that whoever sees the name can connect. */
static int socket_listen(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc;

    if (fd < 0)
        return -errno;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", name);
    unlink(address.sun_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, SOMAXCONN) == 0 &&
        rename(address.sun_path, name) == 0)
        return fd;
    rc = -errno;
    unlink(address.sun_path);
    close(fd);
    return rc;
}

static int domain_init(struct xenbus_domain *domain, struct client *hv)
{
    const struct xb_domain *tables = &hv->tables->domain[domain->domid];
    const uint32_t frame = tables->store_frame;
    int rc;

    domain->mux = xs_mux_new();
    if (!domain->mux)
        return -ENOMEM;
    domain->evtchn = evtchn_open_as(domain->domid, XB_HELLO_KERNEL);
    if (!domain->evtchn)
        return -errno;
    evutil_make_socket_nonblocking(xenevtchn_fd(domain->evtchn));
    rc = client_map_frames(hv, &frame, 1, PROT_READ | PROT_WRITE, &domain->page);
    if (rc < 0)
        return rc;
    xs_ring_init(&domain->ring, domain->page);
    domain->port = tables->store_port;
    rc = evtchn_adopt(domain->evtchn, domain->port);
    if (rc < 0)
        return rc;
    domain->spare_fd = spare_open();
    domain->listen_fd = socket_listen(domain->name);
    if (domain->listen_fd < 0)
        return domain->listen_fd;
    domain->port_event =
        event_new(domain->base, xenevtchn_fd(domain->evtchn), EV_READ | EV_PERSIST, domain_on_event, domain);
    domain->hv_event =
        event_new(domain->base, evtchn_conn_fd(domain->evtchn), EV_READ, domain_on_hangup, domain);
    domain->listen_event =
        event_new(domain->base, domain->listen_fd, EV_READ | EV_PERSIST, domain_on_connection, domain);
    if (!domain->port_event || !domain->hv_event || !domain->listen_event)
        return -ENOMEM;
    event_add(domain->port_event, NULL);
    event_add(domain->hv_event, NULL);
    event_add(domain->listen_event, NULL);
    return 0;
}

int xenbus_domain_new(struct xenbus_domain **result, struct event_base *base, struct client *hv,
                      uint16_t domid, xenbus_domain_gone_fn gone, void *opaque)
{
    struct xenbus_domain *domain = calloc(1, sizeof(*domain));
    int rc;

    if (!domain)
        return -ENOMEM;
    domain->base = base;
    domain->domid = domid;
    domain->gone = gone;
    domain->opaque = opaque;
    domain->listen_fd = domain->spare_fd = -1;
    LIST_INIT(&domain->sessions);
    snprintf(domain->name, sizeof(domain->name), "%u", domid);
    rc = domain_init(domain, hv);
    if (rc < 0) {
        fprintf(stderr, "xenbox-xenbus: domain %u: cannot serve its xenstore connection: %s\n", domid,
                strerror(-rc));
        xenbus_domain_free(domain);
        return rc;
    }
    *result = domain;
    return 0;
}

uint16_t xenbus_domain_domid(const struct xenbus_domain *domain)
{
    return domain->domid;
}

void xenbus_domain_free(struct xenbus_domain *domain)
{
    struct session *session;

    if (!domain)
        return;
    if (domain->listen_fd >= 0)
        unlink(domain->name);
    while ((session = LIST_FIRST(&domain->sessions)))
        session_close(session);
    event_drop(&domain->port_event);
    event_drop(&domain->hv_event);
    event_drop(&domain->listen_event);
    if (domain->listen_fd >= 0)
        close(domain->listen_fd);
    if (domain->spare_fd >= 0)
        close(domain->spare_fd);
    if (domain->page)
        client_unmap_frames(domain->page, 1);
    if (domain->evtchn)
        xenevtchn_close(domain->evtchn);
    xs_mux_free(domain->mux);
    free(domain);
}
