// SPDX-License-Identifier: MIT
/* store_ping.c: one read request of the store's wire protocol. */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

#include "xenbox/cmd/store_ping.h"

static int exchange(int fd, const char *path, int timeout_ms)
{
    static const struct {
        struct xsd_sockmsg head;
        char path[2];
    } request = { { .type = XS_READ, .len = 2 }, "/" };
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct xsd_sockmsg answer;
    ssize_t size;

    memcpy(address.sun_path, path, strnlen(path, sizeof(address.sun_path) - 1));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    if (send(fd, &request, sizeof(request.head) + request.head.len, MSG_NOSIGNAL) < 0)
        return -errno;
    if (poll(&wait, 1, timeout_ms) != 1)
        return -ETIMEDOUT;
    size = recv(fd, &answer, sizeof(answer), 0);
    return size == sizeof(answer) ? 0 : size < 0 ? -errno : -ECONNRESET;
}

int store_ping(const struct box *box, int timeout_ms)
{
    char path[BOX_PATH_MAX];
    int fd, error;

    box_store_path(box, 0, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    error = exchange(fd, path, timeout_ms);
    close(fd);
    return error;
}
