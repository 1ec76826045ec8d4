// SPDX-License-Identifier: MIT
/*
 * device.h: the life of one device, whatever its family. Owned by the main thread, which alone touches the
 * store. It follows the toolstack's and the frontend's nodes through common/xenbus_fsm.h and asks the family to
 * do the work. Work that takes time (opening an image, draining a queue) is asynchronous: the family answers
 * with device_done(), and until then no other step is started, so that each transition completes before the
 * next is taken (catalogue C09).
 */
#ifndef XENSPLIT_BACKEND_DEVICE_H
#define XENSPLIT_BACKEND_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"
#include "common/xenbus.h"
#include "backend/device_queue.h"

struct device;
struct device_life;
struct device_report;
struct device_order;

/*
 * Every function runs on the main thread. A step ends in exactly one device_done(), now or later. After a failed
 * connect disconnect is called; after a failed setup another setup, some time, or teardown: all must cope with
 * whatever prefix succeeded, and with priv still NULL.
 */
struct device_family_ops {
    const char *name; /* "vbd", as in backend/<name>/<domid>/<devid> */
    /*
     * Reads the toolstack's keys, opens what is behind the device, publishes features. Then InitWait. Also for a
     * device that is set up and not connected: what is open and has not changed stays open (no gap in which
     * another could take it).
     */
    void (*setup)(struct device *device);
    /* Reads the frontend's keys, maps rings, binds channels, publishes properties. Then Connected. */
    void (*connect)(struct device *device);
    /* Quiesces, drains, unmaps. Cannot fail. */
    void (*disconnect)(struct device *device);
    /* Frees what setup made: the device goes, or another serves it. Only after disconnect. Cannot fail. */
    void (*teardown)(struct device *device);
    /*
     * At any time, and no step: fills in what the family knows and completes the report (device_report.h). It
     * has a life of its own and may outlive the device.
     */
    void (*inspect)(const struct device *device, struct device_report *report);
    /* At any time, and no step: carries out what the operator wants (device_order.h). NULL: it cannot. */
    void (*order)(struct device *device, struct device_order *order);
    /* NULL: always. The frontend is ready: is the toolstack, too? If not, a later look asks again. */
    bool (*may_connect)(struct device *device);
    /* NULL: nothing. A node of a connected device may have changed, other than the states. No step. */
    void (*refresh)(struct device *device);
};

struct device {
    const struct device_family_ops *family;
    uint16_t domid; /* of the frontend */
    uint32_t devid;
    uint8_t generation[16]; /* the domain's handle: a domid that was reused is another guest */
    char label[48]; /* "vbd 3/51712": how every message names it */
    char path[XENBUS_PATH_MAX]; /* our directory, relative: backend/vbd/3/51712 */
    char frontend_path[XENBUS_PATH_MAX]; /* read from our `frontend` node, never constructed */
    /*
     * In setup and connect: an earlier daemon served this device and both ends are Connected already. The family
     * takes the rings over as they stand (same refs, same channel, what was in flight is on record).
     */
    bool is_adopting;
    /* In disconnect: the daemon ends with on-exit=keep, and another one will adopt the rings. */
    bool is_parting;
    void *priv; /* the family's */
    struct log_limit limit; /* main thread: for what the guest can make us say */
    struct device *next; /* private to device_table.c */
    struct device_turn turn; /* private to device_queue.c */
    unsigned int watch_epoch; /* private to toolstack.c: the connection that follows the frontend; 0: none */
    struct device_life *life; /* private to device.c */
};

/*
 * The step that the family was asked for is over. error 0, or negative errno with the reason: it is logged, goes
 * to the error node, and the device closes; other devices never notice. Main thread.
 */
void device_done(struct device *device, int error, const char *reason_fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The ring's accounting cannot be trusted any more (or the family lost its engine): stop and say why. May come
 * at any time while connected; the family has stopped taking requests already. Main thread.
 */
void device_fail(struct device *device, const char *reason_fmt, ...) __attribute__((format(printf, 2, 3)));

/* For toolstack.c and device_queue.c. NULL when there is no memory; the first look has been queued. */
struct device *device_create(const struct device_family_ops *family, uint16_t domid, uint32_t devid);
/* Reads both ends' nodes and starts what has to be done. May free the device. */
void device_look(struct device *device);
/* Some domain has died: was it this one's? */
void device_check_domain(struct device *device);
/* The store was away: watches are gone, and what it does not know any more may only have been lost. */
void device_resync(struct device *device);
/* The daemon ends: finish what is going on, disconnect, free. is_parting: the states stay (on-exit=keep). */
void device_quit(struct device *device, bool is_parting);
/* What the device is waiting for, for the log. */
const char *device_activity(const struct device *device);

#endif
