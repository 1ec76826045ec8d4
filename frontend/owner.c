// SPDX-License-Identifier: MIT
/*
 * owner.c: see owner.h.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/owner.h"

#define OWNER_FORMAT "%d %llu %36s"

static int file_read(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return -errno;
    got = read(fd, buf, size - 1);
    if (got < 0)
        got = -errno;
    close(fd);
    if (got < 0)
        return (int)got;
    buf[got] = '\0';
    return 0;
}

/*
 * Fields 3, 20 and 22 of proc(5)'s stat. The name in field 2 may hold anything: the count starts behind its
 * last ')'. A process that has ended and that nobody has waited for yet is gone; one of which only the first
 * thread has ended is not.
 */
static int start_time(int pid, unsigned long long *ticks)
{
    char path[32], stat[1024], *at, state;
    long threads;
    int err;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    err = file_read(path, stat, sizeof(stat));
    if (err < 0)
        return err;
    at = strrchr(stat, ')');
    if (!at || sscanf(at, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %*s %llu",
                      &state, &threads, ticks) != 3)
        return -EINVAL;
    return (state == 'Z' || state == 'X') && threads <= 1 ? -ESRCH : 0;
}

static int boot_id(char id[37])
{
    char text[64];
    int err = file_read("/proc/sys/kernel/random/boot_id", text, sizeof(text));

    if (err < 0)
        return err;
    return sscanf(text, "%36s", id) == 1 ? 0 : -EINVAL;
}

int owner_print(char *buf, size_t size)
{
    unsigned long long ticks;
    char boot[37];
    int err = start_time(getpid(), &ticks);

    if (err < 0)
        return err;
    err = boot_id(boot);
    if (err < 0)
        return err;
    snprintf(buf, size, "%d %llu %s", getpid(), ticks, boot);
    return 0;
}

bool owner_is_alive(const char *text)
{
    unsigned long long then, now;
    char boot_then[37], boot_now[37];
    int pid;

    if (sscanf(text, OWNER_FORMAT, &pid, &then, boot_then) != 3 || pid <= 0)
        return false;
    return boot_id(boot_now) == 0 && !strcmp(boot_then, boot_now) && start_time(pid, &now) == 0 &&
           then == now;
}

int owner_pid(const char *text)
{
    return atoi(text);
}
