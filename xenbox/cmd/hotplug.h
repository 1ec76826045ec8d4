// SPDX-License-Identifier: MIT
/* hotplug.h: runs a device's hotplug script as libxl does. */
#ifndef XENBOX_CMD_HOTPLUG_H
#define XENBOX_CMD_HOTPLUG_H

#include "xenbox/cmd/box.h"
#include "xenbox/cmd/device.h"

/*
 * Runs it in domain 0 of the box, with XENBUS_PATH and its like in the environment and arguments (a NULL ends
 * them) expanded, and waits for its end. 0, or negative errno with a sentence in device->why.
 */
int hotplug_run(const struct box *box, struct device *device, const char *script,
                const char *const *arguments);

#endif
