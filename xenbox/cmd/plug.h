// SPDX-License-Identifier: MIT
/*
 * plug.h: putting a device in and taking it out, as the toolstack does: nodes, waiting for the backend,
 * hotplug script. All functions return 0 or a negative errno, with a sentence in device->why.
 */
#ifndef XENBOX_CMD_PLUG_H
#define XENBOX_CMD_PLUG_H

#include <stdbool.h>

#include "xenbox/cmd/box.h"
#include "xenbox/cmd/device.h"
#include "xenbox/cmd/store.h"

#define PLUG_TIMEOUT_MS 10000 /* as xl's */

struct plug {
    const struct box *box;
    struct store *store;
    int timeout_ms; /* for each answer of the backend */
    bool is_forced; /* unplug: do not insist on a backend that closes the device in an orderly way */
};

/* The device is complete. On failure nothing of it is left in the store. */
int plug_in(const struct plug *plug, struct device *device);

/* The device has been named. -ENOENT: there is none; -ETIMEDOUT: the backend does not close it. */
int plug_out(const struct plug *plug, struct device *device);

/* Forcibly takes out all devices of a domain. Returns the first error, but tries all. */
int plug_out_all(const struct plug *plug, uint16_t domid);

#endif
