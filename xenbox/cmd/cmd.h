// SPDX-License-Identifier: MIT
/*
 * cmd.h: what the sub-commands of `xenbox` have in common: a row in the table of commands, which is also
 * their help, and the habits of options, messages and exit codes. The program has one thread.
 */
#ifndef XENBOX_CMD_CMD_H
#define XENBOX_CMD_CMD_H

#include <stdbool.h>
#include <stddef.h>

enum cmd_exit {
    CMD_OK = 0,
    CMD_FAILED = 1, /* it was understood and did not work */
    CMD_USAGE = 2, /* it was not understood */
    CMD_CANNOT_EXECUTE = 126, /* run: found, but it cannot be executed */
    CMD_NOT_FOUND = 127, /* run: no such command */
};

struct cmd_option {
    int key; /* the short letter, or a number above 255 for an option that has none */
    const char *name;
    const char *value; /* what the help calls the argument; NULL: a flag */
    const char *help;
};

/* `-b BOX`, `--help` and `--version` belong to every command and are in no command's own table. */
struct command {
    const char *name;
    const char *arguments; /* behind the name in the usage line */
    const char *summary; /* one line */
    const struct cmd_option *options; /* ends with a row without name; NULL: none */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns an exit code */
    const struct command *family; /* sub-commands instead of run; ends with a row without name */
    bool is_wrapper; /* options end at the first operand: the rest belongs to somebody else */
};

extern const struct command *cmd_table[]; /* ends with NULL */

/* Finds the handler for argv[0] below a family and runs it. */
int cmd_dispatch(int argc, char **argv);
int cmd_dispatch_family(const struct command *command, int argc, char **argv);

/*
 * The next option's key, or -1 when only operands are left (argv[optind] on). --help and --version print and
 * exit with 0; what is no option of this command prints the usage and exits with CMD_USAGE.
 */
int cmd_next_option(const struct command *command, int argc, char **argv);

/* Prints "xenbox NAME: message" and the usage line; returns CMD_USAGE. */
int cmd_usage(const struct command *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints "xenbox: message"; returns CMD_FAILED. */
int cmd_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The box that -b named, or NULL. */
const char *cmd_box(void);

/*
 * Prints one JSON value and a newline, and drops the reference. Returns CMD_OK, or CMD_FAILED with a message.
 */
struct json_t;
int cmd_print_json(struct json_t *value);

#endif
