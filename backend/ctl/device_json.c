// SPDX-License-Identifier: MIT
/*
 * device_json.c: see device_json.h.
 */
#include <config.h>

#include "backend/ctl/device_json.h"

#include <stddef.h>
#include <string.h>

#include "backend/ctl/survey.h"
#include "backend/device_report.h"

enum field_type { FIELD_ARRAY, FIELD_LITERAL, FIELD_NUMBER, FIELD_FACT };

/* When it is known. */
enum field_part {
    PART_DEVICE,
    PART_TARGET,
    PART_DISK,
    PART_PORT,
    PART_QUEUE,
    PART_NET_QUEUE,
    PART_FIGURES,
    PART_CHANNEL,
    PART_BLK_FIGURES,
    PART_NET_FIGURES
};

#define FIELD(part, type, name)                                                                              \
    {                                                                                                        \
#name, part, type, offsetof(struct device_report, name)                                              \
    }
#define NET_COUNTER(name)                                                                                    \
    {                                                                                                        \
#name, PART_NET_FIGURES, FIELD_NUMBER, offsetof(struct device_report, net.name)                      \
    }
#define COUNTER(name)                                                                                        \
    {                                                                                                        \
#name, PART_BLK_FIGURES, FIELD_NUMBER, offsetof(struct device_report, counters.name)                 \
    }

/* In the order in which `show` prints them. */
static const struct field {
    const char *name;
    enum field_part part;
    enum field_type type;
    size_t offset;
} fields_known[] = {
    { "device", PART_DEVICE, FIELD_ARRAY, offsetof(struct device_report, label) },
    FIELD(PART_DEVICE, FIELD_LITERAL, family),
    FIELD(PART_DEVICE, FIELD_NUMBER, domid),
    FIELD(PART_DEVICE, FIELD_NUMBER, devid),
    FIELD(PART_DEVICE, FIELD_LITERAL, state),
    FIELD(PART_DEVICE, FIELD_LITERAL, frontend_state),
    FIELD(PART_DEVICE, FIELD_LITERAL, waits_for),
    FIELD(PART_DEVICE, FIELD_ARRAY, last_error),
    FIELD(PART_DEVICE, FIELD_ARRAY, path),
    FIELD(PART_DEVICE, FIELD_ARRAY, frontend_path),
    FIELD(PART_TARGET, FIELD_ARRAY, target),
    FIELD(PART_DISK, FIELD_LITERAL, disk_kind),
    FIELD(PART_DISK, FIELD_NUMBER, size_bytes),
    FIELD(PART_DISK, FIELD_NUMBER, sector_bytes),
    FIELD(PART_DISK, FIELD_FACT, is_readonly),
    FIELD(PART_DISK, FIELD_FACT, is_direct),
    FIELD(PART_PORT, FIELD_LITERAL, port_kind),
    FIELD(PART_PORT, FIELD_NUMBER, mtu),
    FIELD(PART_PORT, FIELD_NUMBER, rate_bytes),
    FIELD(PART_PORT, FIELD_NUMBER, rate_period_us),
    FIELD(PART_QUEUE, FIELD_NUMBER, worker),
    FIELD(PART_QUEUE, FIELD_LITERAL, engine),
    FIELD(PART_QUEUE, FIELD_LITERAL, data_method),
    FIELD(PART_FIGURES, FIELD_FACT, has_mapped_io),
    FIELD(PART_QUEUE, FIELD_LITERAL, abi),
    FIELD(PART_QUEUE, FIELD_NUMBER, ring_ref),
    FIELD(PART_QUEUE, FIELD_NUMBER, frontend_port),
    FIELD(PART_NET_QUEUE, FIELD_NUMBER, rx_ring_ref),
    FIELD(PART_NET_QUEUE, FIELD_NUMBER, rx_frontend_port),
    FIELD(PART_NET_QUEUE, FIELD_FACT, takes_sg),
    FIELD(PART_NET_QUEUE, FIELD_FACT, takes_csum_ipv4),
    FIELD(PART_NET_QUEUE, FIELD_FACT, takes_csum_ipv6),
    FIELD(PART_NET_QUEUE, FIELD_FACT, takes_gso_tcpv4),
    FIELD(PART_NET_QUEUE, FIELD_FACT, takes_gso_tcpv6),
    FIELD(PART_NET_QUEUE, FIELD_FACT, has_rx_notify),
    FIELD(PART_CHANNEL, FIELD_NUMBER, port),
    FIELD(PART_FIGURES, FIELD_LITERAL, queue_state),
    FIELD(PART_NET_FIGURES, FIELD_FACT, has_link),
    FIELD(PART_FIGURES, FIELD_LITERAL, notification),
    FIELD(PART_FIGURES, FIELD_NUMBER, in_flight),
    FIELD(PART_FIGURES, FIELD_FACT, waits_for_buffer),
    FIELD(PART_FIGURES, FIELD_NUMBER, spin_limit_ns),
    FIELD(PART_FIGURES, FIELD_NUMBER, pages_mapped),
    FIELD(PART_FIGURES, FIELD_ARRAY, mapping_refusal),
    COUNTER(reads),
    COUNTER(writes),
    COUNTER(flushes),
    COUNTER(discards),
    COUNTER(bytes_read),
    COUNTER(bytes_written),
    COUNTER(bytes_discarded),
    COUNTER(errors),
    NET_COUNTER(tx_packets),
    NET_COUNTER(tx_bytes),
    NET_COUNTER(tx_errors),
    NET_COUNTER(rx_packets),
    NET_COUNTER(rx_bytes),
    NET_COUNTER(rx_errors),
    NET_COUNTER(rx_dropped),
    NET_COUNTER(rx_stalls),
    NET_COUNTER(port_refused),
    { "kicks_received", PART_FIGURES, FIELD_NUMBER, offsetof(struct device_report, counters.kicks_received) },
    { "kicks_sent", PART_FIGURES, FIELD_NUMBER, offsetof(struct device_report, counters.kicks_sent) },
    { "loans", PART_FIGURES, FIELD_NUMBER, offsetof(struct device_report, counters.loans) },
};

#define FIELD_COUNT (sizeof(fields_known) / sizeof(fields_known[0]))

static bool is_known(const struct device_report *report, enum field_part part)
{
    const bool has[] = {
        [PART_DEVICE] = true,
        [PART_TARGET] = report->has_disk || report->has_port,
        [PART_DISK] = report->has_disk,
        [PART_PORT] = report->has_port,
        [PART_QUEUE] = report->has_queue,
        [PART_NET_QUEUE] = report->has_net_queue,
        [PART_FIGURES] = report->has_figures,
        [PART_CHANNEL] = report->has_figures && report->has_channel,
        [PART_BLK_FIGURES] = report->has_figures && !report->has_net_queue,
        [PART_NET_FIGURES] = report->has_figures && report->has_net_queue,
    };

    return has[part];
}

/* Paths come from a store that takes any byte: what is not UTF-8 is shown as such. */
static json_t *make_text(const char *text)
{
    json_t *value = json_string(text);

    return value ? value : json_string("(not UTF-8)");
}

static json_t *make_value(const struct device_report *report, const struct field *field)
{
    const char *at = (const char *)report + field->offset;

    if (!is_known(report, field->part))
        return json_null();
    switch (field->type) {
    case FIELD_ARRAY:
        return at[0] ? make_text(at) : json_null();
    case FIELD_LITERAL:
        return make_text(*(const char *const *)at);
    case FIELD_NUMBER:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case FIELD_FACT:
        return json_boolean(*(const bool *)at);
    }
    return NULL;
}

static bool is_wanted(const char *name, const char *const *fields)
{
    if (!fields)
        return true;
    for (; *fields; fields++)
        if (strcmp(*fields, name) == 0)
            return true;
    return false;
}

json_t *device_json(const struct device_report *report, const char *const *fields)
{
    json_t *object = json_object();

    for (size_t i = 0; object && i < FIELD_COUNT; i++) {
        if (!is_wanted(fields_known[i].name, fields))
            continue;
        if (json_object_set_new(object, fields_known[i].name, make_value(report, &fields_known[i])) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *device_json_all(const struct survey *survey, const char *const *fields)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < survey->device_count; i++) {
        if (json_array_append_new(array, device_json(&survey->devices[i], fields)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

int device_json_say(json_t *object, const char *name, const char *text)
{
    return json_object_set_new(object, name, make_text(text));
}
