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

/* What the guest may be given, and why not more. */
static const char *offload_reason(const struct device_report *report)
{
    if (!report->has_net_queue)
        return "the device has no ring now";
    if (strcmp(report->port_kind, "tap") != 0 && strcmp(report->port_kind, "null") != 0)
        return "the port knows of no offloads: packets are whole and their checksums complete";
    if (!report->takes_sg)
        return "the guest did not write feature-sg: nothing longer than a page, and no segmentation";
    if (!report->takes_gso_tcpv4 && !report->takes_gso_tcpv6)
        return "the guest did not write feature-gso-tcpv4 or -tcpv6: the kernel segments for it";
    return "the port leaves to the guest what the guest said that it takes";
}

/* Why it stands still, if it does. */
static const char *wait_reason(const struct device_report *report)
{
    if (strcmp(report->state, "InitWait") == 0 && strcmp(report->frontend_state, "Connected") == 0)
        return "hotplug-status is awaited: the toolstack's script has not written \"connected\"";
    if (report->has_figures && strcmp(report->queue_state, "stalled") == 0)
        return "the guest has posted no pages for longer than vif-drain: its frames are dropped";
    if (report->has_figures && report->has_net_queue && !report->has_link)
        return "there is nobody at the far end of the port: it is being looked for, and frames are dropped";
    return "nothing holds it up";
}

static json_t *why_vif(const struct device_report *report)
{
    static const char *const fields[] = { "device",          "state",           "frontend_state",
                                          "waits_for",       "target",          "mtu",
                                          "rate_bytes",      "rate_period_us",  "queue_state",
                                          "has_link",        "data_method",     "takes_sg",        "takes_csum_ipv4",
                                          "takes_csum_ipv6", "takes_gso_tcpv4", "takes_gso_tcpv6",
                                          "has_rx_notify",   "last_error",      NULL };
    json_t *object = device_json(report, fields);

    if (device_json_say(object, "data_method_reason", method_reason(report)) == 0 &&
        device_json_say(object, "offload_reason", offload_reason(report)) == 0 &&
        device_json_say(object, "wait_reason", wait_reason(report)) == 0)
        return object;
    json_decref(object);
    return NULL;
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
    static const char *const fields[] = { "device",      "state",        "frontend_state",  "waits_for",
                                          "target",      "disk_kind",    "engine",          "is_direct",
                                          "data_method", "has_mapped_io", "pages_mapped", "mapping_refusal",
                                          "last_error",
                                          NULL };
    const struct device_report *report = &survey->devices[0];
    json_t *object;

    if (strcmp(report->family, "vif") == 0)
        return why_vif(report);
    object = device_json(report, fields);
    if (device_json_say(object, "data_method_reason", method_reason(report)) == 0 &&
        device_json_say(object, "mapped_io_reason",
                        report->has_queue ? report->mapped_io_reason : "the device has no ring now") == 0 &&
        device_json_say(object, "engine_reason", engine_reason(report)) == 0 &&
        device_json_say(object, "direct_reason", direct_reason(report)) == 0)
        return object;
    json_decref(object);
    return NULL;
}
