// SPDX-License-Identifier: MIT
/*
 * prometheus.c: see prometheus.h.
 */
#include <config.h>

#include "backend/ctl/prometheus.h"

#include <stddef.h>
#include <string.h>

/* The samples of a metric stand together, its description before the first. */
static const struct sample {
    const char *metric;
    const char *type;
    const char *help;
    const char *member;
    const char *label; /* what it has beside the device; empty: nothing */
} samples[] = {
    { "xensplit_requests_total", "counter", "Requests answered with success.", "reads",
      "operation=\"read\"" },
    { "xensplit_requests_total", NULL, NULL, "writes", "operation=\"write\"" },
    { "xensplit_requests_total", NULL, NULL, "flushes", "operation=\"flush\"" },
    { "xensplit_requests_total", NULL, NULL, "discards", "operation=\"discard\"" },
    { "xensplit_bytes_total", "counter", "Bytes moved, or let go.", "bytes_read", "operation=\"read\"" },
    { "xensplit_bytes_total", NULL, NULL, "bytes_written", "operation=\"write\"" },
    { "xensplit_bytes_total", NULL, NULL, "bytes_discarded", "operation=\"discard\"" },
    { "xensplit_errors_total", "counter", "Requests answered with an error.", "errors", "" },
    { "xensplit_packets_total", "counter", "Packets moved; sent: by the guest.", "tx_packets",
      "direction=\"sent\"" },
    { "xensplit_packets_total", NULL, NULL, "rx_packets", "direction=\"received\"" },
    { "xensplit_packet_bytes_total", "counter", "Bytes of packets moved.", "tx_bytes", "direction=\"sent\"" },
    { "xensplit_packet_bytes_total", NULL, NULL, "rx_bytes", "direction=\"received\"" },
    { "xensplit_packet_errors_total", "counter", "Packets that were malformed or could not be copied.",
      "tx_errors", "direction=\"sent\"" },
    { "xensplit_packet_errors_total", NULL, NULL, "rx_errors", "direction=\"received\"" },
    { "xensplit_packets_dropped_total", "counter", "Packets that a guest did not take in time.", "rx_dropped",
      "" },
    { "xensplit_stalls_total", "counter", "Times that a guest took no packet for too long.", "rx_stalls",
      "" },
    { "xensplit_port_refused_total", "counter", "Packets that a port did not take.", "port_refused", "" },
    { "xensplit_kicks_total", "counter", "Event-channel notifications.", "kicks_received",
      "direction=\"received\"" },
    { "xensplit_kicks_total", NULL, NULL, "kicks_sent", "direction=\"sent\"" },
    { "xensplit_in_flight", "gauge", "Requests taken from the ring and not answered.", "in_flight", "" },
};

void prometheus_print(FILE *out, const json_t *rows)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const struct sample *sample = &samples[i];

        if (sample->type)
            fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", sample->metric, sample->help, sample->metric,
                    sample->type);
        for (size_t row = 0; row < json_array_size(rows); row++) {
            const json_t *device = json_array_get(rows, row);
            const json_t *value = json_object_get(device, sample->member);
            const char *name = json_string_value(json_object_get(device, "device"));

            if (json_is_integer(value) && name)
                fprintf(out, "%s{device=\"%s\"%s%s} %" JSON_INTEGER_FORMAT "\n", sample->metric, name,
                        sample->label[0] ? "," : "", sample->label, json_integer_value(value));
        }
    }
}
