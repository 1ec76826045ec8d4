// SPDX-License-Identifier: MIT
/*
 * supervisor.c: the life of a box. The death of the hypervisor process is the end of the box: the other parts
 * and every process that maps its memory are killed, and the directory stays behind, so that `list` and the
 * logs tell what happened. The death of another part breaks the box, as it would break a real machine, but
 * does not end it: how programs take the loss of the store can be watched.
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "xenbox/cmd/box_claim.h"
#include "xenbox/cmd/box_status.h"
#include "xenbox/cmd/cmd.h"
#include "xenbox/cmd/domain_nodes.h"
#include "xenbox/cmd/env.h"
#include "xenbox/cmd/hv.h"
#include "xenbox/cmd/members.h"
#include "xenbox/cmd/part.h"
#include "xenbox/cmd/store.h"
#include "xenbox/cmd/supervisor.h"

#define START_TIMEOUT_MS 30000 /* of one part */
#define STOP_TIMEOUT_MS 5000 /* of the hypervisor process, before it is killed */
#define MAX_ARGS (16 + 2 * SUPERVISOR_MAX_LIMITS + 2 * SUPERVISOR_MAX_BUGS)

enum { PART_HV, PART_XENSTORED, PART_XENBUS, PARTS };

/* There is one box a process. */
static struct supervisor {
    struct box box;
    struct box_status status;
    struct part parts[PARTS];
    int signals;
} supervisor;

/* Into the box's log, which is our standard error. */
__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    char stamp[32], text[SUPERVISOR_WHY_MAX];
    time_t now = time(NULL);
    va_list args;
    struct tm tm;

    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", gmtime_r(&now, &tm));
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fprintf(stderr, "%s box '%s': %s\n", stamp, supervisor.box.name, text);
}

static int start_part(int which, char *const argv[], int (*enter)(const struct box *box), char *why)
{
    struct part *part = &supervisor.parts[which];
    int error = part_start(part, &supervisor.box, argv, enter);

    if (error) {
        snprintf(why, SUPERVISOR_WHY_MAX, "cannot start %s: %s", argv[0], strerror(-error));
        return error;
    }
    return part_wait_ready(part, &supervisor.box, START_TIMEOUT_MS, why, SUPERVISOR_WHY_MAX);
}

static int helper(const char *name, char *path, size_t size, char *why)
{
    if (env_helper_path(name, path, size) == 0 && access(path, X_OK) == 0)
        return 0;
    snprintf(why, SUPERVISOR_WHY_MAX,
             "%.300s is missing: is xensplit installed? ($%s names another directory)", path, ENV_LIBEXECDIR);
    return -ENOENT;
}

static int start_hv(const struct supervisor_plan *plan, char *why)
{
    char path[4096], fd[8], mapping[32], mode[32], *argv[MAX_ARGS];
    size_t n = 0;
    int error = helper("xenbox-hv", path, sizeof(path), why);

    if (error)
        return error;
    snprintf(fd, sizeof(fd), "%d", PART_READY_FD);
    snprintf(mapping, sizeof(mapping), "--mapping=%s", plan->mapping);
    argv[n++] = path;
    argv[n++] = "--dir";
    argv[n++] = supervisor.box.dir;
    argv[n++] = "--name";
    argv[n++] = supervisor.box.name;
    argv[n++] = "--ready-fd";
    argv[n++] = fd;
    argv[n++] = mapping;
    snprintf(mode, sizeof(mode), "--mode=%s", plan->mode);
    argv[n++] = mode;
    for (size_t i = 0; i < plan->bug_count; i++) {
        argv[n++] = "--bug";
        argv[n++] = (char *)plan->bugs[i];
    }
    if (plan->is_punishing)
        argv[n++] = "--punish";
    for (size_t i = 0; i < plan->limit_count; i++) {
        argv[n++] = "--limit";
        argv[n++] = (char *)plan->limits[i];
    }
    argv[n] = NULL;
    error = start_part(PART_HV, argv, NULL, why);
    if (!error)
        error = hv_identify(&supervisor.box, &supervisor.status);
    if (error && !*why)
        snprintf(why, SUPERVISOR_WHY_MAX, "the hypervisor process does not answer: %s", strerror(-error));
    return error;
}

/* xenstored lives in domain 0, finds its socket directory and what a kernel would tell it by variables. */
static int enter_xenstored(const struct box *box)
{
    char path[4096], fd[8];
    int error;

    error = env_library_path("procxen.so", path, sizeof(path));
    if (!error)
        error = env_preload(path);
    if (!error)
        error = env_enter(box, 0);
    box_path(box, "store", path);
    snprintf(fd, sizeof(fd), "%d", PART_READY_FD);
    if (!error && (setenv("XENSTORED_RUNDIR", path, 1) < 0 || setenv("XENBOX_READY_FD", fd, 1) < 0))
        error = -errno;
    return error;
}

static int start_xenstored(const struct supervisor_plan *plan, char *why)
{
    char path[BOX_PATH_MAX], config[BOX_PATH_MAX], *argv[STORE_DAEMON_MAX_ARGS + 3];
    struct node_list list;
    struct store store;
    int error;

    box_path(&supervisor.box, "store", path);
    if (mkdir(path, 0700) < 0) {
        error = -errno;
        snprintf(why, SUPERVISOR_WHY_MAX, "cannot create %s: %s", path, strerror(-error));
        return error;
    }
    error = store_daemon_argv(plan->store, &supervisor.box, plan->xenstored, config, argv);
    if (error) {
        snprintf(why, SUPERVISOR_WHY_MAX, "cannot write %s: %s", config, strerror(-error));
        return error;
    }
    error = start_part(PART_XENSTORED, argv, enter_xenstored, why);
    if (error)
        return error;
    node_list_init(&list, 0);
    domain_zero_nodes(&list);
    error = store_open(&store, &supervisor.box);
    if (!error)
        error = store_apply(&store, &list);
    store_close(&store);
    node_list_fini(&list);
    if (error)
        snprintf(why, SUPERVISOR_WHY_MAX, "xenstored is up but cannot be written to: %s", strerror(-error));
    return error;
}

static int enter_xenbus(const struct box *box)
{
    return env_enter(box, 0);
}

static int start_xenbus(const struct supervisor_plan *plan, char *why)
{
    char path[4096], fd[8];
    char *argv[] = { path, "--dir", supervisor.box.dir, "--ready-fd", fd, NULL };
    int error = helper("xenbox-xenbus", path, sizeof(path), why);

    snprintf(fd, sizeof(fd), "%d", PART_READY_FD);
    return error ? error : start_part(PART_XENBUS, argv, enter_xenbus, why);
}

static void take_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    supervisor.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static void publish(void)
{
    int error;

    supervisor.status.hv = supervisor.parts[PART_HV].pid;
    supervisor.status.xenstored = supervisor.parts[PART_XENSTORED].pid;
    supervisor.status.xenbus = supervisor.parts[PART_XENBUS].pid;
    error = box_status_save(&supervisor.box, &supervisor.status);
    if (error)
        note("cannot write the status file: %s", strerror(-error));
}

/* In the reverse order of their start: nobody complains about the loss of the others. */
static void stop_parts(void)
{
    struct part *hv = &supervisor.parts[PART_HV];
    struct pollfd wait = { .events = POLLIN };

    part_fini(&supervisor.parts[PART_XENBUS]);
    part_fini(&supervisor.parts[PART_XENSTORED]);
    wait.fd = hv->pidfd;
    if (hv->pid && hv_stop(&supervisor.box) == 0 && poll(&wait, 1, STOP_TIMEOUT_MS) != 1)
        note("the hypervisor process does not end: killing it");
    part_fini(hv);
    if (members_kill(&supervisor.status) < 0)
        note("a process that uses the box could not be killed");
}

int supervisor_start(const struct supervisor_plan *plan, char why[SUPERVISOR_WHY_MAX])
{
    static int (*const steps[])(const struct supervisor_plan *plan, char *why) = {
        start_hv,
        start_xenstored,
        start_xenbus,
    };
    int error;

    supervisor.box = plan->box;
    supervisor.status = (struct box_status){ .state = BOX_STARTING };
    snprintf(supervisor.status.mapping, sizeof(supervisor.status.mapping), "%s", plan->mapping);
    part_init(&supervisor.parts[PART_HV], "xenbox-hv");
    part_init(&supervisor.parts[PART_XENSTORED], "xenstored");
    part_init(&supervisor.parts[PART_XENBUS], "xenbox-xenbus");
    *why = '\0';
    take_signals();
    error = box_claim(&supervisor.box, why, SUPERVISOR_WHY_MAX);
    if (error)
        return error;
    for (size_t i = 0; !error && i < sizeof(steps) / sizeof(steps[0]); i++)
        error = steps[i](plan, why);
    if (error) {
        stop_parts();
        box_release(&supervisor.box);
        return error;
    }
    supervisor.status.state = BOX_UP;
    publish();
    return 0;
}

/* The part has ended. Whether the box is still worth watching. */
static bool take_death(int which)
{
    struct part *part = &supervisor.parts[which];
    char why[160];

    part_reap(part, why, sizeof(why));
    note("%s", why);
    if (!*supervisor.status.failure)
        snprintf(supervisor.status.failure, sizeof(supervisor.status.failure), "%s", why);
    supervisor.status.state = which == PART_HV ? BOX_CRASHED : BOX_BROKEN;
    if (which == PART_HV) {
        snprintf(supervisor.status.failure, sizeof(supervisor.status.failure), "%s", why);
        stop_parts();
    }
    publish();
    return which != PART_HV;
}

static int end_orderly(void)
{
    int error;

    note("going down");
    stop_parts();
    error = box_release(&supervisor.box);
    if (error)
        note("cannot remove %s: %s", supervisor.box.dir, strerror(-error));
    return error ? CMD_FAILED : CMD_OK;
}

int supervisor_run(void)
{
    note("up");
    for (;;) {
        struct pollfd wait[PARTS + 1];

        for (int i = 0; i < PARTS; i++)
            wait[i] = (struct pollfd){ .fd = supervisor.parts[i].pidfd, .events = POLLIN };
        wait[PARTS] = (struct pollfd){ .fd = supervisor.signals, .events = POLLIN };
        if (poll(wait, PARTS + 1, -1) < 0)
            continue;
        if (wait[PARTS].revents)
            return end_orderly();
        for (int i = 0; i < PARTS; i++)
            if (wait[i].revents && !take_death(i))
                return CMD_FAILED;
    }
}
