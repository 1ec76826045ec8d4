// SPDX-License-Identifier: MIT
/*
 * why.c: `why DEVICE`: how its data moves, and what decided that.
 */
#include <config.h>

#include "backend/ctl/commands.h"

#include <string.h>

#include "backend/config.h"
#include "backend/ctl/device_json.h"
#include "backend/ctl/survey.h"

static const char *method_reason(const struct device_report *report)
{
    return report->has_queue ? report->data_method_reason : "the device has no ring now";
}

static const char *engine_reason(const struct device_report *report)
{
    if (!report->has_queue)
        return "the device has no ring now";
    if (config_get()->engine != ENGINE_AUTO)
        return "the setting engine says so";
    return strcmp(report->engine, "io_uring") == 0
               ? "engine = auto prefers it"
               : "engine = auto, and the system does not allow io_uring (the log of the start says why)";
}

static const char *direct_reason(const struct device_report *report)
{
    if (!report->has_disk)
        return "nothing is open behind the device";
    if (strcmp(report->disk_kind, "raw") != 0)
        return "memory has no page cache before it";
    if (config_get()->direct == DIRECT_OFF)
        return "direct = off";
    if (report->is_direct)
        return config_get()->direct == DIRECT_ON ? "direct = on"
                                                 : "direct = auto, and the file takes O_DIRECT";
    return "direct = auto, and the file does not take O_DIRECT for single sectors";
}

json_t *command_why(const struct survey *survey)
{
    static const char *const fields[] = { "device",     "state",     "frontend_state",
                                          "waits_for",  "target",    "disk_kind",
                                          "engine",     "is_direct", "data_method",
                                          "pages_mapped", "mapping_refusal", "last_error", NULL };
    const struct device_report *report = &survey->devices[0];
    json_t *object = device_json(report, fields);

    if (device_json_say(object, "data_method_reason", method_reason(report)) == 0 &&
        device_json_say(object, "engine_reason", engine_reason(report)) == 0 &&
        device_json_say(object, "direct_reason", direct_reason(report)) == 0)
        return object;
    json_decref(object);
    return NULL;
}
