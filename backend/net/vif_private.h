// SPDX-License-Identifier: MIT
/*
 * vif_private.h: what the files of the family of network devices share, and nobody else includes. Main thread, but for
 * what a letter or a job has taken to another thread.
 */
#ifndef XENSPLIT_BACKEND_NET_VIF_PRIVATE_H
#define XENSPLIT_BACKEND_NET_VIF_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "backend/config.h"
#include "backend/device.h"
#include "backend/mailbox.h"
#include "backend/net/net_queue.h"
#include "backend/net/vif_keys.h"
#include "backend/offload.h"
#include "backend/queue_service.h"

struct device_order;
struct vif;

struct vif_queue {
    struct vif *vif;
    struct queue_service service;
    struct net_queue net;
    struct letter new_rate; /* to the worker and back */
    bool is_rate_on_its_way;
    struct credit_rate rate; /* in the letter */
    struct letter new_link; /* from the worker: the port has lost its far end, or found it */
    atomic_bool is_link_on_its_way;
    char journal_path[CONFIG_PATH_MAX + 48];
};

/* Lives in the device's slot: what a connect has made is there for the next one. */
struct vif {
    struct device *device;
    struct vif_toolstack_keys keys;
    struct vif_toolstack_keys open_keys; /* that the port was opened with */
    struct port *port;
    bool is_open; /* the port, and no other thread is about it */
    struct offload_job job; /* opens or closes the port */
    struct queue_services services; /* of the queues */
    struct vif_queue queue[VIF_QUEUES];
    char mark_path[CONFIG_PATH_MAX + 48]; /* of an interface that the port has made */
    int error; /* of the job */
    char reason[320];
};

#define VIF_OF(pointer, member) ((struct vif *)((char *)(pointer)-offsetof(struct vif, member)))
#define VIF_QUEUE_OF(pointer, member)                                                                        \
    ((struct vif_queue *)((char *)(pointer)-offsetof(struct vif_queue, member)))

void vif_inspect(const struct device *device, struct device_report *report);
void vif_order(struct device *device, struct device_order *order);

#endif
