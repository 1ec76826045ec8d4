// SPDX-License-Identifier: MIT
/* console_log.c: see console_log.h. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xenbox/cmd/console_log.h"

#define PATH_MAX_LOG 4096
#define READ_BYTES 65536

int console_log_path(const struct box *box, uint16_t domid, bool is_old, char *path, size_t size)
{
    return snprintf(path, size, "%s/console-%u.log%s", box->dir, domid, is_old ? ".1" : "") < (int)size
               ? 0
               : -ENAMETOOLONG;
}

static int log_open(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Starts a new file when this one is full. Several programs may write the log of a domain: one of them does it. */
static int log_turn(int fd, const char *path, const char *old_path)
{
    struct stat ours, newest;
    int next;

    if (fstat(fd, &ours) < 0 || ours.st_size < (off_t)CONSOLE_LOG_BYTES)
        return fd;
    flock(fd, LOCK_EX);
    if (stat(path, &newest) == 0 && newest.st_ino == ours.st_ino)
        rename(path, old_path);
    next = log_open(path);
    if (next < 0)
        return fd;
    close(fd);
    return next;
}

/* Copies until the end of the pipe. A log that cannot be written any more must not stop the program. */
__attribute__((noreturn)) static void log_write(int from, const char *path, const char *old_path)
{
    static char bytes[READ_BYTES];
    int fd = log_open(path);
    ssize_t size;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_IGN);
    while ((size = read(from, bytes, sizeof(bytes))) != 0) {
        if (size < 0 && errno != EINTR)
            break;
        fd = log_turn(fd, path, old_path);
        if (size > 0 && write(fd, bytes, (size_t)size) < 0)
            continue;
    }
    _exit(EXIT_SUCCESS);
}

/* The writer is no child of the program that we become, which would not expect one, and holds none of its files. */
static int log_fork(const int ends[2], const char *path, const char *old_path)
{
    int status, null;
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        if (fork() != 0)
            _exit(EXIT_SUCCESS);
        setsid();
        close(ends[1]);
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
            dup2(null, fd);
        log_write(ends[0], path, old_path);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return 0;
}

int console_log_start(const struct box *box, uint16_t domid)
{
    char path[PATH_MAX_LOG], old_path[PATH_MAX_LOG];
    int ends[2], ret;

    ret = console_log_path(box, domid, false, path, sizeof(path));
    if (ret == 0)
        ret = console_log_path(box, domid, true, old_path, sizeof(old_path));
    if (ret < 0)
        return ret;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    ret = log_fork(ends, path, old_path);
    if (ret == 0 && (dup2(ends[1], STDOUT_FILENO) < 0 || dup2(ends[1], STDERR_FILENO) < 0))
        ret = -errno;
    close(ends[0]);
    close(ends[1]);
    return ret;
}
