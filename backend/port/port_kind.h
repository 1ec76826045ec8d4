// SPDX-License-Identifier: MIT
/*
 * port_kind.h: what a kind of port supplies to the checkpoint in port.c, and nobody else includes.
 */
#ifndef XENSPLIT_BACKEND_PORT_PORT_KIND_H
#define XENSPLIT_BACKEND_PORT_PORT_KIND_H

#include <event2/event.h>

#include "backend/port/port.h"

struct port {
    const struct port_kind *kind;
    struct port_info info;
    struct port_counters counters;
    struct netif_offer offer; /* while attached: the guest's */
    struct port_events events;
    struct event_base *base; /* while attached */
    struct event *readable; /* on fd, while attached; NULL: there is no descriptor */
    bool is_attached;
    bool is_watched;
    bool has_no_link; /* the kind is looking for its far end */
    int fd; /* -1: none; see port_set_fd */
    int error; /* what was behind the port is gone: negative errno */
    struct capture *capture; /* NULL: none */
    void *priv; /* the kind's */
};

/* Every function is required. */
struct port_kind {
    const char *name;
    bool can_offload;
    /* argument: what follows "kind:", NULL when there is no colon. Fills info.target and info.mtu, and fd or not. */
    int (*open)(struct port *port, const char *argument, const struct port_wish *wish, char *reason,
                size_t reason_size);
    void (*close)(struct port *port, bool is_kept);
    /* The checkpoint has made an event of fd. */
    int (*attach)(struct port *port, struct event_base *base, char *reason, size_t reason_size);
    void (*detach)(struct port *port);
    void (*watch)(struct port *port, bool is_wanted); /* beside the event of fd */
    void (*set_carrier)(struct port *port, bool is_up);
    size_t (*room)(struct port *port);
    /* Neither blank checksum nor segmentation where !can_offload. */
    enum netif_verdict (*send)(struct port *port, const struct netif_packet *packet, uint8_t *bytes);
    void (*flush)(struct port *port);
    enum port_got (*receive)(struct port *port, struct netif_packet *packet, uint8_t **bytes);
    void (*release)(struct port *port);
};

extern const struct port_kind port_kind_tap;
extern const struct port_kind port_kind_null;
extern const struct port_kind port_kind_generator;
extern const struct port_kind port_kind_socket;

/*
 * For kinds whose descriptor changes while they are attached: its event goes along. Closes the old one; owns the new
 * one, -1: none, also when it fails with -ENOMEM and has none.
 */
int port_set_fd(struct port *port, int fd);

/* For kinds that have nothing to do there. */
int port_attach_nothing(struct port *port, struct event_base *base, char *reason, size_t reason_size);
void port_detach_nothing(struct port *port);
void port_watch_nothing(struct port *port, bool is_wanted);
void port_carrier_nothing(struct port *port, bool is_up);
void port_flush_nothing(struct port *port);
void port_release_nothing(struct port *port);
size_t port_room_without_end(struct port *port);

#endif
