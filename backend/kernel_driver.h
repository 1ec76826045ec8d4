// SPDX-License-Identifier: MIT
/*
 * kernel_driver.h: has a backend driver of the kernel taken a device? On a real host the kernel knows every backend
 * device, and binds its own driver to it when that is loaded. Any thread; never logs.
 */
#ifndef XENSPLIT_BACKEND_KERNEL_DRIVER_H
#define XENSPLIT_BACKEND_KERNEL_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_DRIVER_DEVICES "/sys/bus/xen-backend/devices"

/* true: name holds the driver's, such as "vbd". devices is the folder where the kernel lists backend devices. */
bool kernel_driver_find(const char *devices, const char *kind, uint16_t domid, uint32_t devid, char *name,
                        size_t size);

#endif
