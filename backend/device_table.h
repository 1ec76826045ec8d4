// SPDX-License-Identifier: MIT
/*
 * device_table.h: the devices of this daemon, by family, domid and devid. It owns nothing. Main thread.
 */
#ifndef XENSPLIT_BACKEND_DEVICE_TABLE_H
#define XENSPLIT_BACKEND_DEVICE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct device;
struct device_family_ops;

struct device *device_table_find(const struct device_family_ops *family, uint16_t domid, uint32_t devid);
void device_table_add(struct device *device);
void device_table_remove(struct device *device);
size_t device_table_count(void);
/* visit may remove the device that it is given. */
void device_table_each(void (*visit)(struct device *device, void *arg), void *arg);

#endif
