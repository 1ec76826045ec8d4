// SPDX-License-Identifier: MIT
/*
 * device_order.h: what an operator wants of a device that is connected: that a queue moves to another worker, that its
 * event channel is let go of for a while, that it is bound again. The guest notices nothing but the time that it
 * takes: what is in flight is finished before, what comes meanwhile waits in the ring. One order a device at a time.
 */
#ifndef XENSPLIT_BACKEND_DEVICE_ORDER_H
#define XENSPLIT_BACKEND_DEVICE_ORDER_H

struct device;

enum device_order_kind {
    DEVICE_MOVE, /* `queue` belongs to `worker` from now on */
    DEVICE_SUSPEND, /* no port, no requests taken: the ring stays mapped, the device stays Connected */
    DEVICE_RESUME,
    DEVICE_POLL, /* its ring is looked at all the time */
    DEVICE_EVENTS, /* its guest notifies */
    DEVICE_CAPTURE, /* what passes it goes to `file`, too */
    DEVICE_UNCAPTURE,
};

#define DEVICE_ORDER_FILE_MAX 256

struct device_order {
    enum device_order_kind kind;
    unsigned int queue;
    unsigned int worker;
    char file[DEVICE_ORDER_FILE_MAX]; /* of a capture */
    int error; /* 0, or negative errno and the reason: the device is as it was before */
    char reason[256];
    void (*on_complete)(struct device_order *order); /* main thread, exactly once */
    void *asker;
};

/* Main thread. Calls on_complete, now or later; the order must stay until then, the device need not. */
void device_order(struct device *device, struct device_order *order);
/* For families: the order is over. reason: NULL without an error. */
void device_order_done(struct device_order *order, int error, const char *reason_fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
