// SPDX-License-Identifier: MIT
/*
 * channels.c: `channels`: the event channels that are bound, with the worker that owns each.
 */
#include <config.h>

#include "backend/ctl/commands.h"
#include "backend/ctl/device_json.h"
#include "backend/ctl/survey.h"

json_t *command_channels(const struct survey *survey)
{
    static const char *const fields[] = { "device",     "domid",         "worker",
                                          "port",       "frontend_port", "kicks_received",
                                          "kicks_sent", "notification",  "queue_state",
                                          NULL };
    json_t *array = json_array();

    for (size_t i = 0; array && i < survey->device_count; i++) {
        if (!survey->devices[i].has_figures)
            continue;
        if (json_array_append_new(array, device_json(&survey->devices[i], fields)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}
