// SPDX-License-Identifier: MIT
/*
 * server.c: see server.h. One thread, one epoll. Nothing here waits for a client: sockets are O_NONBLOCK, and
 * a client that does not read its one answer is hung up on.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "xenbox/hv/conn.h"
#include "xenbox/hv/ops.h"
#include "xenbox/hv/process.h"
#include "xenbox/hv/server.h"

#define EVENTS_PER_ROUND 64

struct packet {
    struct xb_msg msg;
    uint8_t payload[XB_MAX_PAYLOAD] __attribute__((aligned(8)));
};

/* One request is served at a time. */
static struct packet packet_in, packet_out;

/* No descriptor is left: a client that is hung up on fails at once, one that nobody accepts would wait. */
static void client_refuse(struct box *box)
{
    int fd;

    fprintf(stderr, "xenbox-hv: too many open files: a connection is refused\n");
    close(box->spare_fd);
    fd = accept4(box->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        close(fd);
    box->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void source_accept(struct box *box, struct source *source, uint32_t events)
{
    int fd = accept4(box->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct conn *conn;

    if (fd >= 0)
        conn_accept(box, fd, &conn);
    else if (errno == EMFILE || errno == ENFILE)
        client_refuse(box);
}

static struct source listener = { .ready = source_accept };

int server_listen(struct box *box, const char *dir)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int length;

    /* Through the open directory, so that the length of its name does not matter. */
    length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, XB_SOCKET);
    if (length >= (int)sizeof(address.sun_path))
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", box->dir_fd, XB_SOCKET);
    box->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (box->listen_fd < 0)
        return -errno;
    box->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    /* The directory is locked by us: a socket that is there is a dead one's. */
    unlinkat(box->dir_fd, XB_SOCKET, 0);
    if (bind(box->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(box->listen_fd, SOMAXCONN) < 0)
        return -errno;
    return box_watch(box, box->listen_fd, EPOLLIN, &listener);
}

/* Receives one packet. Returns its size, 0 for the end of the stream or -errno. *fd is a descriptor or -1. */
static ssize_t packet_receive(int socket_fd, int *fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(XB_MAX_FDS * sizeof(int))];
    } control;
    struct iovec iov = { .iov_base = &packet_in, .iov_len = sizeof(packet_in) };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    ssize_t size = recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC);
    struct cmsghdr *cmsg;

    *fd = -1;
    if (size < 0)
        return -errno;
    for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
        unsigned count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        for (unsigned i = 0; i < count; i++) {
            int received;

            memcpy(&received, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
            if (*fd < 0)
                *fd = received;
            else
                close(received);
        }
    }
    return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : size;
}

static int packet_send(int socket_fd, size_t size, const int *fds, unsigned count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(XB_MAX_FDS * sizeof(int))];
    } control = { 0 };
    struct iovec iov = { .iov_base = &packet_out, .iov_len = sizeof(packet_out.msg) + size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (count) {
        struct cmsghdr *cmsg = &control.align;

        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(cmsg), fds, count * sizeof(int));
    }
    return sendmsg(socket_fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int answer_send(struct conn *conn, uint32_t op, int error, const struct request *request)
{
    packet_out.msg = (struct xb_msg){ .op = op, .error = -error };
    if (error < 0)
        return packet_send(conn->fd, 0, NULL, 0);
    return packet_send(conn->fd, request->out_size, request->out_fd, request->out_fds);
}

/* Carries out the request in packet_in. False: the connection is to be ended. */
static bool request_serve(struct box *box, struct conn *conn, size_t size, int in_fd)
{
    struct request request = {
        .in = packet_in.payload, .in_size = size, .in_fd = in_fd, .out = packet_out.payload, .close_fd = -1
    };
    const struct op *op = op_find(packet_in.msg.op);
    int ret, sent = 0;

    if (!op || !op_is_allowed(op, conn))
        ret = -EPROTO;
    else if (size < op->in_size)
        ret = -EPROTO;
    else
        ret = op->handle(box, conn, &request);

    if (request.is_last) {
        int fd = dup(conn->fd);

        /* What it owned is undone before the answer says so. */
        conn_reap(box, conn);
        if (fd >= 0) {
            struct conn last = { .fd = fd };

            answer_send(&last, packet_in.msg.op, ret, &request);
            close(fd);
        }
        return true;
    }
    if (!request.is_answered_later && !(op && op->is_one_way))
        sent = answer_send(conn, packet_in.msg.op, ret, &request);
    if (request.close_fd >= 0)
        close(request.close_fd);
    return sent == 0 && ret != -EPROTO;
}

void server_conn_ready(struct box *box, struct source *source, uint32_t events)
{
    struct conn *conn = (struct conn *)source;
    bool is_alive = false;
    int fd;
    ssize_t size = packet_receive(conn->fd, &fd);

    if (size == -EAGAIN || size == -EINTR)
        return;
    if (size >= (ssize_t)sizeof(struct xb_msg))
        is_alive = request_serve(box, conn, size - sizeof(struct xb_msg), fd);
    if (fd >= 0)
        close(fd);
    if (!is_alive && source->ready)
        conn_reap(box, conn);
}

/* SIGTERM and SIGINT end the box as XB_OP_STOP does. */
static void source_signal(struct box *box, struct source *source, uint32_t events)
{
    box->is_stopping = true;
}

static struct source signals = { .ready = source_signal };

static int signals_watch(struct box *box)
{
    sigset_t set;
    int fd;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : box_watch(box, fd, EPOLLIN | EPOLLET, &signals);
}

static int round_serve(struct box *box, int timeout_ms)
{
    struct epoll_event events[EVENTS_PER_ROUND];
    int count = epoll_wait(box->epoll_fd, events, EVENTS_PER_ROUND, timeout_ms);

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        struct source *source = events[i].data.ptr;

        if (source->ready)
            source->ready(box, source, events[i].events);
    }
    box_empty_graveyard(box);
    return 0;
}

int server_run(struct box *box)
{
    int ret = signals_watch(box);

    while (ret == 0 && !box->is_stopping)
        ret = round_serve(box, -1);
    if (ret < 0)
        return ret;

    process_kill_all(box);
    while (ret == 0 && process_is_any_left(box)) {
        ret = round_serve(box, -1);
        process_kill_all(box); /* who connected meanwhile */
    }
    unlinkat(box->dir_fd, XB_SOCKET, 0);
    atomic_store(&box->tables->hv_pid, 0);
    if (box->stopper) {
        struct request request = { .out_size = 0 };

        answer_send(box->stopper, XB_OP_STOP, 0, &request);
    }
    conn_reap_all(box);
    return ret;
}
