// SPDX-License-Identifier: MIT
/*
 * main.c: the xenfront command: drives the virtual devices of the domain that it runs in. `xenfront FAMILY
 * COMMAND` is looked up in a table, which also makes the help text.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "frontend/tools/commands.h"

static const struct command {
    const char *name;
    enum tool_command id;
    const char *usage;
    const char *help;
    int (*check)(const struct settings *settings); /* NULL: nothing to check */
    int (*run)(struct session *session);
} commands[] = {
    { "info", TOOL_INFO, "info [OPTIONS] [DEVICE]", "connect, and show geometry, features and backend", NULL,
      command_info },
    { "read", TOOL_READ, "read [OPTIONS] [DEVICE]", "read a range of the disk to a file or standard output",
      check_read, command_read },
    { "write", TOOL_WRITE, "write [OPTIONS] [DEVICE]",
      "write a range of the disk from a file or standard input", NULL, command_write },
    { "copy", TOOL_COPY, "copy --in=FILE | --out=FILE [OPTIONS] [DEVICE]", "copy a whole image in or out",
      check_copy, command_copy },
    { "verify", TOOL_VERIFY, "verify [OPTIONS] [DEVICE]",
      "write patterns over the disk, read them back and compare: destroys what is there", NULL,
      command_verify },
    { "bench", TOOL_BENCH, "bench [OPTIONS] [DEVICE]", "measure speed, latency and CPU", check_bench,
      command_bench },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *to)
{
    fprintf(to,
            "usage: xenfront blk COMMAND [OPTIONS] [DEVICE]\n"
            "       xenfront --help | --version\n\n"
            "Drives a paravirtual block device of the domain that it runs in. DEVICE is a name like xvda or\n"
            "a number like 51712; it may be left out when there is only one.\n\n"
            "commands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\nxenfront blk COMMAND --help shows the options of a command.\n"
                "exit status: 0 done; 1 I/O error; 2 usage; 3 no connection; 4 verify found a difference;\n"
                "             128 + N stopped by signal N\n");
}

static int run(const struct command *command, int argc, char **argv)
{
    struct settings settings;
    struct session session;
    int result = settings_parse(&settings, command->id, command->usage, argc, argv);

    if (result)
        return result < 0 ? TOOL_OK : result;
    if (command->check) {
        result = command->check(&settings);
        if (result)
            return result;
    }
    result = session_open(&session, &settings);
    if (result)
        return result;
    return session_close(&session, command->run(&session));
}

int main(int argc, char **argv)
{
    if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        help(stdout);
        return TOOL_OK;
    }
    if (argc >= 2 && !strcmp(argv[1], "--version")) {
        printf("xenfront %s\n", xenfront_version());
        return TOOL_OK;
    }
    if (argc >= 3 && !strcmp(argv[1], "blk")) {
        for (size_t i = 0; i < COMMANDS; i++) {
            if (!strcmp(argv[2], commands[i].name))
                return run(&commands[i], argc - 2, argv + 2);
        }
    }
    if (argc >= 3 && !strcmp(argv[1], "blk") && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h"))) {
        help(stdout);
        return TOOL_OK;
    }
    help(stderr);
    return TOOL_USAGE;
}
