// SPDX-License-Identifier: MIT
/*
 * order.c: see order.h. An order begins with a letter to ourselves, so that it is never over before its client knows
 * it.
 */
#include <config.h>

#include "backend/ctl/order.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "backend/daemon.h"
#include "backend/device.h"
#include "backend/device_table.h"

struct sent_order {
    struct order order;
    struct letter letter;
    struct device *found;
};

static void find_one(struct device *device, void *arg)
{
    struct sent_order *sent = arg;

    if (!sent->found &&
        ctl_request_selects(&sent->order.request, device->family->name, device->domid, device->devid))
        sent->found = device;
}

static void on_done(struct device_order *done)
{
    struct order *order = done->asker;

    order->on_complete(order);
}

static void on_letter(struct letter *letter)
{
    struct sent_order *sent = (struct sent_order *)((char *)letter - offsetof(struct sent_order, letter));

    device_table_each(find_one, sent);
    if (sent->found)
        device_order(sent->found, &sent->order.order);
    else
        device_order_done(&sent->order.order, -ENODEV,
                          "device: expected one that is served, found none of that name (see list)");
}

struct order *order_run(const struct ctl_request *request, enum device_order_kind kind,
                        void (*on_complete)(struct order *order), void *owner)
{
    struct sent_order *sent = calloc(1, sizeof(*sent));

    if (!sent)
        return NULL;
    sent->order.request = *request;
    sent->order.on_complete = on_complete;
    sent->order.owner = owner;
    sent->order.order = (struct device_order){
        .kind = kind,
        .queue = request->queue,
        .worker = request->worker,
        .on_complete = on_done,
        .asker = &sent->order,
    };
    strcpy(sent->order.order.file, request->file);
    sent->letter.deliver = on_letter;
    mailbox_post(daemon_mailbox(), &sent->letter);
    return &sent->order;
}

void order_destroy(struct order *order)
{
    free(order);
}
