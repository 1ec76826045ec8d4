// SPDX-License-Identifier: MIT
/*
 * commands.c: the table of commands.
 */
#include <config.h>

#include "backend/ctl/commands.h"

#include <stddef.h>
#include <string.h>

static const struct command commands[] = {
    { "list", false, command_list },
    { "show", true, command_show },
    { "why", true, command_why },
    { "stats", false, command_stats },
    { "workers", false, command_workers },
    { "channels", false, command_channels },
    { "move", true, command_channels, true, DEVICE_MOVE, true },
    { "suspend", true, command_channels, true, DEVICE_SUSPEND, false },
    { "resume", true, command_channels, true, DEVICE_RESUME, false },
    { "poll", true, command_channels, true, DEVICE_POLL, false },
    { "events", true, command_channels, true, DEVICE_EVENTS, false },
    { "capture", true, command_list, true, DEVICE_CAPTURE, false, true },
    { "uncapture", true, command_list, true, DEVICE_UNCAPTURE, false },
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

const char *command_names(void)
{
    return "list, show, why, stats, workers, channels, move, suspend, resume, poll, events, capture or uncapture";
}
