// SPDX-License-Identifier: MIT
/*
 * vif_keys.c: the nodes of a network device. The toolstack's are taken as libxl writes them; the frontend's are read
 * strictly, since whoever wrote them may be hostile; a feature that is not implemented has no node.
 */
#include <config.h>

#include "backend/net/vif_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/event_channel.h>

#include "backend/config.h"
#include "backend/daemon.h"
#include "backend/device_keys.h"

static int read_port(const struct device *device, struct vif_toolstack_keys *keys, char *reason,
                     size_t reason_size)
{
    int ret = xenbus_read_string(daemon_xs(), XBT_NULL, device->path, "port", keys->port, sizeof(keys->port));

    if (ret == -ENOENT) {
        snprintf(keys->port, sizeof(keys->port), "%s", config_get()->vif_port);
        ret = 0;
    }
    if (ret || !port_spec_is_good(keys->port))
        return device_keys_fail_value(ret ? ret : -EINVAL, device->path, "port",
                                      "tap, tap:NAME, null, generator, generator:BYTES or socket:PATH",
                                      reason, reason_size);
    return 0;
}

int vif_keys_read_rate(const struct device *device, struct credit_rate *rate, char *reason,
                       size_t reason_size)
{
    char text[48];
    int ret = xenbus_read_string(daemon_xs(), XBT_NULL, device->path, "rate", text, sizeof(text));

    *rate = (struct credit_rate){ 0 };
    if (ret == -ENOENT)
        return 0;
    if (ret == 0)
        ret = credit_parse(text, rate);
    if (ret)
        return device_keys_fail_value(ret, device->path, "rate", "BYTES,MICROSECONDS", reason, reason_size);
    return 0;
}

int vif_keys_read_toolstack(const struct device *device, struct vif_toolstack_keys *keys, char *reason,
                            size_t reason_size)
{
    const struct device_number mtu = { "mtu",        &keys->mtu, PORT_MTU_MIN,
                                       PORT_MTU_MAX, true,       "an MTU from 68 to 65521 bytes" };
    int ret;

    memset(keys, 0, sizeof(*keys));
    ret = read_port(device, keys, reason, reason_size);
    if (ret == 0)
        ret = device_keys_read_numbers(device->path, &mtu, 1, reason, reason_size);
    if (ret == 0)
        ret = vif_keys_read_rate(device, &keys->rate, reason, reason_size);
    return ret;
}

static int read_channels(const char *dir, struct net_rings *rings, char *reason, size_t reason_size)
{
    uint32_t one = 0;
    const struct device_number single = {
        "event-channel", &one, 1, EVTCHN_FIFO_NR_CHANNELS - 1, true, "a port from 1 to 131071"
    };
    const struct device_number split[] = {
        { "event-channel-tx", &rings->event_channel[NET_CHANNEL_TX], 1, EVTCHN_FIFO_NR_CHANNELS - 1, false,
          "a port from 1 to 131071" },
        { "event-channel-rx", &rings->event_channel[NET_CHANNEL_RX], 1, EVTCHN_FIFO_NR_CHANNELS - 1, false,
          "a port from 1 to 131071" },
    };
    int ret = device_keys_read_numbers(dir, &single, 1, reason, reason_size);

    if (ret)
        return ret;
    if (!one)
        return device_keys_read_numbers(dir, split, 2, reason, reason_size);
    rings->event_channel[NET_CHANNEL_TX] = rings->event_channel[NET_CHANNEL_RX] = one;
    return 0;
}

/* Whoever does not say that it is not so takes blank checksums in IPv4 packets, and nobody anything else unasked. */
static int read_offer(const char *dir, struct vif_frontend_keys *keys, char *reason, size_t reason_size)
{
    bool no_csum = false;
    const struct {
        const char *key;
        bool *value;
    } features[] = {
        { "feature-sg", &keys->offer.can_sg },
        { "feature-no-csum-offload", &no_csum },
        { "feature-ipv6-csum-offload", &keys->offer.can_csum_ipv6 },
        { "feature-gso-tcpv4", &keys->offer.can_gso_tcpv4 },
        { "feature-gso-tcpv6", &keys->offer.can_gso_tcpv6 },
        { "feature-rx-notify", &keys->has_rx_notify },
    };

    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        const int ret = xenbus_read_bool(daemon_xs(), XBT_NULL, dir, features[i].key, features[i].value);

        if (ret)
            return device_keys_fail_value(ret, dir, features[i].key, "0 or 1", reason, reason_size);
    }
    keys->offer.can_csum_ipv4 = !no_csum;
    return 0;
}

int vif_keys_read_frontend(const struct device *device, struct vif_frontend_keys *keys, char *reason,
                           size_t reason_size)
{
    const char *dir = device->frontend_path;
    uint32_t one;
    const struct device_number numbers[] = {
        { "multi-queue-num-queues", &keys->queue_count, 1, VIF_QUEUES, true,
          "1, since one queue is offered" },
        { "request-rx-copy", &one, 1, 1, false, "1: pages are not exchanged any more" },
        { "tx-ring-ref", &keys->rings[0].ref[NET_CHANNEL_TX], 1, UINT32_MAX, false,
          "a grant reference that is not 0" },
        { "rx-ring-ref", &keys->rings[0].ref[NET_CHANNEL_RX], 1, UINT32_MAX, false,
          "a grant reference that is not 0" },
    };
    int ret;

    memset(keys, 0, sizeof(*keys));
    keys->queue_count = 1;
    ret = device_keys_read_numbers(dir, numbers, sizeof(numbers) / sizeof(numbers[0]), reason, reason_size);
    if (ret == 0)
        ret = read_channels(dir, &keys->rings[0], reason, reason_size);
    if (ret == 0)
        ret = read_offer(dir, keys, reason, reason_size);
    return ret;
}

bool vif_keys_hotplug_is_done(const struct device *device)
{
    char *script = xenbus_read(daemon_xs(), XBT_NULL, device->path, "script");
    char status[16] = "";
    int ret =
        xenbus_read_string(daemon_xs(), XBT_NULL, device->path, "hotplug-status", status, sizeof(status));
    const bool is_expected = script || ret != -ENOENT;

    free(script);
    return !is_expected || (ret == 0 && strcmp(status, "connected") == 0);
}

int vif_keys_publish_features(const struct device *device, const struct netif_offer *offer, char *reason,
                              size_t reason_size)
{
    const struct device_node nodes[] = {
        { "feature-rx-copy", 1 },
        { "feature-rx-flip", 0 },
        { "feature-split-event-channels", 1 },
        { "feature-sg", offer->can_sg },
        { "feature-no-csum-offload", !offer->can_csum_ipv4 },
        { "feature-ipv6-csum-offload", offer->can_csum_ipv6 },
        { "feature-gso-tcpv4", offer->can_gso_tcpv4 },
        { "feature-gso-tcpv6", offer->can_gso_tcpv6 },
    };

    return device_keys_publish(device, nodes, sizeof(nodes) / sizeof(nodes[0]), "features", reason,
                               reason_size);
}

int vif_keys_publish_link(const struct device *device, bool has_link, char *reason, size_t reason_size)
{
    const struct device_node node = { "carrier", has_link };

    return device_keys_publish(device, &node, 1, "the state of the link", reason, reason_size);
}
