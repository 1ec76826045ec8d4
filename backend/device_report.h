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
    uint64_t reads, writes, flushes, discards; /* answered with success */
    uint64_t bytes_read, bytes_written, bytes_discarded;
    uint64_t errors; /* answered with anything else */
    uint64_t kicks_received; /* events */
    uint64_t kicks_sent; /* notifications */
    uint64_t loans; /* transfers straight to and from the guest's pages */
};

/* The same for a network queue; tx is what the guest sends. */
struct net_counters {
    uint64_t tx_packets, tx_bytes;
    uint64_t tx_errors; /* malformed, or its pages could not be copied */
    uint64_t rx_packets, rx_bytes;
    uint64_t rx_errors; /* the guest's pages could not be written */
    uint64_t rx_dropped; /* too long for the guest, or it did not take them in time */
    uint64_t rx_stalls; /* times that it did not take any for too long */
    uint64_t port_refused; /* what the port's other side did not take, or gave and could not be used */
    uint64_t kicks_received;
    uint64_t kicks_sent;
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

    /* Its port is open; target says which. */
    bool has_port;
    const char *port_kind;
    uint64_t mtu;
    uint64_t rate_bytes; /* in each period of */
    uint64_t rate_period_us; /* 0: no limit */

    /* It has a queue. */
    bool has_queue;
    uint64_t worker;
    const char *engine;
    const char *data_method;
    const char *data_method_reason;
    bool has_mapped_io; /* the kernel's I/O goes straight to mapped pages */
    const char *mapped_io_reason;
    const char *abi;
    uint64_t ring_ref;
    uint64_t frontend_port;

    /* And that is one of a network device. */
    bool has_net_queue;
    uint64_t rx_ring_ref; /* ring_ref is the transmit ring's */
    uint64_t rx_frontend_port;
    bool takes_sg, takes_csum_ipv4, takes_csum_ipv6, takes_gso_tcpv4, takes_gso_tcpv6; /* the guest */
    bool has_rx_notify;

    /* The queue has answered. */
    bool has_figures;
    const char *queue_state;
    bool has_link; /* of a network device: there is somebody at the far end of its port */
    const char *notification;
    bool has_channel; /* else it is suspended, and has no port */
    uint64_t port;
    uint64_t in_flight; /* taken from the ring, not answered */
    bool waits_for_buffer;
    uint64_t spin_limit_ns;
    uint64_t pages_mapped; /* of the guest, kept */
    char mapping_refusal[128]; /* why nothing more is mapped; empty: it may be */
    struct queue_counters counters;
    struct net_counters net; /* of a network device */

    /* Its way: private to device_report.c; but for what the asker sets. */
    struct letter letter;
    const void *subject; /* the queue; for its worker only */
    void (*fill)(const void *queue, struct device_report *report);
    void (*on_complete)(struct device_report *report); /* main thread, exactly once */
    void *asker;
};

/*
 * Main thread. Fills the report in and calls on_complete, now or later. The device may be gone by then, the
 * report must not.
 */
void device_inspect(const struct device *device, struct device_report *report);

/*
 * Main thread, for families, who then post the report's letter to the queue's worker: fill runs there, between two
 * passes, and the report comes back and is complete. Letters of one sender arrive in order: a queue that is asked
 * before it is told to stop is still there.
 */
void device_report_address(struct device_report *report, const void *queue,
                           void (*fill)(const void *queue, struct device_report *report));

#endif
