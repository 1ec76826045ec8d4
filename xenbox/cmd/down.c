// SPDX-License-Identifier: MIT
/* down.c: `xenbox down`: ends a box, and clears away one that has crashed. */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "xenbox/cmd/box_claim.h"
#include "xenbox/cmd/commands.h"
#include "xenbox/cmd/hv.h"
#include "xenbox/cmd/leaks.h"

#define DOWN_TIMEOUT_MS 20000 /* until the supervisor is killed */
#define KILL_TIMEOUT_MS 5000
#define LOOK_TIMEOUT_S 2 /* a box that hangs goes down without a report */

/* Sends a signal to whoever holds the box's lock and waits for his end. 0 or negative errno. */
static int end_supervisor(const struct box *box, pid_t pid, int signal, int timeout_ms)
{
    struct pollfd wait = { .events = POLLIN };
    struct box_status status;
    int ready = 0, error = 0;

    wait.fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (wait.fd < 0)
        return errno == ESRCH ? 0 : -errno;
    /* The pid was read before the descriptor held it: look again whether it is still the box's. */
    box_probe(box, &status);
    if (status.supervisor != pid)
        ready = 1;
    else if (syscall(SYS_pidfd_send_signal, wait.fd, signal, NULL, 0) < 0)
        error = errno == ESRCH ? 0 : -errno;
    else
        ready = poll(&wait, 1, timeout_ms);
    close(wait.fd);
    return error ? error : ready == 1 ? 0 : -ETIMEDOUT;
}

static int clear(const struct box *box)
{
    char why[512];
    int error = box_claim(box, why, sizeof(why));

    if (error)
        return cmd_fail("%s", why);
    error = box_release(box);
    return error ? cmd_fail("cannot remove %s: %s", box->dir, strerror(-error)) : CMD_OK;
}

/* Says what programs have not given back. It all goes with the box: this is for who looks for leaks. */
static void report_leaks(const struct box *box, const struct box_status *status)
{
    char *report = NULL;
    size_t size = 0;
    FILE *out;
    struct hv hv;

    if (hv_open(&hv, box, LOOK_TIMEOUT_S) < 0)
        return;
    hv_call(&hv, XB_OP_POISON_CHECK, NULL, 0, NULL, 0);
    out = open_memstream(&report, &size);
    if (out) {
        unsigned leaks = leaks_report(hv.tables, status, out);

        fclose(out);
        if (leaks)
            fprintf(stderr, "xenbox: box '%s' goes down with something left in it:\n%s", box->name, report);
        free(report);
    }
    hv_close(&hv);
}

static int down(int argc, char **argv)
{
    struct box_status status;
    struct box box;
    int error;

    while (cmd_next_option(&command_down, argc, argv) != -1)
        ;
    if (argc - optind > 1 || (argc - optind == 1 && cmd_box()))
        return cmd_usage(&command_down, "one box at a time");
    if (box_find(&box, optind < argc ? argv[optind] : cmd_box()) < 0)
        return CMD_USAGE;
    box_probe(&box, &status);
    if (status.state == BOX_ABSENT)
        return cmd_fail("there is no box '%s' (no %s)", box.name, box.dir);
    if (status.state == BOX_FOREIGN)
        return cmd_fail("%s is not a box", box.dir);
    /* A supervisor that has just said so is still on its way out: it is waited for as another is. */
    if (status.state == BOX_CRASHED && !status.supervisor)
        return clear(&box);
    if (status.state == BOX_UP || status.state == BOX_BROKEN)
        report_leaks(&box, &status);
    error = end_supervisor(&box, status.supervisor, SIGTERM, DOWN_TIMEOUT_MS);
    if (error == -ETIMEDOUT) {
        cmd_fail("the supervisor of box '%s' (pid %d) does not end: killing it", box.name,
                 (int)status.supervisor);
        error = end_supervisor(&box, status.supervisor, SIGKILL, KILL_TIMEOUT_MS);
    }
    if (error)
        return cmd_fail("cannot end the supervisor of box '%s' (pid %d): %s", box.name,
                        (int)status.supervisor, strerror(-error));
    box_probe(&box, &status);
    return status.state == BOX_CRASHED ? clear(&box) : CMD_OK;
}

const struct command command_down = {
    .name = "down",
    .arguments = "[NAME]",
    .summary = "ends a box and all that runs in it; clears away one that has crashed",
    .run = down,
};
