// SPDX-License-Identifier: MIT
/*
 * device_order.c: see device_order.h.
 */
#include <config.h>

#include "backend/device_order.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "backend/device.h"

void device_order(struct device *device, struct device_order *order)
{
    if (device->family->order)
        device->family->order(device, order);
    else
        device_order_done(order, -EOPNOTSUPP, "%s: devices of this kind cannot do that", device->label);
}

void device_order_done(struct device_order *order, int error, const char *reason_fmt, ...)
{
    va_list args;

    order->error = error;
    order->reason[0] = '\0';
    if (reason_fmt) {
        va_start(args, reason_fmt);
        vsnprintf(order->reason, sizeof(order->reason), reason_fmt, args);
        va_end(args);
    }
    order->on_complete(order);
}
