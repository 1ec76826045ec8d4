// SPDX-License-Identifier: MIT
/* up.c: `xenbox up`: starts a box, in the background unless told otherwise, and returns when it is ready. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xenbox/cmd/commands.h"
#include "xenbox/cmd/env.h"
#include "xenbox/cmd/supervisor.h"
#include "xenbox/hv/bugs.h"
#include "xenbox/hv/mode.h"

#define REPORT_FD 3 /* in the supervisor: to the process that was called */
#define LOG_NAME "box.log"

enum {
    OPTION_LIMIT = 256,
    OPTION_MAPPING,
    OPTION_PUNISH,
    OPTION_MODE,
    OPTION_BUG,
    OPTION_FOREGROUND,
    OPTION_STORE,
    OPTION_XENSTORED
};

static int check_programs(struct supervisor_plan *plan)
{
    static char installed[PATH_MAX];
    char path[PATH_MAX];

    if (!plan->xenstored) {
        store_daemon_path(plan->store, installed);
        plan->xenstored = installed;
    }
    if (!*plan->xenstored)
        return cmd_fail("there is no %s: install the Debian package %s, or name one with --xenstored=PROGRAM",
                        plan->store->name, plan->store->package);
    if (access(plan->xenstored, X_OK) < 0)
        return cmd_fail("%s: %s", plan->xenstored, strerror(errno));
    if (env_library_path("libxengnttab.so.1", path, sizeof(path)) < 0 || access(path, R_OK) < 0)
        return cmd_fail("%s is missing: is xensplit installed? ($%s names another directory)", path,
                        ENV_LIBDIR);
    return CMD_OK;
}

/* The box has no terminal, no working directory and no descriptors but its log and its report. */
static void detach_from_caller(int report)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    umask(077);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(report, REPORT_FD);
    fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
    close_range(REPORT_FD + 1, ~0U, 0);
    if (chdir("/") < 0)
        _exit(CMD_FAILED);
}

static void log_to_box(const struct box *box)
{
    char path[BOX_PATH_MAX];
    int log;

    box_path(box, LOG_NAME, path);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(log >= 0 ? log : STDIN_FILENO, STDERR_FILENO); /* /dev/null is better than the caller's terminal */
    if (log >= 0)
        close(log);
}

/* In the daemon. An empty report means success. */
__attribute__((noreturn)) static void supervise(const struct supervisor_plan *plan, int report)
{
    char why[SUPERVISOR_WHY_MAX];

    detach_from_caller(report);
    if (supervisor_start(plan, why) < 0) {
        dprintf(REPORT_FD, "%s", why);
        _exit(CMD_FAILED);
    }
    log_to_box(&plan->box);
    dprintf(REPORT_FD, "+");
    close(REPORT_FD);
    _exit(supervisor_run());
}

/* Two forks: the daemon is nobody's child and leads no session, so that it can never get a terminal. */
static int run_in_background(const struct supervisor_plan *plan)
{
    char report[SUPERVISOR_WHY_MAX + 1] = "";
    size_t length = 0;
    ssize_t got;
    int fds[2];
    pid_t child;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return cmd_fail("cannot make a pipe: %s", strerror(errno));
    child = fork();
    if (child < 0)
        return cmd_fail("cannot fork: %s", strerror(errno));
    if (child == 0) {
        setsid();
        child = fork();
        if (child == 0)
            supervise(plan, fds[1]);
        _exit(child < 0 ? CMD_FAILED : CMD_OK);
    }
    close(fds[1]);
    while (length < sizeof(report) - 1 &&
           (got = read(fds[0], report + length, sizeof(report) - 1 - length)) != 0)
        length += got > 0 ? (size_t)got : 0;
    close(fds[0]);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    if (strcmp(report, "+") != 0)
        return cmd_fail("%s", *report ? report : "the supervisor of the box died while it started");
    puts(plan->box.dir);
    return CMD_OK;
}

static int run_in_foreground(const struct supervisor_plan *plan)
{
    char why[SUPERVISOR_WHY_MAX];

    if (supervisor_start(plan, why) < 0)
        return cmd_fail("%s", why);
    puts(plan->box.dir);
    fflush(stdout);
    return supervisor_run();
}

static int list_bugs(void)
{
    for (size_t bug = 0; bug_id(bug); bug++)
        printf("%s  %s\n", bug_id(bug), bug_text(bug));
    return CMD_OK;
}

static int add_bugs(struct supervisor_plan *plan, const char *text)
{
    uint64_t words[XB_BUG_WORDS] = { 0 };
    const char *unknown;
    int length;

    if (plan->bug_count == SUPERVISOR_MAX_BUGS)
        return cmd_usage(&command_up, "too many --bug options: name several in one, A01,A02");
    if (bugs_parse(text, words, &unknown, &length) < 0)
        return cmd_usage(&command_up, "--bug %.*s: there is no such switch; `xenbox up --bug list` names them",
                         length, unknown);
    plan->bugs[plan->bug_count++] = text;
    return CMD_OK;
}

static int up(int argc, char **argv)
{
    struct supervisor_plan plan = { .mapping = "fast",
                                    .mode = "autotranslated",
                                    .store = store_daemon_find("xenstored") };
    bool in_foreground = false;
    uint32_t mode;
    int key, status;

    while ((key = cmd_next_option(&command_up, argc, argv)) != -1) {
        switch (key) {
        case OPTION_LIMIT:
            if (plan.limit_count == SUPERVISOR_MAX_LIMITS)
                return cmd_usage(&command_up, "too many limits");
            if (!strchr(optarg, '='))
                return cmd_usage(&command_up, "--limit=%s: not KEY=VALUE", optarg);
            plan.limits[plan.limit_count++] = optarg;
            break;
        case OPTION_MAPPING:
            if (strcmp(optarg, "fast") != 0 && strcmp(optarg, "strict") != 0)
                return cmd_usage(&command_up, "--mapping=%s: not fast or strict", optarg);
            plan.mapping = optarg;
            break;
        case OPTION_PUNISH:
            plan.is_punishing = true;
            break;
        case OPTION_MODE:
            if (mode_parse(optarg, &mode) < 0)
                return cmd_usage(&command_up, "--mode=%s: not autotranslated, pv or pv32", optarg);
            plan.mode = optarg;
            break;
        case OPTION_BUG:
            if (strcmp(optarg, "list") == 0)
                return list_bugs();
            status = add_bugs(&plan, optarg);
            if (status != CMD_OK)
                return status;
            break;
        case OPTION_FOREGROUND:
            in_foreground = true;
            break;
        case OPTION_STORE:
            plan.store = store_daemon_find(optarg);
            if (!plan.store)
                return cmd_usage(&command_up, "--store=%s: not xenstored or oxenstored", optarg);
            break;
        case OPTION_XENSTORED:
            plan.xenstored = optarg;
            break;
        }
    }
    if (argc - optind > 1 || (argc - optind == 1 && cmd_box()))
        return cmd_usage(&command_up, "one box at a time");
    /* $XENBOX is where this process is: a new box is another one. */
    if (box_find(&plan.box, optind < argc ? argv[optind] : cmd_box() ? cmd_box() : BOX_DEFAULT_NAME) < 0)
        return CMD_USAGE;
    status = check_programs(&plan);
    if (status != CMD_OK)
        return status;
    return in_foreground ? run_in_foreground(&plan) : run_in_background(&plan);
}

static const struct cmd_option options[] = {
    { OPTION_LIMIT, "limit", "KEY=VALUE", "change a limit of the box, see xenbox(1); may be repeated" },
    { OPTION_MAPPING, "mapping", "MODE",
      "fast (default), or strict: freed frames are poisoned, a bad address in a copy is an error" },
    { OPTION_PUNISH, "punish", NULL, "break as a real domain 0 does when a mapping goes away under I/O" },
    { OPTION_MODE, "mode", "MODE",
      "how domain 0's kernel sees pages that it maps: autotranslated (default), pv or pv32" },
    { OPTION_BUG, "bug", "ID[,ID...]", "bring a historic fault back; list: which ones there are" },
    { OPTION_FOREGROUND, "foreground", NULL, "stay, until SIGINT or SIGTERM ends the box" },
    { OPTION_STORE, "store", "KIND", "who keeps the store: xenstored (default) or oxenstored" },
    { OPTION_XENSTORED, "xenstored", "PROGRAM", "its program (default: the newest one installed)" },
    { 0 },
};

const struct command command_up = {
    .name = "up",
    .arguments = "[NAME] [OPTION]...",
    .summary = "starts a box and prints its directory",
    .options = options,
    .run = up,
};
