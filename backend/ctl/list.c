// SPDX-License-Identifier: MIT
/*
 * list.c: `list`: a line a device.
 */
#include <config.h>

#include "backend/ctl/commands.h"
#include "backend/ctl/device_json.h"

json_t *command_list(const struct survey *survey)
{
    static const char *const fields[] = { "device",     "state",       "frontend_state", "target",
                                          "size_bytes", "mtu",         "worker",         "disk_kind",
                                          "engine",     "data_method", "in_flight",      "last_error",
                                          NULL };

    return device_json_all(survey, fields);
}
