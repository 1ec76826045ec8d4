// SPDX-License-Identifier: MIT
/*
 * port.c: the checkpoint between queues and the kinds of port. Never logs.
 */
#include <config.h>

#include "backend/port/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/port/capture.h"
#include "backend/port/port_kind.h"
#include "common/netif_vnet.h"

static const struct port_kind *const kinds[] = {
    &port_kind_tap,
    &port_kind_null,
    &port_kind_generator,
    &port_kind_socket,
};

/* The kind that a spec begins with, and what follows the colon. */
static const struct port_kind *find_kind(const char *spec, const char **argument)
{
    const size_t length = strcspn(spec, ":");

    *argument = spec[length] ? spec + length + 1 : NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strlen(kinds[i]->name) == length && memcmp(kinds[i]->name, spec, length) == 0)
            return kinds[i];
    return NULL;
}

bool port_spec_is_good(const char *spec)
{
    const char *argument;

    return find_kind(spec, &argument) != NULL;
}

int port_open(struct port **result, const char *spec, const struct port_wish *wish, char *reason,
              size_t reason_size)
{
    const char *argument;
    const struct port_kind *kind = find_kind(spec, &argument);
    struct port *port;
    int ret;

    if (!kind) {
        snprintf(
            reason, reason_size,
            "port: expected tap, tap:NAME, null, generator, generator:BYTES or socket:PATH, found \"%.80s\"",
            spec);
        return -EINVAL;
    }
    port = calloc(1, sizeof(*port));
    if (!port) {
        snprintf(reason, reason_size, "no memory to open the port %s", spec);
        return -ENOMEM;
    }
    port->kind = kind;
    port->fd = -1;
    port->info.kind = kind->name;
    port->info.can_offload = kind->can_offload;
    port->info.mtu = wish->mtu ? wish->mtu : PORT_MTU_DEFAULT;
    ret = kind->open(port, argument, wish, reason, reason_size);
    if (ret) {
        free(port);
        return ret;
    }
    *result = port;
    return 0;
}

void port_close(struct port *port, bool is_kept)
{
    uint64_t frames, lost;

    if (!port)
        return;
    port->kind->close(port, is_kept);
    capture_close(port->capture, &frames, &lost);
    free(port);
}

const struct port_info *port_info(const struct port *port)
{
    return &port->info;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct port *port = arg;

    port->events.on_frames(port->events.owner);
}

static int make_readable(struct port *port)
{
    if (port->fd < 0)
        return 0;
    port->readable = event_new(port->base, port->fd, EV_READ | EV_PERSIST, on_readable, port);
    if (!port->readable)
        return -ENOMEM;
    if (port->is_watched)
        event_add(port->readable, NULL);
    return 0;
}

int port_set_fd(struct port *port, int fd)
{
    if (port->readable)
        event_free(port->readable);
    port->readable = NULL;
    if (port->fd >= 0)
        close(port->fd);
    port->fd = fd;
    if (!port->is_attached || make_readable(port) == 0)
        return 0;
    close(port->fd);
    port->fd = -1;
    return -ENOMEM;
}

int port_attach(struct port *port, struct event_base *base, const struct netif_offer *offer,
                const struct port_events *events, char *reason, size_t reason_size)
{
    int ret;

    port->offer = *offer;
    port->events = *events;
    port->base = base;
    port->is_attached = true;
    ret = make_readable(port);
    if (ret) {
        snprintf(reason, reason_size, "port %s: no memory for its event", port->info.target);
        goto fail;
    }
    ret = port->kind->attach(port, base, reason, reason_size);
    if (ret == 0)
        return 0;
fail:
    port_detach(port);
    return ret;
}

void port_detach(struct port *port)
{
    if (!port || !port->is_attached)
        return;
    port->kind->detach(port);
    if (port->readable)
        event_free(port->readable);
    port->readable = NULL;
    port->is_attached = port->is_watched = false;
}

void port_watch(struct port *port, bool is_wanted)
{
    if (port->is_watched == is_wanted)
        return;
    port->is_watched = is_wanted;
    if (port->readable && is_wanted)
        event_add(port->readable, NULL);
    else if (port->readable)
        event_del(port->readable);
    port->kind->watch(port, is_wanted);
}

void port_set_carrier(struct port *port, bool is_up)
{
    port->kind->set_carrier(port, is_up);
}

size_t port_room(struct port *port)
{
    return port->kind->room(port);
}

enum netif_verdict port_send(struct port *port, struct netif_packet *packet, uint8_t *bytes)
{
    enum netif_verdict verdict = NETIF_VERDICT_OK;

    if (packet->length_bytes < NETIF_PACKET_BYTES_MIN)
        return NETIF_VERDICT_TOO_SHORT;
    if (packet->length_bytes > NETIF_PACKET_BYTES_MAX)
        return NETIF_VERDICT_TOO_LONG;
    if (!port->info.can_offload) {
        if (packet->gso_type != XEN_NETIF_GSO_TYPE_NONE)
            return NETIF_VERDICT_GSO_TYPE;
        verdict = netif_vnet_settle(packet, bytes);
    }
    if (verdict != NETIF_VERDICT_OK)
        return verdict;
    if (port->capture)
        capture_frame(port->capture, packet, bytes);
    return port->kind->send(port, packet, bytes);
}

void port_flush(struct port *port)
{
    port->kind->flush(port);
}

enum port_got port_receive(struct port *port, struct netif_packet *packet, uint8_t **bytes)
{
    const enum port_got got = port->kind->receive(port, packet, bytes);

    if (got == PORT_GOT_FRAME && port->capture)
        capture_frame(port->capture, packet, *bytes);
    return got;
}

void port_release(struct port *port)
{
    port->kind->release(port);
}

struct capture *port_set_capture(struct port *port, struct capture *capture)
{
    struct capture *before = port->capture;

    port->capture = capture;
    return before;
}

bool port_has_link(const struct port *port)
{
    return !port->has_no_link;
}

int port_error(const struct port *port)
{
    return port->error;
}

const struct port_counters *port_counters(const struct port *port)
{
    return &port->counters;
}

int port_attach_nothing(struct port *port, struct event_base *base, char *reason, size_t reason_size)
{
    return 0;
}

void port_detach_nothing(struct port *port)
{
}

void port_watch_nothing(struct port *port, bool is_wanted)
{
}

void port_carrier_nothing(struct port *port, bool is_up)
{
}

void port_flush_nothing(struct port *port)
{
}

void port_release_nothing(struct port *port)
{
}

size_t port_room_without_end(struct port *port)
{
    return SIZE_MAX;
}
