// SPDX-License-Identifier: MIT
/* await.c: inotify on a directory. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "xenbox/cmd/await.h"
#include "xenbox/cmd/clock.h"

/* Whatever has happened: look again. */
static int take_events(int fd, int64_t deadline)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    int64_t left = deadline - clock_now_ms();
    char events[4096];

    if (left <= 0)
        return -ETIMEDOUT;
    if (poll(&wait, 1, (int)left) == 1 && read(fd, events, sizeof(events)) < 0)
        return -errno;
    return 0;
}

int await_entry(const char *dir, const char *name, int timeout_ms)
{
    int64_t deadline = clock_now_ms() + timeout_ms;
    int dir_fd = -1, error = 0, fd;

    fd = inotify_init1(IN_CLOEXEC);
    if (fd < 0)
        return -errno;
    dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0 || inotify_add_watch(fd, dir, IN_CREATE | IN_MOVED_TO) < 0)
        error = -errno;
    while (!error && faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        error = errno == ENOENT ? take_events(fd, deadline) : -errno;
    if (dir_fd >= 0)
        close(dir_fd);
    close(fd);
    return error;
}
