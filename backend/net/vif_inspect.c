// SPDX-License-Identifier: MIT
/*
 * vif_inspect.c: a network device's part of a report: what the main thread knows at once, and the figures of the queue
 * by way of its worker.
 */
#include <config.h>

#include <stdio.h>

#include "backend/device_report.h"
#include "backend/net/vif_private.h"
#include "backend/worker.h"

/* Worker's thread. */
static void inspect_queue(const void *queue, struct device_report *report)
{
    net_queue_inspect(queue, report);
}

static void inspect_offers(const struct net_queue *queue, struct device_report *report)
{
    report->has_queue = true;
    report->has_net_queue = true;
    report->worker = queue->worker->index;
    report->engine = "none";
    report->data_method = grant_io_method_name(GRANT_IO_COPY);
    report->data_method_reason = "packets are copied: no page of the guest's is held while it travels";
    report->abi = "native";
    report->ring_ref = queue->rings.ref[NET_CHANNEL_TX];
    report->frontend_port = queue->rings.event_channel[NET_CHANNEL_TX];
    report->rx_ring_ref = queue->rings.ref[NET_CHANNEL_RX];
    report->rx_frontend_port = queue->rings.event_channel[NET_CHANNEL_RX];
    report->takes_sg = queue->their_offer.can_sg;
    report->takes_csum_ipv4 = queue->their_offer.can_csum_ipv4;
    report->takes_csum_ipv6 = queue->their_offer.can_csum_ipv6;
    report->takes_gso_tcpv4 = queue->their_offer.can_gso_tcpv4;
    report->takes_gso_tcpv6 = queue->their_offer.can_gso_tcpv6;
    report->has_rx_notify = queue->has_rx_notify;
}

/*
 * As with a vbd: while it is connected no stop has been posted, so the queue is there when the report arrives. A report
 * has room for one queue.
 */
void vif_inspect(const struct device *device, struct device_report *report)
{
    const struct vif *vif = device->priv;
    const struct vif_queue *queue = vif ? &vif->queue[0] : NULL;

    if (vif && vif->is_open) {
        const struct port_info *info = port_info(vif->port);

        report->has_port = true;
        snprintf(report->target, sizeof(report->target), "%s", info->target);
        report->port_kind = info->kind;
        report->mtu = info->mtu;
        report->rate_bytes = vif->keys.rate.bytes;
        report->rate_period_us = vif->keys.rate.period_us;
    }
    if (vif && queue->service.worker)
        inspect_offers(&queue->net, report);
    if (!vif || !vif->services.is_connected) {
        report->on_complete(report);
        return;
    }
    device_report_address(report, &queue->net, inspect_queue);
    mailbox_post(&queue->service.worker->mailbox, &report->letter);
}
