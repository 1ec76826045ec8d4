// SPDX-License-Identifier: MIT
/* hotplug.c: a child process in domain 0, with a time limit. */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xenbox/cmd/env.h"
#include "xenbox/cmd/hotplug.h"

#define HOTPLUG_TIMEOUT_MS 40000 /* as libxl's */
#define MAX_ARGUMENTS 3
#define CANNOT_EXECUTE 127

static int set_variables(const struct box *box, struct device *device, const char *script)
{
    char *variable = NULL;
    int error = env_enter(box, 0);

    if (!error && device->kind->script_variable)
        error = device_expand(device, device->kind->script_variable, &variable);
    if (error)
        return error;
    /* XENBUS_PATH is relative to the domain's own directory. The variable stays: putenv keeps its address. */
    if (setenv("XENBUS_PATH", device->backend + strlen("/local/domain/0/"), 1) < 0 ||
        setenv("XENBUS_TYPE", device->kind->name, 1) < 0 || setenv("XENBUS_BASE_PATH", "backend", 1) < 0 ||
        setenv("script", script, 1) < 0 || (variable && putenv(variable) < 0))
        return -errno;
    return 0;
}

__attribute__((noreturn)) static void become(const struct box *box, struct device *device, const char *script,
                                             const char *const *arguments)
{
    char *argv[MAX_ARGUMENTS + 2] = { (char *)script };
    sigset_t none;

    for (size_t i = 0; i < MAX_ARGUMENTS && arguments[i]; i++)
        argv[i + 1] = (char *)arguments[i];
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(STDERR_FILENO, STDOUT_FILENO); /* what it prints is no output of ours */
    if (set_variables(box, device, script) == 0)
        execv(script, argv);
    _exit(CANNOT_EXECUTE);
}

static int judge(struct device *device, const char *script, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFSIGNALED(status))
        return device_complain(device, -ECHILD, "the hotplug script %.150s was killed by signal %d", script,
                               WTERMSIG(status));
    return device_complain(device, -ECHILD, "the hotplug script %.150s ended with status %d", script,
                           WEXITSTATUS(status));
}

int hotplug_run(const struct box *box, struct device *device, const char *script,
                const char *const *arguments)
{
    struct pollfd wait = { .events = POLLIN };
    int status = 0, ready;
    pid_t pid;

    if (access(script, X_OK) < 0)
        return device_complain(device, -errno, "the hotplug script %.150s cannot be run: %s", script,
                               strerror(errno));
    pid = fork();
    if (pid == 0)
        become(box, device, script, arguments);
    wait.fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (wait.fd < 0)
        return device_complain(device, -ECHILD, "cannot start the hotplug script: %s", strerror(errno));
    do
        ready = poll(&wait, 1, HOTPLUG_TIMEOUT_MS);
    while (ready < 0 && errno == EINTR);
    close(wait.fd);
    if (ready == 0)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (ready != 0)
        return judge(device, script, status);
    return device_complain(device, -ETIMEDOUT, "the hotplug script %.150s did not end within %d s", script,
                           HOTPLUG_TIMEOUT_MS / 1000);
}
