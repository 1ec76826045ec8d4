// SPDX-License-Identifier: MIT
/*
 * commands.h: the commands of `xenfront blk`, one file each (read, write and copy share one). Each runs on a
 * connected session and returns an exit code.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_COMMANDS_H
#define XENSPLIT_FRONTEND_TOOLS_COMMANDS_H

#include "frontend/tools/session.h"

int command_info(struct session *session);
int command_read(struct session *session);
int command_write(struct session *session);
int command_copy(struct session *session);
int command_verify(struct session *session);
int command_bench(struct session *session);

/* Complains about settings before the device is touched. TOOL_OK or TOOL_USAGE. */
int check_read(const struct settings *settings);
int check_copy(const struct settings *settings);
int check_bench(const struct settings *settings);

#endif
