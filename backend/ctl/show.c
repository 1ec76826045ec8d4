// SPDX-License-Identifier: MIT
/*
 * show.c: `show DEVICE`: everything about one.
 */
#include <config.h>

#include "backend/ctl/commands.h"
#include "backend/ctl/device_json.h"
#include "backend/ctl/survey.h"

json_t *command_show(const struct survey *survey)
{
    return device_json(&survey->devices[0], NULL);
}
