// SPDX-License-Identifier: MIT
/*
 * queue_service.h: the queues of one device in the service of their workers: each is given to a worker, starts there,
 * may break there, and stops there, by letters. What all families have in common; what a queue does when it starts and
 * stops is its family's.
 *
 * Main thread, except for what says otherwise. No two steps of a device overlap, so one letter in each direction is
 * enough; a family may use the same two between a start and a stop (vbd_order.c does).
 */
#ifndef XENSPLIT_BACKEND_QUEUE_SERVICE_H
#define XENSPLIT_BACKEND_QUEUE_SERVICE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "backend/mailbox.h"

struct device;
struct worker;
struct queue_services;

/* Of one queue; embedded in what a family knows about it. */
struct queue_service {
    struct queue_services *all;
    struct worker *worker; /* from queue_service_take until the queue has stopped; else NULL */
    struct letter to_worker;
    struct letter to_main;
    struct letter broken;
    int error; /* of the step that the worker is at */
    LIST_ENTRY(queue_service) link;
};

struct queue_service_ops {
    /* Worker's thread. Negative errno: nothing is held. */
    int (*start)(struct queue_service *service);
    /* Worker's thread. queue_service_stopped() follows, now or later. */
    void (*stop)(struct queue_service *service);
    /* Why a start failed, or what has broken the queue. */
    const char *(*reason)(const struct queue_service *service);
};

/* Of one device. */
struct queue_services {
    struct device *device;
    const struct queue_service_ops *ops;
    LIST_HEAD(, queue_service) list; /* those that have a worker */
    unsigned int starting; /* those that have not answered yet */
    bool is_connected; /* all have started, and nobody has told them to stop */
    int error; /* of the first that could not be started, and why */
    char reason[256];
};

void queue_services_init(struct queue_services *all, struct device *device,
                         const struct queue_service_ops *ops);
/* Gives a queue its worker, for the next start. */
struct worker *queue_service_take(struct queue_services *all, struct queue_service *service);
/* Starts all that have a worker, one at least. device_done() follows; after a failure none has a worker. */
void queue_services_start(struct queue_services *all);
/* Stops them. device_done() follows, at once when there are none. */
void queue_services_stop(struct queue_services *all);
/* Is there one that has a worker? */
bool queue_services_any(const struct queue_services *all);

/* Worker's thread: the queue holds nothing any more. */
void queue_service_stopped(struct queue_service *service);
/* Worker's thread, once after a start: the device closes with the reason. */
void queue_service_broke(struct queue_service *service);

#endif
