// SPDX-License-Identifier: MIT
/* console.c: `xenbox console`: what the programs of a domain that were started with `run --log` have said. */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "xenbox/cmd/box_take.h"
#include "xenbox/cmd/commands.h"
#include "xenbox/cmd/console_log.h"
#include "xenbox/cmd/domain_table.h"

#define PATH_BYTES 4096

/* -ENOENT: there is none. */
static int file_print(const char *path)
{
    FILE *file = fopen(path, "re");
    char bytes[4096];
    size_t size;

    if (!file)
        return -errno;
    while ((size = fread(bytes, 1, sizeof(bytes), file)) > 0)
        fwrite(bytes, 1, size, stdout);
    fclose(file);
    return 0;
}

static int follow(const char *path)
{
    fflush(stdout);
    execlp("tail", "tail", "-n", "+1", "-F", path, (char *)NULL);
    return cmd_fail("cannot run tail: %s", strerror(errno));
}

static int console(int argc, char **argv)
{
    char path[PATH_BYTES], old_path[PATH_BYTES];
    bool is_followed = false;
    struct box box;
    uint16_t domid = 0;
    int status, error;

    while (cmd_next_option(&command_console, argc, argv) != -1)
        is_followed = true;
    if (argc - optind != 1)
        return cmd_usage(&command_console, "which domain?");
    status = box_take(&box);
    if (status != CMD_OK)
        return status;
    if (domain_find_in_box(&box, argv[optind], &domid) < 0)
        return CMD_FAILED;
    error = console_log_path(&box, domid, false, path, sizeof(path));
    if (!error)
        error = console_log_path(&box, domid, true, old_path, sizeof(old_path));
    if (error)
        return cmd_fail("the name of the box's directory is too long");
    file_print(old_path);
    if (is_followed)
        return follow(path);
    error = file_print(path);
    if (error == -ENOENT)
        return cmd_fail("domain %s has no log: start its programs with 'xenbox run --log -d %s'",
                        argv[optind], argv[optind]);
    return error ? cmd_fail("cannot read %s: %s", path, strerror(-error)) : CMD_OK;
}

static const struct cmd_option options[] = {
    { 'f', "follow", NULL, "go on printing what comes, until interrupted" },
    { 0 },
};

const struct command command_console = {
    .name = "console",
    .arguments = "[-f] DOMAIN",
    .summary = "prints what the programs of a domain have said that were started with run --log",
    .options = options,
    .run = console,
};
