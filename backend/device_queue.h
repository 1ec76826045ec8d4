// SPDX-License-Identifier: MIT
/*
 * device_queue.h: which devices have to be looked at. However many events a device has had, it is queued once,
 * and looked at once in a turn of the loop. A device whose nodes change all the time gets a look every 10 ms,
 * so that a guest that floods the store is served late and delays nobody else (catalogue F01). Main thread.
 */
#ifndef XENSPLIT_BACKEND_DEVICE_QUEUE_H
#define XENSPLIT_BACKEND_DEVICE_QUEUE_H

#include <stdint.h>
#include <sys/queue.h>
#include <event2/event.h>

struct device;
TAILQ_HEAD(device_list, device);

/* Embedded in struct device. */
struct device_turn {
    TAILQ_ENTRY(device) link;
    struct device_list *list; /* where it is queued; NULL: nowhere */
    unsigned int looks; /* that it had more than its share of late */
    uint64_t counted_ms; /* when looks was last brought up to date */
};

int device_queue_start(struct event_base *base);
void device_queue_stop(void); /* safe twice */
void device_queue_add(struct device *device);
void device_queue_remove(struct device *device);

#endif
