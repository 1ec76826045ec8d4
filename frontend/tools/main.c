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
    const char *family;
    const char *name;
    enum tool_command id;
    const char *operands;
    const char *help;
    int (*check)(const struct settings *settings); /* NULL: nothing to check */
    int (*run_blk)(struct session *session); /* one of the two */
    int (*run_net)(struct net_session *session);
} commands[] = {
    { "blk", "info", TOOL_INFO, "[OPTIONS] [DEVICE]", "connect, and show geometry, features and backend",
      NULL, command_info, NULL },
    { "blk", "read", TOOL_READ, "[OPTIONS] [DEVICE]", "read a range of the disk to a file or standard output",
      check_read, command_read, NULL },
    { "blk", "write", TOOL_WRITE, "[OPTIONS] [DEVICE]",
      "write a range of the disk from a file or standard input", NULL, command_write, NULL },
    { "blk", "copy", TOOL_COPY, "--in=FILE | --out=FILE [OPTIONS] [DEVICE]", "copy a whole image in or out",
      check_copy, command_copy, NULL },
    { "blk", "discard", TOOL_DISCARD, "[OPTIONS] [DEVICE]",
      "let a range of the disk go: what is there is lost", NULL, command_discard, NULL },
    { "blk", "verify", TOOL_VERIFY, "[OPTIONS] [DEVICE]",
      "write patterns over the disk, read them back and compare: destroys what is there", NULL,
      command_verify, NULL },
    { "blk", "bench", TOOL_BENCH, "[OPTIONS] [DEVICE]", "measure speed, latency and CPU", check_bench,
      command_bench, NULL },
    { "net", "info", TOOL_NET_INFO, "[OPTIONS] [DEVICE]", "connect, and show what was negotiated", NULL, NULL,
      command_net_info },
    { "net", "tap", TOOL_NET_TAP, "[OPTIONS] [DEVICE]",
      "join the device to a TAP device of this network namespace", NULL, NULL, command_net_tap },
    { "net", "ping", TOOL_NET_PING, "--from=ADDRESS --to=ADDRESS [OPTIONS] [DEVICE]",
      "ask another address for an echo, without the kernel's network", check_net_ping, NULL,
      command_net_ping },
    { "net", "bench", TOOL_NET_BENCH, "[OPTIONS] [DEVICE]", "send or receive packets and count",
      check_net_bench, NULL, command_net_bench },
    { "net", "dump", TOOL_NET_DUMP, "[OPTIONS] [DEVICE]",
      "show the packets that arrive, or write them as pcap", NULL, NULL, command_net_dump },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *to)
{
    fprintf(
        to,
        "usage: xenfront blk|net COMMAND [OPTIONS] [DEVICE]\n"
        "       xenfront --help | --version\n\n"
        "Drives a paravirtual block or network device of the domain that it runs in. DEVICE is a name like\n"
        "xvda or a number like 51712 (blk), or a number like 0 (net); it may be left out when there is only\n"
        "one.\n\n"
        "commands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %s %-8s %s\n", commands[i].family, commands[i].name, commands[i].help);
    fprintf(to, "\nxenfront blk|net COMMAND --help shows the options of a command.\n"
                "exit status: 0 done; 1 I/O error; 2 usage; 3 no connection; 4 verify found a difference;\n"
                "             128 + N stopped by signal N\n");
}

static int run_blk(const struct command *command, const struct settings *settings)
{
    struct session session;
    int result = session_open(&session, settings);

    return result ? result : session_close(&session, command->run_blk(&session));
}

static int run_net(const struct command *command, const struct settings *settings)
{
    struct net_session session;
    int result = net_session_open(&session, settings);

    return result ? result : net_session_close(&session, command->run_net(&session));
}

static int run(const struct command *command, int argc, char **argv)
{
    struct settings settings;
    char usage[128];
    int result;

    snprintf(usage, sizeof(usage), "%s %s %s", command->family, command->name, command->operands);
    result = settings_parse(&settings, command->id, usage, argc, argv);
    if (result)
        return result < 0 ? TOOL_OK : result;
    if (command->check) {
        result = command->check(&settings);
        if (result)
            return result;
    }
    return command->run_blk ? run_blk(command, &settings) : run_net(command, &settings);
}

static bool is_help(const char *text)
{
    return !strcmp(text, "--help") || !strcmp(text, "-h");
}

static bool is_family(const char *text)
{
    return !strcmp(text, "blk") || !strcmp(text, "net");
}

int main(int argc, char **argv)
{
    if (argc >= 2 && (is_help(argv[1]) || (argc >= 3 && is_family(argv[1]) && is_help(argv[2])))) {
        help(stdout);
        return TOOL_OK;
    }
    if (argc >= 2 && !strcmp(argv[1], "--version")) {
        printf("xenfront %s\n", xenfront_version());
        return TOOL_OK;
    }
    for (size_t i = 0; i < COMMANDS && argc >= 3; i++) {
        if (!strcmp(argv[1], commands[i].family) && !strcmp(argv[2], commands[i].name))
            return run(&commands[i], argc - 2, argv + 2);
    }
    help(stderr);
    return TOOL_USAGE;
}
