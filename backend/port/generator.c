// SPDX-License-Identifier: MIT
/*
 * generator.c: a port that always has another frame, as fast as the guest takes them, and drops what it is sent
 * (benchmarks). The frames are UDP over IPv4 to the discard port, with a right checksum, and all alike.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "backend/port/port_kind.h"
#include "common/netif_header.h"
#include "common/xenbus.h"

#define BYTES_MIN 60u
#define BYTES_MAX 9014u
#define BYTES_DEFAULT 60u

struct generator {
    struct event *again;
    uint32_t length_bytes;
    uint8_t frame[BYTES_MAX];
};

static void fill_frame(struct generator *generator)
{
    static const uint8_t head[] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0,  0,  0, 1, 0x08, 0x00, /* Ethernet */
        0x45, 0,    0,    0,    0,    0,    0x40, 0, 64, 17, 0, 0, 192,  0,
        2,    1,    192,  0,    2,    2, /* IPv4, documentation addresses */
        0x27, 0x0f, 0,    9,    0,    0,    0,    0, /* UDP, discard */
    };
    uint8_t *at = generator->frame;
    const uint32_t ip_bytes = generator->length_bytes - 14;
    struct netif_headers headers;
    uint16_t sum;

    memcpy(at, head, sizeof(head));
    at[16] = (uint8_t)(ip_bytes >> 8);
    at[17] = (uint8_t)ip_bytes;
    at[38] = (uint8_t)((ip_bytes - 20) >> 8);
    at[39] = (uint8_t)(ip_bytes - 20);
    sum = ~netif_csum_fold(netif_csum_add(0, at + 14, 20));
    at[24] = (uint8_t)(sum >> 8);
    at[25] = (uint8_t)sum;
    netif_header_parse(&headers, at, generator->length_bytes);
    netif_header_finish(&headers, at);
}

static int generator_open(struct port *port, const char *argument, const struct port_wish *wish, char *reason,
                          size_t reason_size)
{
    struct generator *generator;
    uint64_t bytes = BYTES_DEFAULT;

    if (argument && xenbus_parse_u64(argument, strlen(argument), BYTES_MIN, BYTES_MAX, &bytes)) {
        snprintf(reason, reason_size,
                 "port: expected generator:BYTES with %u to %u bytes, found \"generator:%.60s\"", BYTES_MIN,
                 BYTES_MAX, argument);
        return -EINVAL;
    }
    generator = calloc(1, sizeof(*generator));
    if (!generator) {
        snprintf(reason, reason_size, "port generator: no memory");
        return -ENOMEM;
    }
    generator->length_bytes = (uint32_t)bytes;
    fill_frame(generator);
    port->priv = generator;
    snprintf(port->info.target, sizeof(port->info.target), "generator:%u", generator->length_bytes);
    return 0;
}

static void generator_close(struct port *port, bool is_kept)
{
    free(port->priv);
}

/* There always are frames: the loop comes back after everything else had its turn. */
static void on_again(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval now;
    struct port *port = arg;
    const struct generator *generator = port->priv;

    if (!port->is_watched)
        return;
    event_add(generator->again, &now);
    port->events.on_frames(port->events.owner);
}

static int generator_attach(struct port *port, struct event_base *base, char *reason, size_t reason_size)
{
    struct generator *generator = port->priv;

    generator->again = event_new(base, -1, 0, on_again, port);
    if (generator->again)
        return 0;
    snprintf(reason, reason_size, "port generator: no memory for its event");
    return -ENOMEM;
}

static void generator_detach(struct port *port)
{
    struct generator *generator = port->priv;

    if (generator->again)
        event_free(generator->again);
    generator->again = NULL;
}

static void generator_watch(struct port *port, bool is_wanted)
{
    static const struct timeval now;
    struct generator *generator = port->priv;

    if (is_wanted)
        event_add(generator->again, &now);
    else
        event_del(generator->again);
}

static enum netif_verdict generator_send(struct port *port, const struct netif_packet *packet, uint8_t *bytes)
{
    return NETIF_VERDICT_OK;
}

static enum port_got generator_receive(struct port *port, struct netif_packet *packet, uint8_t **bytes)
{
    const struct generator *generator = port->priv;

    memset(packet, 0, offsetof(struct netif_packet, part));
    packet->length_bytes = generator->length_bytes;
    memcpy(*bytes, generator->frame, generator->length_bytes);
    return PORT_GOT_FRAME;
}

const struct port_kind port_kind_generator = {
    .name = "generator",
    .open = generator_open,
    .close = generator_close,
    .attach = generator_attach,
    .detach = generator_detach,
    .watch = generator_watch,
    .set_carrier = port_carrier_nothing,
    .room = port_room_without_end,
    .send = generator_send,
    .flush = port_flush_nothing,
    .receive = generator_receive,
    .release = port_release_nothing,
};
