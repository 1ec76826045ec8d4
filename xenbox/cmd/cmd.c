// SPDX-License-Identifier: MIT
/*
 * cmd.c: dispatch over the table of commands, and options, help, messages and exit codes for all of them.
 */
#include <config.h>

#include <getopt.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenbox/cmd/cmd.h"

#define MAX_OPTIONS 16 /* of one command, with the common ones */

static const struct cmd_option common_options[] = {
    { 'b', "box", "BOX", "name or directory of the box (default: $XENBOX, else \"default\")" },
    { 'h', "help", NULL, "show this help" },
    { 'V', "version", NULL, "show the version" },
    { 0 },
};

static const char *chosen_box;

const char *cmd_box(void)
{
    return chosen_box;
}

static void print_option(const struct cmd_option *option)
{
    char left[64];
    bool has_letter = option->key < 256;

    snprintf(left, sizeof(left), "%c%c%s--%s%s%s", has_letter ? '-' : ' ', has_letter ? option->key : ' ',
             has_letter ? ", " : "  ", option->name, option->value ? " " : "",
             option->value ? option->value : "");
    printf("  %-26s %s\n", left, option->help);
}

static void print_options(const struct command *command)
{
    const struct cmd_option *option;

    printf("\nOptions:\n");
    if (command)
        for (option = command->options; option && option->name; option++)
            print_option(option);
    for (option = common_options; option->name; option++)
        print_option(option);
}

static void print_command(const char *family, const struct command *command)
{
    char left[96];

    snprintf(left, sizeof(left), "%s%s%s %s", family, *family ? " " : "", command->name, command->arguments);
    if (strlen(left) > 40)
        printf("  %s\n  %-40s %s\n", left, "", command->summary);
    else
        printf("  %-40s %s\n", left, command->summary);
}

static void print_usage(FILE *out, const struct command *command)
{
    const struct command *const *entry, *sub;

    /* A member of a family is shown with the family's name, which it does not know itself. */
    for (entry = cmd_table; *entry; entry++) {
        for (sub = (*entry)->family; sub && sub->name; sub++) {
            if (sub == command) {
                fprintf(out, "usage: xenbox %s %s %s\n", (*entry)->name, command->name, command->arguments);
                return;
            }
        }
    }
    fprintf(out, "usage: xenbox %s %s\n", command->name, command->arguments);
}

static void print_help(const struct command *command)
{
    const struct command *const *entry, *sub;

    if (command) {
        print_usage(stdout, command);
        printf("\n%s.\n", command->summary);
        if (command->family)
            printf("\n");
        for (sub = command->family; sub && sub->name; sub++)
            print_command(command->name, sub);
    } else {
        printf("usage: xenbox [-b BOX] COMMAND [ARGUMENT]...\n\n"
               "An emulated Xen: real Xen programs, the real xenstored, no hypervisor.\n\n");
        for (entry = cmd_table; *entry; entry++) {
            if (!(*entry)->family)
                print_command("", *entry);
            for (sub = (*entry)->family; sub && sub->name; sub++)
                print_command((*entry)->name, sub);
        }
    }
    print_options(command);
    if (!command)
        printf("\nExit status: 0 done, 1 failed, 2 wrong usage; `run` has the status of what it runs.\n");
}

/* Parses one option: of a command, or with NULL those in front of the command's name. */
static int next_option(const struct command *command, int argc, char **argv)
{
    const struct cmd_option *tables[] = { command ? command->options : NULL, common_options };
    struct option longs[MAX_OPTIONS + 1] = { 0 };
    char letters[2 * MAX_OPTIONS + 2];
    size_t n = 0, at = 0;
    int key;

    if (!command || command->is_wrapper || command->family)
        letters[at++] = '+';
    for (size_t t = 0; t < 2; t++) {
        for (const struct cmd_option *option = tables[t]; option && option->name && n < MAX_OPTIONS;
             option++) {
            longs[n++] = (struct option){ option->name, option->value ? required_argument : no_argument, NULL,
                                          option->key };
            if (option->key < 256)
                letters[at++] = (char)option->key;
            if (option->key < 256 && option->value)
                letters[at++] = ':';
        }
    }
    letters[at] = '\0';
    do {
        key = getopt_long(argc, argv, letters, longs, NULL);
        if (key == 'b')
            chosen_box = optarg;
    } while (key == 'b');
    switch (key) {
    case 'h':
        print_help(command);
        exit(CMD_OK);
    case 'V':
        printf("xenbox (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
        exit(CMD_OK);
    case '?':
        if (command)
            print_usage(stderr, command);
        fprintf(stderr, "Try 'xenbox %s%s--help'.\n", command ? command->name : "", command ? " " : "");
        exit(CMD_USAGE);
    default:
        return key;
    }
}

int cmd_next_option(const struct command *command, int argc, char **argv)
{
    return next_option(command, argc, argv);
}

int cmd_usage(const struct command *command, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "xenbox %s: ", command->name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    print_usage(stderr, command);
    return CMD_USAGE;
}

int cmd_fail(const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "xenbox: ");
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return CMD_FAILED;
}

int cmd_print_json(json_t *value)
{
    int status = CMD_OK;

    if (!value || json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) != 0)
        status = cmd_fail("cannot print JSON: out of memory or of disk space");
    else
        putchar('\n');
    json_decref(value);
    return status;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    optind = 0; /* starts getopt anew, with this command's rules */
    return command->family ? cmd_dispatch_family(command, argc, argv) : command->run(argc, argv);
}

int cmd_dispatch_family(const struct command *command, int argc, char **argv)
{
    const struct command *sub;

    while (next_option(command, argc, argv) != -1)
        ;
    if (optind == argc)
        return cmd_usage(command, "what to do is missing");
    for (sub = command->family; sub->name; sub++)
        if (strcmp(sub->name, argv[optind]) == 0)
            return run_command(sub, argc - optind, argv + optind);
    return cmd_usage(command, "there is no '%s'", argv[optind]);
}

int cmd_dispatch(int argc, char **argv)
{
    const struct command *const *entry;

    while (next_option(NULL, argc, argv) != -1)
        ;
    if (optind == argc) {
        fprintf(stderr, "xenbox: which command? Try 'xenbox --help'.\n");
        return CMD_USAGE;
    }
    for (entry = cmd_table; *entry; entry++)
        if (strcmp((*entry)->name, argv[optind]) == 0)
            return run_command(*entry, argc - optind, argv + optind);
    fprintf(stderr, "xenbox: there is no command '%s'. Try 'xenbox --help'.\n", argv[optind]);
    return CMD_USAGE;
}
