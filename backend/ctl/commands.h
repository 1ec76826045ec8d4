// SPDX-License-Identifier: MIT
/*
 * commands.h: the commands of the control socket. What one says has a file of its own, whose function makes the
 * result of a complete survey: no thread is asked, nothing is changed. One that is an order has the order carried
 * out before. Main thread.
 */
#ifndef XENSPLIT_BACKEND_CTL_COMMANDS_H
#define XENSPLIT_BACKEND_CTL_COMMANDS_H

#include <stdbool.h>
#include <jansson.h>

#include "backend/device_order.h"

struct survey;

/* A new value; NULL: no memory. */
typedef json_t *command_fn(const struct survey *survey);

command_fn command_list, command_show, command_why, command_stats, command_workers, command_channels;

struct command {
    const char *name;
    bool needs_device; /* one, and it exists: survey->devices[0] */
    command_fn *run;
    bool is_order; /* of the kind */
    enum device_order_kind order;
    bool needs_worker;
    bool needs_file;
};

/* NULL: there is none of that name. */
const struct command *command_find(const char *name);
/* "list, show, ...", for those who ask for another. */
const char *command_names(void);

#endif
