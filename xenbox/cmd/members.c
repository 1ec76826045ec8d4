// SPDX-License-Identifier: MIT
/*
 * members.c: a scan of /proc for processes that map a box's memory. Each suspect is held by a pidfd before it
 * is examined, so that its pid cannot come to mean another process in between.
 */
#include <config.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "xenbox/cmd/members.h"

#define TABLES_NAME "/memfd:xenbox-tables" /* an inode number alone might be that of another memory */
#define MAX_ROUNDS 16 /* a member may fork while we look */
#define KILL_TIMEOUT_MS 10000

static bool maps_tables(const char *pid, const struct box_status *status)
{
    unsigned long major_number, minor_number;
    char path[64], *line = NULL;
    uint64_t inode;
    size_t size = 0;
    bool found = false;
    FILE *maps;

    snprintf(path, sizeof(path), "/proc/%.20s/maps", pid);
    maps = fopen(path, "re");
    if (!maps)
        return false;
    while (!found && getline(&line, &size, maps) > 0)
        found = strstr(line, TABLES_NAME) &&
                sscanf(line, "%*s %*s %*s %lx:%lx %" SCNu64, &major_number, &minor_number, &inode) == 3 &&
                inode == status->tables_ino && makedev(major_number, minor_number) == status->tables_dev;
    free(line);
    fclose(maps);
    return found;
}

/* 1 when it was a member and is dead now, 0 when it is none, -EBUSY. */
static int kill_member(const char *name, const struct box_status *status)
{
    pid_t pid = (pid_t)atoi(name);
    struct pollfd wait = { .events = POLLIN };
    int result = 0;

    if (pid == getpid() || !maps_tables(name, status))
        return 0;
    wait.fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (wait.fd < 0)
        return errno == ESRCH ? 1 : -errno;
    if (maps_tables(name, status)) {
        syscall(SYS_pidfd_send_signal, wait.fd, SIGKILL, NULL, 0);
        result = poll(&wait, 1, KILL_TIMEOUT_MS) == 1 ? 1 : -EBUSY;
    }
    close(wait.fd);
    return result;
}

int members_kill(const struct box_status *status)
{
    int found = 1;

    if (!status->tables_ino || !status->is_of_this_boot)
        return 0;
    for (int round = 0; found > 0 && round < MAX_ROUNDS; round++) {
        const struct dirent *entry;
        DIR *proc = opendir("/proc");

        if (!proc)
            return -errno;
        found = 0;
        while (found >= 0 && (entry = readdir(proc))) {
            int killed = isdigit((unsigned char)*entry->d_name) ? kill_member(entry->d_name, status) : 0;

            found = killed < 0 ? killed : found + killed;
        }
        closedir(proc);
    }
    return found > 0 ? -EBUSY : found;
}
