// SPDX-License-Identifier: MIT
/* hv.c: one connection, one question at a time, each with a time limit. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "xenbox/cmd/hv.h"

#define MAX_REQUEST 256

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(XB_MAX_FDS * sizeof(int))];
};

#define KEPT_FDS 2 /* the tables and the frames */

/* Keeps the first descriptors of a message in kept[KEPT_FDS], -1 where there is none, and closes the others. */
static void take_descriptors(struct msghdr *message, int *kept)
{
    int taken = 0;

    for (int i = 0; i < KEPT_FDS; i++)
        kept[i] = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (taken < KEPT_FDS)
                kept[taken++] = fd;
            else
                close(fd);
        }
    }
}

static int receive(int fd, struct xb_msg *head, void *answer, size_t size, int *descriptors)
{
    struct iovec parts[] = { { head, sizeof(*head) }, { answer, size } };
    union control control;
    struct msghdr message = {
        .msg_iov = parts, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    int fds[KEPT_FDS];
    ssize_t got;

    do
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    take_descriptors(&message, descriptors ? descriptors : fds);
    for (int i = 0; !descriptors && i < KEPT_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    if (got == 0)
        return -ECONNRESET;
    if ((size_t)got < sizeof(*head))
        return -EPROTO;
    if (head->error)
        return head->error > 0 ? -head->error : -EPROTO;
    return (size_t)got == sizeof(*head) + size ? 0 : -EPROTO;
}

static int ask(int fd, enum xb_op op, const void *request, size_t size, void *answer, size_t answer_size,
               int *descriptors)
{
    struct xb_msg head = { .op = op };
    char packet[sizeof(head) + MAX_REQUEST];
    ssize_t sent;

    if (size > MAX_REQUEST)
        return -EMSGSIZE;
    memcpy(packet, &head, sizeof(head));
    if (size)
        memcpy(packet + sizeof(head), request, size);
    do
        sent = send(fd, packet, sizeof(head) + size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return receive(fd, &head, answer, answer_size, descriptors);
}

static int say_hello(struct hv *hv)
{
    const struct xb_hello hello = { .abi = XB_ABI, .kind = XB_CONN_TOOL, .flags = XB_HELLO_FDS };
    struct xb_welcome welcome;
    struct stat status;
    void *tables;
    int error, fds[KEPT_FDS] = { -1, -1 };

    error = ask(hv->fd, XB_OP_HELLO, &hello, sizeof(hello), &welcome, sizeof(welcome), fds);
    hv->tables_fd = fds[0];
    hv->frames_fd = fds[1];
    if (error)
        return error;
    if (hv->tables_fd < 0 || fstat(hv->tables_fd, &status) < 0 || status.st_size < (off_t)sizeof(*hv->tables))
        return -EPROTO;
    tables = mmap(NULL, sizeof(*hv->tables), PROT_READ, MAP_SHARED, hv->tables_fd, 0);
    if (tables == MAP_FAILED)
        return -errno;
    hv->tables = tables;
    return hv->tables->magic == XB_MAGIC && hv->tables->abi == XB_ABI ? 0 : -EPROTO;
}

int hv_open(struct hv *hv, const struct box *box, int timeout_s)
{
    const struct timeval limit = { .tv_sec = timeout_s };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char path[BOX_PATH_MAX];
    int error;

    *hv = (struct hv){ .tables_fd = -1, .frames_fd = -1 };
    box_path(box, XB_SOCKET, path);
    memcpy(address.sun_path, path, strnlen(path, sizeof(address.sun_path) - 1));
    hv->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (hv->fd < 0)
        return -errno;
    setsockopt(hv->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(hv->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(hv->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        error = -errno;
    else
        error = say_hello(hv);
    if (error)
        hv_close(hv);
    return error;
}

void hv_close(struct hv *hv)
{
    if (hv->tables)
        munmap((void *)hv->tables, sizeof(*hv->tables));
    if (hv->tables_fd >= 0)
        close(hv->tables_fd);
    if (hv->frames_fd >= 0)
        close(hv->frames_fd);
    if (hv->fd >= 0)
        close(hv->fd);
    *hv = (struct hv){ .fd = -1, .tables_fd = -1, .frames_fd = -1 };
}

int hv_call(struct hv *hv, enum xb_op op, const void *request, size_t size, void *answer, size_t answer_size)
{
    return ask(hv->fd, op, request, size, answer, answer_size, NULL);
}

int hv_call_domain(struct hv *hv, enum xb_op op, uint16_t domid)
{
    const struct xb_u32 request = { domid };

    return hv_call(hv, op, &request, sizeof(request), NULL, 0);
}

int hv_identify(const struct box *box, struct box_status *status)
{
    struct stat tables;
    struct hv hv;
    int error = hv_open(&hv, box, HV_TIMEOUT_S);

    if (error)
        return error;
    if (fstat(hv.tables_fd, &tables) < 0)
        error = -errno;
    status->tables_dev = tables.st_dev;
    status->tables_ino = tables.st_ino;
    status->is_of_this_boot = true;
    hv_close(&hv);
    return error;
}

int hv_stop(const struct box *box)
{
    struct hv hv;
    int error = hv_open(&hv, box, HV_TIMEOUT_S);

    if (!error)
        error = hv_call(&hv, XB_OP_STOP, NULL, 0, NULL, 0);
    hv_close(&hv);
    return error;
}
