// SPDX-License-Identifier: MIT
/*
 * null.c: a port into nowhere: takes every frame and has none. Its headers are looked at all the same, so that what it
 * costs is what a packet costs before it leaves (benchmarks).
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>

#include "backend/port/port_kind.h"
#include "common/netif_vnet.h"

static int null_open(struct port *port, const char *argument, const struct port_wish *wish, char *reason,
                     size_t reason_size)
{
    if (argument) {
        snprintf(reason, reason_size, "port: expected null without anything behind it, found \"null:%.60s\"",
                 argument);
        return -EINVAL;
    }
    snprintf(port->info.target, sizeof(port->info.target), "null");
    return 0;
}

static void null_close(struct port *port, bool is_kept)
{
}

static enum netif_verdict null_send(struct port *port, const struct netif_packet *packet, uint8_t *bytes)
{
    struct virtio_net_hdr vnet;

    return netif_vnet_give(&vnet, packet, bytes);
}

static enum port_got null_receive(struct port *port, struct netif_packet *packet, uint8_t **bytes)
{
    return PORT_GOT_NOTHING;
}

const struct port_kind port_kind_null = {
    .name = "null",
    .can_offload = true,
    .open = null_open,
    .close = null_close,
    .attach = port_attach_nothing,
    .detach = port_detach_nothing,
    .watch = port_watch_nothing,
    .set_carrier = port_carrier_nothing,
    .room = port_room_without_end,
    .send = null_send,
    .flush = port_flush_nothing,
    .receive = null_receive,
    .release = port_release_nothing,
};
