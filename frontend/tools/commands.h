// SPDX-License-Identifier: MIT
/*
 * commands.h: the commands of `xenfront blk` and `xenfront net`, one file each (read, write and copy share one).
 * Each runs on a connected session and returns an exit code.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_COMMANDS_H
#define XENSPLIT_FRONTEND_TOOLS_COMMANDS_H

#include "frontend/tools/net_session.h"
#include "frontend/tools/session.h"

int command_info(struct session *session);
int command_read(struct session *session);
int command_write(struct session *session);
int command_copy(struct session *session);
int command_discard(struct session *session);
int command_verify(struct session *session);
int command_bench(struct session *session);

int command_net_info(struct net_session *session);
int command_net_tap(struct net_session *session);
int command_net_ping(struct net_session *session);
int command_net_bench(struct net_session *session);
int command_net_dump(struct net_session *session);

/* Complains about settings before the device is touched. TOOL_OK or TOOL_USAGE. */
int check_read(const struct settings *settings);
int check_copy(const struct settings *settings);
int check_bench(const struct settings *settings);
int check_net_ping(const struct settings *settings);
int check_net_bench(const struct settings *settings);

#endif
