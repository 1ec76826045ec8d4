// SPDX-License-Identifier: MIT
/*
 * ready.c: see ready.h. The protocol of NOTIFY_SOCKET is one datagram; no library is needed for it.
 */
#include <config.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "backend/ready.h"

void ready_notify(const char *state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len;

    if (!path || (path[0] != '/' && path[0] != '@'))
        return;
    len = strlen(path);
    if (len >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract namespace */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
               offsetof(struct sockaddr_un, sun_path) + len) < 0)
        log_warning(NULL, "cannot tell %s about %s: %s", path, state, strerror(errno));
    close(fd);
}

void ready_write(unsigned int fd)
{
    static const char line[] = "ready\n";

    if (fd == 0)
        return;
    if (write(fd, line, sizeof(line) - 1) < 0)
        log_warning(NULL, "cannot write to descriptor %u: %s", fd, strerror(errno));
    close(fd);
}
