// SPDX-License-Identifier: MIT
/*
 * net_store.c: see net_store.h. Keys and defaults are those of <xen/io/netif.h>, and of Linux where the header is
 * silent (feature-sg, feature-rx-copy).
 */
#include <config.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "frontend/keys.h"
#include "frontend/net_store.h"

#define DEFAULT_MTU 1500u
#define MIN_MTU 68u
#define MAX_MTU 65521u /* with an Ethernet header it fills the largest packet */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct offer {
    struct xenfront_net_info *info;
    bool is_without_csum;
    bool has_rx_copy;
};

static const struct number_key number_keys[] = {
    { "multi-queue-max-queues", offsetof(struct xenfront_net_info, max_queues), 0, UINT32_MAX, 1, false,
      false },
};

static const struct flag_key info_flags[] = {
    { "feature-sg", offsetof(struct xenfront_net_info, can_sg) },
    { "feature-gso-tcpv4", offsetof(struct xenfront_net_info, can_gso_tcpv4) },
    { "feature-gso-tcpv6", offsetof(struct xenfront_net_info, can_gso_tcpv6) },
    { "feature-ipv6-csum-offload", offsetof(struct xenfront_net_info, can_csum_ipv6) },
    { "feature-split-event-channels", offsetof(struct xenfront_net_info, is_split) },
};

static const struct flag_key other_flags[] = {
    { "feature-no-csum-offload", offsetof(struct offer, is_without_csum) },
    { "feature-rx-copy", offsetof(struct offer, has_rx_copy) },
};

/* Keys that an earlier frontend may have left and that contradict ours. */
static const char *const stale_keys[] = {
    "event-channel",
    "event-channel-tx",
    "event-channel-rx",
    "multi-queue-num-queues",
    "ctrl-ring-ref",
    "event-channel-ctrl",
    "feature-no-csum-offload",
    "request-multicast-control",
    "feature-gso-tcpv4-prefix",
    "feature-gso-tcpv6-prefix",
};

/* "00:16:3e:01:02:03". Absent: has_mac stays false. */
static int mac_read(struct attach *attach, xs_transaction_t t, struct xenfront_net_info *info)
{
    char text[20], again[20];
    uint8_t *mac = info->mac;
    int err = xenbus_read_string(attach->xs, t, attach->dir, "mac", text, sizeof(text));

    if (err == -ENOENT)
        return 0;
    if (err == 0 && sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3],
                           &mac[4], &mac[5]) == 6) {
        snprintf(again, sizeof(again), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                 mac[4], mac[5]);
        if (strcasecmp(text, again) == 0 && !(mac[0] & 1)) {
            info->has_mac = true;
            return 0;
        }
    }
    return front_error_set(attach->error, -EPROTO,
                           "xenstore: %s/mac: a unicast address like 00:16:3e:01:02:03 expected, found '%s'",
                           attach->dir, err < 0 ? strerror(-err) : text);
}

static int mtu_read(struct attach *attach, xs_transaction_t t, struct xenfront_net_info *info)
{
    int err = xenbus_read_u32(attach->xs, t, attach->dir, "mtu", MIN_MTU, MAX_MTU, &info->mtu);

    if (err == -ENOENT)
        info->mtu = DEFAULT_MTU;
    else if (err < 0)
        return front_error_set(attach->error, -EPROTO,
                               "xenstore: %s/mtu: a number from %u to %u expected: %s", attach->dir, MIN_MTU,
                               MAX_MTU, strerror(-err));
    return 0;
}

static int offer_read(struct attach *attach, xs_transaction_t t, void *arg)
{
    struct offer *offer = arg;
    struct key_list present;
    int err = keys_offered(attach, t);

    if (err < 0)
        return err;
    keys_list(&present, attach, t);
    err = keys_numbers(attach, t, &present, number_keys, COUNT(number_keys), offer->info);
    if (err == 0)
        err = keys_flags(attach, t, &present, info_flags, COUNT(info_flags), offer->info);
    if (err == 0)
        err = keys_flags(attach, t, &present, other_flags, COUNT(other_flags), offer);
    keys_list_free(&present);
    if (err == 0)
        err = mac_read(attach, t, offer->info);
    return err == 0 ? mtu_read(attach, t, offer->info) : err;
}

int net_store_offer(struct attach *attach, struct xenfront_net_info *info)
{
    struct offer offer = { .info = info };
    int err = attach_transact(attach, offer_read, &offer);

    if (err < 0)
        return err;
    if (!offer.has_rx_copy)
        return front_error_set(attach->error, -EPROTO,
                               "backend: feature-rx-copy 1 expected, found none: it only flips pages");
    info->can_csum_ipv4 = !offer.is_without_csum;
    return 0;
}

static int channels_write(struct attach *attach, xs_transaction_t t, const struct net_transport *transport)
{
    int err;

    if (!transport->is_split)
        return keys_own_number(attach, t, "event-channel", transport->event_channel_tx);
    err = keys_own_number(attach, t, "event-channel-tx", transport->event_channel_tx);
    return err < 0 ? err : keys_own_number(attach, t, "event-channel-rx", transport->event_channel_rx);
}

static int publish(struct attach *attach, xs_transaction_t t, void *arg)
{
    const struct net_transport *transport = arg;
    const struct own_key {
        const char *key;
        uint32_t value;
    } own_keys[] = {
        { "tx-ring-ref", transport->tx_ring_ref },
        { "rx-ring-ref", transport->rx_ring_ref },
        { "request-rx-copy", 1 },
        { "feature-rx-notify", 1 },
        { "feature-sg", transport->ours.can_sg },
        { "feature-gso-tcpv4", transport->ours.can_gso_tcpv4 },
        { "feature-gso-tcpv6", transport->ours.can_gso_tcpv6 },
        { "feature-ipv6-csum-offload", transport->ours.can_csum_ipv6 },
        { "feature-no-csum-offload", !transport->ours.can_csum_ipv4 },
    };
    int err = keys_publish(attach, t, XenbusStateConnected);

    if (err == 0)
        err = keys_own_remove(attach, t, stale_keys, COUNT(stale_keys));
    for (size_t i = 0; i < COUNT(own_keys) && err == 0; i++)
        err = keys_own_number(attach, t, own_keys[i].key, own_keys[i].value);
    return err < 0 ? err : channels_write(attach, t, transport);
}

int net_store_publish(struct attach *attach, const struct net_transport *transport)
{
    return attach_transact(attach, publish, (void *)transport);
}

/* Absent: the link is up. */
static int link_read(struct attach *attach, xs_transaction_t t, void *arg)
{
    uint32_t carrier;
    int err = keys_connected(attach, t);

    if (err < 0)
        return err;
    err = xenbus_read_u32(attach->xs, t, attach->backend, NET_STORE_LIVE_KEY, 0, 1, &carrier);
    if (err < 0 && err != -ENOENT)
        return keys_error(attach, t, err, NET_STORE_LIVE_KEY, "0 or 1");
    *(bool *)arg = err == -ENOENT || carrier;
    return 0;
}

int net_store_connect(struct attach *attach, bool *is_link_up)
{
    return attach_transact(attach, link_read, is_link_up);
}

int net_store_refresh(struct attach *attach, bool *is_link_up)
{
    return attach_transact(attach, link_read, is_link_up);
}
