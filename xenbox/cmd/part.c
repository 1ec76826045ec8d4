// SPDX-License-Identifier: MIT
/* part.c: starting, awaiting and ending a process of a box. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xenbox/cmd/part.h"

#define LAST_LINE_MAX 160 /* of a log, in a message */

void part_init(struct part *part, const char *name)
{
    *part = (struct part){ .name = name, .pidfd = -1, .ready = -1 };
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void forget(struct part *part)
{
    close_fd(&part->pidfd);
    close_fd(&part->ready);
    part->pid = 0;
}

void part_fini(struct part *part)
{
    if (part->pid) {
        kill(part->pid, SIGKILL);
        while (waitpid(part->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    forget(part);
}

static int open_log(const struct part *part, const struct box *box)
{
    char path[BOX_PATH_MAX], name[32];

    snprintf(name, sizeof(name), "%s.log", part->name);
    box_path(box, name, path);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

__attribute__((noreturn)) static void become(char *const argv[], const struct box *box, pid_t parent, int log,
                                             int ready, int (*enter)(const struct box *box))
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;

    /* A parent that died before the call would never be noticed. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    if (ready == PART_READY_FD)
        fcntl(ready, F_SETFD, 0);
    else
        dup2(ready, PART_READY_FD);
    if (enter && enter(box) < 0)
        dprintf(STDERR_FILENO, "xenbox: cannot prepare the environment\n");
    else
        execv(argv[0], argv);
    dprintf(STDERR_FILENO, "xenbox: cannot execute %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int part_start(struct part *part, const struct box *box, char *const argv[],
               int (*enter)(const struct box *box))
{
    pid_t parent = getpid();
    int log, pipe_fds[2] = { -1, -1 }, error;

    log = open_log(part, box);
    if (log < 0)
        return -errno;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
        error = -errno;
        close(log);
        return error;
    }
    part->pid = fork();
    if (part->pid == 0)
        become(argv, box, parent, log, pipe_fds[1], enter);
    error = part->pid < 0 ? -errno : 0;
    close(log);
    close(pipe_fds[1]);
    part->ready = pipe_fds[0];
    if (!error) {
        part->pidfd = (int)syscall(SYS_pidfd_open, part->pid, 0);
        if (part->pidfd < 0)
            error = -errno;
    } else {
        part->pid = 0;
    }
    if (error)
        part_fini(part);
    return error;
}

/* The last line that the part has logged, or "". */
static void last_line(const struct part *part, const struct box *box, char line[LAST_LINE_MAX])
{
    char path[BOX_PATH_MAX], name[32], *text = NULL;
    size_t size = 0;
    ssize_t length;
    FILE *log;

    *line = '\0';
    snprintf(name, sizeof(name), "%s.log", part->name);
    box_path(box, name, path);
    log = fopen(path, "re");
    if (!log)
        return;
    while ((length = getline(&text, &size, log)) > 0) {
        if (text[length - 1] == '\n')
            text[length - 1] = '\0';
        if (*text)
            snprintf(line, LAST_LINE_MAX, "%s", text);
    }
    free(text);
    fclose(log);
}

int part_wait_ready(struct part *part, const struct box *box, int timeout_ms, char *why, size_t size)
{
    struct pollfd wait = { .fd = part->ready, .events = POLLIN };
    char byte, line[LAST_LINE_MAX], how[96];
    int ready;

    do
        ready = poll(&wait, 1, timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready == 1 && read(part->ready, &byte, 1) == 1)
        return 0;
    last_line(part, box, line);
    if (ready == 0) {
        snprintf(why, size, "%s was not ready after %d seconds%s%s", part->name, timeout_ms / 1000,
                 *line ? "; it says: " : "", line);
        return -ETIMEDOUT;
    }
    wait = (struct pollfd){ .fd = part->pidfd, .events = POLLIN };
    if (poll(&wait, 1, timeout_ms) == 1)
        part_reap(part, how, sizeof(how));
    else
        snprintf(how, sizeof(how), "%s closed its ready pipe", part->name);
    snprintf(why, size, "%s before it was ready%s%s", how, *line ? "; it says: " : "", line);
    return -ECHILD;
}

void part_reap(struct part *part, char *why, size_t size)
{
    pid_t pid = part->pid;
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    forget(part);
    if (WIFSIGNALED(status))
        snprintf(why, size, "%s (pid %d) was killed by signal %d (%s)", part->name, (int)pid,
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(why, size, "%s (pid %d) ended with status %d", part->name, (int)pid, WEXITSTATUS(status));
}
