// SPDX-License-Identifier: MIT
/* commands.h: the rows of the table of commands, each in the file of its name. */
#ifndef XENBOX_CMD_COMMANDS_H
#define XENBOX_CMD_COMMANDS_H

#include "xenbox/cmd/cmd.h"

extern const struct command command_up;
extern const struct command command_down;
extern const struct command command_list;
extern const struct command command_domain;
extern const struct command command_run;
extern const struct command command_attach;
extern const struct command command_detach;
extern const struct command command_dump;
extern const struct command command_check;
extern const struct command command_console;

#endif
