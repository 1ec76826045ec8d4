// SPDX-License-Identifier: MIT
/* client.c: see client.h. The conversation; the memory of a box is in client_box.c. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "xenbox/lib/client.h"
#include "xenbox/lib/client_box.h"

#define HELLO_FDS 2 /* tables and frames come first */

/* Counts the forks between the process that loaded the library and this one. */
static _Atomic unsigned process_number;

static void process_forked(void)
{
    atomic_fetch_add(&process_number, 1);
    client_box_fork_child();
}

static void process_watch_forks(void)
{
    pthread_atfork(client_box_fork_prepare, client_box_fork_done, process_forked);
}

bool client_is_ours(const struct client *client)
{
    return client->process == atomic_load_explicit(&process_number, memory_order_relaxed);
}

void client_log(const struct client *client, int error, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (client->logger)
        xtl_log(client->logger, XTL_ERROR, error ? error : -1, "xenbox", "%s: %s", client->library, text);
    else
        fprintf(stderr, "xenbox: %s: %s%s%s\n", client->library, text, error ? ": " : "",
                error ? strerror(error) : "");
}

/* The hypervisor process is gone: says so once. Always -EIO. */
static int client_lose(struct client *client)
{
    if (!client->is_lost)
        client_log(client, 0, "no connection to the hypervisor process of box %s any more (%s)",
                   client->tables ? client->tables->name : "?",
                   getenv(XB_ENV_BOX) ? getenv(XB_ENV_BOX) : "?");
    client->is_lost = true;
    return -EIO;
}

static int packet_send(int fd, const struct xb_msg *msg, const struct iovec *payload, int count,
                       int passed_fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec iov[4] = { { .iov_base = (void *)msg, .iov_len = sizeof(*msg) } };
    struct msghdr header = { .msg_iov = iov, .msg_iovlen = 1 + count };
    ssize_t sent;

    memcpy(&iov[1], payload, count * sizeof(*payload));
    if (passed_fd >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof(control);
        control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS,
                                          .cmsg_len = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(&control.align), &passed_fd, sizeof(int));
    }
    do
        sent = sendmsg(fd, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* Receives the answer. Descriptors go to fds, -1 where none came. */
static ssize_t packet_receive(int fd, struct xb_msg *msg, const struct iovec *payload, int count, int *fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(XB_MAX_FDS * sizeof(int))];
    } control;
    struct iovec iov[4] = { { .iov_base = msg, .iov_len = sizeof(*msg) } };
    struct msghdr header = {
        .msg_iov = iov, .msg_iovlen = 1 + count, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    struct cmsghdr *cmsg;
    ssize_t size;

    memcpy(&iov[1], payload, count * sizeof(*payload));
    do
        size = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return -errno;
    for (int i = 0; i < (int)XB_MAX_FDS; i++)
        fds[i] = -1;
    cmsg = CMSG_FIRSTHDR(&header);
    if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
    /* This process had no room for a descriptor. */
    if (header.msg_flags & MSG_CTRUNC)
        return -EMFILE;
    if (size < (ssize_t)sizeof(*msg))
        return size == 0 ? -EPIPE : -EPROTO;
    return size - sizeof(*msg);
}

static void fds_close(int *fds)
{
    for (int i = 0; i < (int)XB_MAX_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

static bool is_loss(int error)
{
    return error == -EPIPE || error == -ECONNRESET || error == -ENOTCONN;
}

/* The conversation of one request; the caller holds the handle's lock. */
static ssize_t client_converse(struct client *client, uint32_t op, const struct iovec *request,
                               int request_count, const struct iovec *answer, int answer_count, int passed_fd,
                               int *fds)
{
    struct xb_msg msg = { .op = op };
    ssize_t got = packet_send(client->fd, &msg, request, request_count, passed_fd);

    for (int i = 0; i < (int)XB_MAX_FDS; i++)
        fds[i] = -1;
    if (got == 0)
        got = packet_receive(client->fd, &msg, answer, answer_count, fds);
    /* Errors of the conversation, not of the request: those are in the answer. */
    if (is_loss(got))
        got = client_lose(client);
    else if (got >= 0 && (msg.op != op || msg.error))
        got = msg.op == op && msg.error > 0 ? -msg.error : -EPROTO;
    if (got < 0)
        fds_close(fds);
    return got;
}

int client_callv(struct client *client, uint32_t op, const struct iovec *request, int request_count,
                 const struct iovec *answer, int answer_count, size_t *got, int *fd)
{
    size_t room = 0;
    int fds[XB_MAX_FDS];
    ssize_t size;

    if (!client_is_ours(client))
        return -EBADF;
    pthread_mutex_lock(&client->lock);
    size = client_converse(client, op, request, request_count, answer, answer_count, -1, fds);
    pthread_mutex_unlock(&client->lock);
    if (size < 0)
        return size;

    for (int i = 0; i < answer_count; i++)
        room += answer[i].iov_len;
    if (got)
        *got = size;
    if (fd) {
        *fd = fds[0];
        fds[0] = -1;
    }
    fds_close(fds);
    return !got && (size_t)size != room ? -EPROTO : 0;
}

int client_call(struct client *client, uint32_t op, const void *request, size_t request_size, void *answer,
                size_t answer_size, size_t *got)
{
    struct iovec in = { .iov_base = (void *)request, .iov_len = request_size };
    struct iovec out = { .iov_base = answer, .iov_len = answer_size };

    return client_callv(client, op, &in, 1, &out, 1, got, NULL);
}

int client_post(struct client *client, uint32_t op, const void *request, size_t request_size)
{
    struct xb_msg msg = { .op = op };
    struct iovec in = { .iov_base = (void *)request, .iov_len = request_size };
    int ret;

    if (!client_is_ours(client))
        return -EBADF;
    ret = packet_send(client->fd, &msg, &in, 1, -1);
    return is_loss(ret) ? client_lose(client) : ret;
}

int client_check(struct client *client)
{
    struct pollfd poll_fd = { .fd = client->fd };

    return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR)) ? client_lose(client) : 0;
}

static int client_connect(struct client *client, const char *dir)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int dir_fd = -1, ret = 0;

    client->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        return -errno;
    /* A directory with a long name is reached through a descriptor. */
    if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, XB_SOCKET) >=
        (int)sizeof(address.sun_path)) {
        dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
            return -errno;
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd, XB_SOCKET);
    }
    while (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno == EINTR)
            continue;
        ret = -errno;
        break;
    }
    if (dir_fd >= 0)
        close(dir_fd);
    return ret;
}

static int client_hello(struct client *client, enum xb_conn_kind kind, uint32_t flags, int adopt_fd,
                        int *sink_fd)
{
    struct xb_hello hello = {
        .abi = XB_ABI, .kind = kind, .domid = client->domid, .flags = flags | XB_HELLO_FDS
    };
    struct xb_welcome welcome;
    struct iovec in = { .iov_base = &hello, .iov_len = sizeof(hello) };
    struct iovec out = { .iov_base = &welcome, .iov_len = sizeof(welcome) };
    int fds[XB_MAX_FDS], ret;
    ssize_t got = client_converse(client, XB_OP_HELLO, &in, 1, &out, 1, adopt_fd, fds);

    if (got < 0)
        return got;
    if (got != sizeof(welcome) || fds[HELLO_FDS - 1] < 0) {
        fds_close(fds);
        return -EPROTO;
    }
    client->id = welcome.conn;
    client->sink = welcome.sink;
    /* From here on the descriptors of the memory are the box's. */
    ret = client_box_get(fds[0], fds[1], &client->box);
    fds[0] = fds[1] = -1;
    if (ret == 0) {
        client->tables = client_box_tables(client->box);
        client->slot = &client->tables->conn[XB_CONN_SLOT(client->id)];
        if (sink_fd) {
            *sink_fd = fds[HELLO_FDS];
            fds[HELLO_FDS] = -1;
        }
        /* The handle that was adopted keeps its domain. */
        client->domid = client->slot->domid;
    }
    fds_close(fds);
    return ret;
}

int client_open_as(struct client *client, const char *library, struct xentoollog_logger *logger,
                   enum xb_conn_kind kind, uint16_t domid, uint32_t flags, int adopt_fd, int *sink_fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *dir = getenv(XB_ENV_BOX);
    int ret;

    pthread_once(&once, process_watch_forks);
    memset(client, 0, sizeof(*client));
    client->library = library;
    client->logger = logger;
    client->domid = domid;
    client->fd = -1;
    client->process = atomic_load(&process_number);
    pthread_mutex_init(&client->lock, NULL);
    if (!dir || !*dir) {
        ret = -ENOENT;
        client_log(client, 0,
                   "$" XB_ENV_BOX " is not set: this is the library of an emulated Xen, see xenbox(1)");
        goto fail;
    }
    ret = client_connect(client, dir);
    if (ret < 0) {
        client_log(client, -ret, "no connection to the hypervisor process of box %s", dir);
        goto fail;
    }
    ret = client_hello(client, kind, flags, adopt_fd, sink_fd);
    if (ret < 0) {
        client_log(client, -ret, "box %s takes no handle of domain %u", dir, domid);
        goto fail;
    }
    return 0;

fail:
    client_close(client);
    return ret;
}

int client_open(struct client *client, const char *library, struct xentoollog_logger *logger,
                enum xb_conn_kind kind, uint32_t flags, int adopt_fd, int *sink_fd)
{
    const char *text = getenv(XB_ENV_DOMID);
    char *end = NULL;
    unsigned long domid = text ? strtoul(text, &end, 10) : 0;

    if (text && (end == text || *end || domid >= XB_MAX_DOMAINS)) {
        *client = (struct client){ .library = library, .logger = logger, .fd = -1 };
        client_log(client, 0, "$" XB_ENV_DOMID " is \"%s\": a domid (0 to %u) expected", text,
                   XB_MAX_DOMAINS - 1);
        return -EINVAL;
    }
    return client_open_as(client, library, logger, kind, domid, flags, adopt_fd, sink_fd);
}

void client_close(struct client *client)
{
    if (!client->library)
        return;
    /* It does not matter how this ends: a hypervisor process that is gone has nothing to undo. */
    if (client->tables && client_is_ours(client) && !client->is_lost) {
        client->is_lost = true;
        client_call(client, XB_OP_CLOSE, NULL, 0, NULL, 0, NULL);
    }
    if (client->fd >= 0)
        close(client->fd);
    if (client->box)
        client_box_put(client->box);
    pthread_mutex_destroy(&client->lock);
    memset(client, 0, sizeof(*client));
    client->fd = -1;
}

uint8_t *client_frames(struct client *client)
{
    return client_box_frames(client->box);
}

int client_frames_fd(const struct client *client)
{
    return client_box_frames_fd(client->box);
}

int client_map_frames(struct client *client, const uint32_t *frames, size_t count, int prot, void **address)
{
    return client_box_map(client->box, frames, count, prot, address);
}

int client_map_frame_at(struct client *client, uint32_t frame, int prot, void *address)
{
    return client_box_map_at(client->box, frame, prot, address);
}
