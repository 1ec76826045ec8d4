// SPDX-License-Identifier: MIT
/*
 * device_report.h: what a device, its queue and the worker of it say about themselves, as plain copies for the
 * operator. What the main thread knows is filled in at once; figures of a queue are its worker's, so the report
 * itself travels there as a letter, is filled in between two passes, and travels back. Nothing is read while
 * another thread may write it, and the request path knows nothing of any of this.
 *
 * Texts that are not arrays are literals.
 */
#ifndef XENSPLIT_BACKEND_DEVICE_REPORT_H
#define XENSPLIT_BACKEND_DEVICE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/xenbus.h"
#include "backend/mailbox.h"

struct device;

/* A queue counts for itself, from the connect on; its worker's thread alone touches them. */
struct queue_counters {
    uint64_t reads, writes, flushes; /* answered with success */
    uint64_t bytes_read, bytes_written;
    uint64_t errors; /* answered with anything else */
    uint64_t kicks_received; /* events */
    uint64_t kicks_sent; /* notifications */
};

struct device_report {
    /* Every device. */
    char label[48];
    char path[XENBUS_PATH_MAX];
    char frontend_path[XENBUS_PATH_MAX];
    const char *family;
    uint64_t domid;
    uint64_t devid;
    const char *state;
    const char *frontend_state;
    const char *waits_for;
    char last_error[512]; /* empty: none */

    /* What is behind it is open. */
    bool has_disk;
    char target[256];
    const char *disk_kind;
    uint64_t size_bytes;
    uint64_t sector_bytes;
    bool is_readonly;
    bool is_direct;

    /* It has a queue. */
    bool has_queue;
    uint64_t worker;
    const char *engine;
    const char *data_method;
    const char *data_method_reason;
    const char *abi;
    uint64_t ring_ref;
    uint64_t frontend_port;

    /* The queue has answered. */
    bool has_figures;
    const char *queue_state;
    const char *notification;
    bool has_channel; /* else it is suspended, and has no port */
    uint64_t port;
    uint64_t in_flight; /* taken from the ring, not answered */
    bool waits_for_buffer;
    uint64_t spin_limit_ns;
    uint64_t pages_mapped; /* of the guest, kept */
    char mapping_refusal[128]; /* why nothing more is mapped; empty: it may be */
    struct queue_counters counters;

    /* Its way. The family sets subject, the asker the rest. */
    struct letter letter;
    void *subject; /* the queue; for its worker only */
    void (*on_complete)(struct device_report *report); /* main thread, exactly once */
    void *asker;
};

/*
 * Main thread. Fills the report in and calls on_complete, now or later. The device may be gone by then, the
 * report must not.
 */
void device_inspect(const struct device *device, struct device_report *report);

#endif
