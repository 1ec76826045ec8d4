// SPDX-License-Identifier: MIT
/*
 * toolstack.h: the daemon's end of the store: the one handle, the watches on what the toolstack writes below
 * backend/<kind> and on what frontends do with their states, and what happens when the store goes away. It
 * finds out which device an event is about and queues it for a look; it does not read what changed. Main thread.
 */
#ifndef XENSPLIT_BACKEND_TOOLSTACK_H
#define XENSPLIT_BACKEND_TOOLSTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <event2/event.h>

struct device;
struct xs_handle;

/* Opens the store and sets the watches, whose first events find the devices that exist. Logs errors. */
int toolstack_start(struct event_base *base);
/* No new devices from here on; frontends are still followed. */
void toolstack_refuse(void);
void toolstack_stop(void); /* safe twice */

struct xs_handle *toolstack_xs(void); /* NULL while the store is gone */

/* Follow the state of the frontend at device->frontend_path. 0 or -errno. */
int toolstack_watch(struct device *device);
/* Does this connection follow it already? */
bool toolstack_watches(const struct device *device);
void toolstack_unwatch(struct device *device);

/*
 * An operation on the store failed with error. Where that may mean that the store is gone it is looked into on
 * the next turn of the loop; the devices are looked at again when the store is back.
 */
void toolstack_suspect(int error);

/*
 * Pure: the device that a path below backend/ is about: "backend/KIND/DOMID/DEVID[/...]", absolute or relative.
 * false: it is about none.
 */
struct toolstack_name {
    char kind[16];
    uint16_t domid;
    uint32_t devid;
};
bool toolstack_parse(const char *path, struct toolstack_name *name);

#endif
