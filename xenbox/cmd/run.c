// SPDX-License-Identifier: MIT
/*
 * run.c: `xenbox run`: becomes a program in a domain of the box. No process stays between the caller and the
 * program: pid, signals and exit status are the program's own.
 */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xenbox/cmd/box_take.h"
#include "xenbox/cmd/commands.h"
#include "xenbox/cmd/console_log.h"
#include "xenbox/cmd/domain_table.h"
#include "xenbox/cmd/env.h"

static int run(int argc, char **argv)
{
    const char *domain = "0";
    struct box box;
    uint16_t domid = 0;
    bool is_logged = false;
    int key, status, error;

    while ((key = cmd_next_option(&command_run, argc, argv)) != -1) {
        if (key == 'd')
            domain = optarg;
        else if (key == 'l')
            is_logged = true;
    }
    if (optind == argc)
        return cmd_usage(&command_run, "which command?");
    status = box_take(&box);
    if (status != CMD_OK)
        return status;
    if (domain_find_in_box(&box, domain, &domid) < 0)
        return CMD_FAILED;
    error = env_enter(&box, domid);
    if (error)
        return cmd_fail("cannot set up the environment: %s", strerror(-error));
    error = is_logged ? console_log_start(&box, domid) : 0;
    if (error)
        return cmd_fail("cannot start the log of domain %u: %s", domid, strerror(-error));
    execvp(argv[optind], argv + optind);
    error = errno;
    cmd_fail("cannot run %s: %s", argv[optind], strerror(error));
    return error == ENOENT ? CMD_NOT_FOUND : CMD_CANNOT_EXECUTE;
}

static const struct cmd_option options[] = {
    { 'd', "domain", "DOMAIN", "id or name of the domain (default: 0)" },
    { 'l', "log", NULL, "standard output and error go to the log that 'xenbox console DOMAIN' prints" },
    { 0 },
};

const struct command command_run = {
    .name = "run",
    .arguments = "[-d DOMAIN] [--log] [--] COMMAND [ARGUMENT]...",
    .summary = "runs a program in a domain of the box, and has its exit status",
    .options = options,
    .run = run,
    .is_wrapper = true,
};
