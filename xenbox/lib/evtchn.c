// SPDX-License-Identifier: MIT
/*
 * evtchn.c: libxenevtchn.
 *
 * The handle's descriptor is the read end of a pipe of port numbers, as the header and Linux's
 * /dev/xen/evtchn have it: readable exactly when a port is queued. Binding is the hypervisor process's;
 * notify, unmask and pending work on the shared tables and the pipes. A child that was forked and goes on
 * using the handle gets a connection of its own to it, since the descriptor is all that counts.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "xenbox/hv/atoms.h"
#include "xenbox/lib/client.h"
#include "xenbox/lib/evtchn.h"
#include "xenbox/lib/sinks.h"
#include "xenbox/lib/toolcore.h"

struct xenevtchn_handle {
    struct client client;
    Xentoolcore__Active_Handle active;
    pthread_mutex_t lock; /* the journal and the cache of sinks */
    struct sinks sinks;
    int fd; /* read end */
};

static int evtchn_error(int error)
{
    errno = -error;
    return -1;
}

static int evtchn_restrict(Xentoolcore__Active_Handle *active, domid_t domid)
{
    return xenevtchn_restrict((void *)((char *)active - offsetof(xenevtchn_handle, active)), domid);
}

/* What both ways of opening have in common; takes the result of opening the client. */
static xenevtchn_handle *evtchn_finish_open(xenevtchn_handle *handle, int ret)
{
    if (ret < 0) {
        free(handle);
        errno = -ret;
        return NULL;
    }
    pthread_mutex_init(&handle->lock, NULL);
    handle->active.restrict_callback = evtchn_restrict;
    xentoolcore__register_active_handle(&handle->active);
    return handle;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    xenevtchn_handle *handle = calloc(1, sizeof(*handle));
    int ret = -EINVAL;

    if (!handle)
        return NULL;
    if (!(flags & ~(unsigned)XENEVTCHN_NO_CLOEXEC))
        ret = client_open(&handle->client, "evtchn", logger, XB_CONN_EVTCHN, 0, -1, &handle->fd);
    if (ret == 0 && (flags & XENEVTCHN_NO_CLOEXEC))
        fcntl(handle->fd, F_SETFD, 0);
    return evtchn_finish_open(handle, ret);
}

xenevtchn_handle *evtchn_open_as(uint16_t domid, uint32_t flags)
{
    xenevtchn_handle *handle = calloc(1, sizeof(*handle));

    if (!handle)
        return NULL;
    return evtchn_finish_open(handle, client_open_as(&handle->client, "evtchn", NULL, XB_CONN_EVTCHN, domid,
                                                     flags, -1, &handle->fd));
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned int open_flags)
{
    xenevtchn_handle *handle = calloc(1, sizeof(*handle));
    int ret = -EINVAL;

    if (!handle)
        return NULL;
    handle->fd = fd;
    if (!open_flags)
        ret = client_open(&handle->client, "evtchn", logger, XB_CONN_EVTCHN, XB_HELLO_ADOPT, fd, NULL);
    return evtchn_finish_open(handle, ret);
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    if (!xce)
        return 0;
    xentoolcore__deregister_active_handle(&xce->active);
    /* The descriptor first: if it is the last copy, the ports are unbound when client_close() returns. */
    close(xce->fd);
    client_close(&xce->client);
    sinks_fini(&xce->sinks);
    pthread_mutex_destroy(&xce->lock);
    free(xce);
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    return xce->fd;
}

int evtchn_conn_fd(const xenevtchn_handle *handle)
{
    return handle->client.fd;
}

/* In a child that was forked: a connection of its own to the same handle. */
static int evtchn_enter(xenevtchn_handle *handle)
{
    struct client client;
    int ret;

    if (client_is_ours(&handle->client))
        return 0;
    ret = client_open_as(&client, handle->client.library, handle->client.logger, XB_CONN_EVTCHN,
                         handle->client.domid, XB_HELLO_ADOPT, handle->fd, NULL);
    if (ret < 0)
        return ret;
    client_close(&handle->client);
    handle->client = client;
    /* Another thread of the parent may have been holding it. */
    pthread_mutex_init(&handle->lock, NULL);
    return 0;
}

/* A request with a port as its answer. */
static int evtchn_bind(xenevtchn_handle *handle, uint32_t op, uint32_t domid, uint32_t port)
{
    struct xb_bind bind = { .domid = domid, .port = port };
    struct xb_u32 bound;
    int ret = evtchn_enter(handle);

    if (ret == 0)
        ret = client_call(&handle->client, op, &bind, sizeof(bind), &bound, sizeof(bound), NULL);
    return ret < 0 ? evtchn_error(ret) : (int)bound.value;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
    return evtchn_bind(xce, XB_OP_BIND_UNBOUND, domid, 0);
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
                                                     evtchn_port_t remote_port)
{
    return evtchn_bind(xce, XB_OP_BIND_INTERDOMAIN, domid, remote_port);
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
    return evtchn_bind(xce, XB_OP_BIND_VIRQ, 0, virq);
}

int evtchn_adopt(xenevtchn_handle *handle, evtchn_port_t port)
{
    return evtchn_bind(handle, XB_OP_ADOPT_PORT, 0, port) < 0 ? -errno : 0;
}

/* A request with a number and no answer. */
static int evtchn_ask(xenevtchn_handle *handle, uint32_t op, uint32_t value)
{
    struct xb_u32 request = { .value = value };
    int ret = evtchn_enter(handle);

    if (ret == 0)
        ret = client_call(&handle->client, op, &request, sizeof(request), NULL, 0, NULL);
    return ret < 0 ? evtchn_error(ret) : 0;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    return evtchn_ask(xce, XB_OP_UNBIND, port);
}

int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
    return evtchn_ask(xce, XB_OP_RESTRICT, domid);
}

static struct xb_port *port_at(xenevtchn_handle *handle, uint16_t domid, evtchn_port_t port)
{
    return &handle->client.tables->domain[domid % XB_MAX_DOMAINS].port[port % XB_MAX_PORTS];
}

/* A port of ours: one that this handle has bound. */
static bool port_is_ours(xenevtchn_handle *handle, evtchn_port_t port)
{
    return port < XB_MAX_PORTS &&
           XB_WORD_CONN(atomic_load(&port_at(handle, handle->client.domid, port)->word)) ==
               handle->client.sink;
}

/*
 * Raises a port of any domain. `sending` says what we are at, so that the event is not lost between the
 * atomic step and the write if we are killed there.
 */
static int port_raise(xenevtchn_handle *handle, uint16_t domid, evtchn_port_t number)
{
    struct xb_port *port = port_at(handle, domid, number);
    uint32_t sink = XB_WORD_CONN(atomic_load(&port->word));
    bool is_stale = true;
    int ret = 0;

    atomic_store(&handle->client.slot->sending, XB_HELD(domid, number));
    while (is_stale) {
        /* A listener that is gone: the hypervisor process is about to close the port. */
        ret = sink ? sinks_get(&handle->sinks, &handle->client, sink) : 0;
        if (ret < 0)
            break;
        sink = xb_port_raise(port, sink, &is_stale);
    }
    if (ret == 0 && sink)
        ret = sinks_write(&handle->sinks, sink, number);
    atomic_store(&handle->client.slot->sending, 0);
    return ret == -ESRCH ? 0 : ret;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    uint64_t link;
    int ret = evtchn_enter(xce);

    if (ret < 0)
        return evtchn_error(ret);
    if (!port_is_ours(xce, port))
        return evtchn_error(-ENOTCONN);
    link = atomic_load(&port_at(xce, xce->client.domid, port)->link);
    if (XB_LINK_TYPE(link) != XB_PORT_INTERDOMAIN)
        return 0;
    pthread_mutex_lock(&xce->lock);
    ret = port_raise(xce, XB_LINK_DOMID(link), XB_LINK_PORT(link));
    pthread_mutex_unlock(&xce->lock);
    return ret < 0 ? evtchn_error(ret) : 0;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    struct xb_port *unmasked;
    int ret = evtchn_enter(xce);

    if (ret < 0)
        return evtchn_error(ret);
    /* The device takes any number and ignores those that are not its own. */
    if (!port_is_ours(xce, port))
        return 0;
    unmasked = port_at(xce, xce->client.domid, port);
    pthread_mutex_lock(&xce->lock);
    atomic_store(&xce->client.slot->sending, XB_HELD(xce->client.domid, port));
    ret = sinks_get(&xce->sinks, &xce->client, xce->client.sink);
    if (ret == 0 && xb_port_unmask(unmasked, xce->client.sink))
        ret = sinks_write(&xce->sinks, xce->client.sink, port);
    atomic_store(&xce->client.slot->sending, 0);
    pthread_mutex_unlock(&xce->lock);
    return ret < 0 ? evtchn_error(ret) : 0;
}

/*
 * Waits for a port without getting stuck when the hypervisor process is gone: as long as any notifier has the
 * write end of the pipe, its end of file does not come.
 */
static int pipe_wait(xenevtchn_handle *handle)
{
    struct pollfd fds[2] = { { .fd = handle->fd, .events = POLLIN }, { .fd = handle->client.fd } };

    if (fcntl(handle->fd, F_GETFL) & O_NONBLOCK)
        return -EAGAIN;
    if (poll(fds, 2, -1) < 0)
        return -errno;
    return fds[0].revents & POLLIN ? 0 : client_check(&handle->client);
}

/* One port from the pipe, or -EAGAIN at once when there is none. */
static int pipe_read(xenevtchn_handle *handle)
{
    evtchn_port_t port;
    struct iovec iov = { .iov_base = &port, .iov_len = sizeof(port) };
    struct pollfd readable = { .fd = handle->fd, .events = POLLIN };
    ssize_t size = preadv2(handle->fd, &iov, 1, -1, RWF_NOWAIT);

    /* An older kernel cannot do that on a pipe. */
    if (size < 0 && errno == EOPNOTSUPP) {
        if (poll(&readable, 1, 0) == 0)
            return -EAGAIN;
        size = read(handle->fd, &port, sizeof(port));
    }
    if (size < 0)
        return -errno;
    return size == sizeof(port) ? (int)port : -EIO;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    int ret = evtchn_enter(xce);

    while (ret == 0) {
        int port = pipe_read(xce);

        if (port >= 0)
            return port;
        ret = port == -EAGAIN ? pipe_wait(xce) : port;
        if (port == -EIO)
            client_check(&xce->client);
    }
    return evtchn_error(ret);
}
