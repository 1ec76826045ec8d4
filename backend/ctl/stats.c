// SPDX-License-Identifier: MIT
/*
 * stats.c: `stats`: what queues count, a line a device with a ring. Counters begin with each connect.
 */
#include <config.h>

#include "backend/ctl/commands.h"
#include "backend/ctl/device_json.h"

json_t *command_stats(const struct survey *survey)
{
    static const char *const fields[] = {
        "device",     "family",        "domid",           "devid",      "in_flight",    "reads",          "writes",
        "flushes",    "discards",      "bytes_read",      "bytes_written", "bytes_discarded", "errors",
        "tx_packets", "tx_bytes",      "tx_errors",       "rx_packets", "rx_bytes",     "rx_errors",      "rx_dropped",
        "rx_stalls",  "port_refused",  "kicks_received",  "kicks_sent", NULL
    };

    return device_json_all(survey, fields);
}
