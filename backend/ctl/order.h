// SPDX-License-Identifier: MIT
/*
 * order.h: an order of a client to one device. Main thread.
 */
#ifndef XENSPLIT_BACKEND_CTL_ORDER_H
#define XENSPLIT_BACKEND_CTL_ORDER_H

#include "backend/ctl/ctl_request.h"
#include "backend/device_order.h"

struct order {
    struct device_order order; /* what became of it */
    struct ctl_request request;
    void (*on_complete)(struct order *order); /* exactly once; ends the order */
    void *owner; /* NULL: has gone meanwhile */
};

/*
 * NULL: no memory. on_complete never comes before this has returned. An order to no device fails as any other does.
 */
struct order *order_run(const struct ctl_request *request, enum device_order_kind kind,
                        void (*on_complete)(struct order *order), void *owner);
/* Complete. */
void order_destroy(struct order *order);

#endif
