// SPDX-License-Identifier: MIT
/* main.c: the `xenbox` command is its table of commands. */
#include <config.h>

#include "xenbox/cmd/cmd.h"
#include "xenbox/cmd/commands.h"

const struct command *cmd_table[] = {
    &command_up,     &command_down, &command_list,  &command_domain,  &command_run, &command_attach,
    &command_detach, &command_dump, &command_check, &command_console, NULL,
};

int main(int argc, char **argv)
{
    return cmd_dispatch(argc, argv);
}
