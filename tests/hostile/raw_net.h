// SPDX-License-Identifier: MIT
/*
 * raw_net.h: the least that drives the rings of a network device, for frontends that break the rules on purpose, and
 * the other end of the device's port: a socket on which every frame that the backend lets out can be seen, and frames
 * be sent in. As in raw_front.h every function ends the program when the machinery under it fails.
 */
#ifndef XENSPLIT_TESTS_HOSTILE_RAW_NET_H
#define XENSPLIT_TESTS_HOSTILE_RAW_NET_H

#include "common/netif_ring.h"
#include "tests/hostile/raw_front.h"

#define RAW_NET_PAGES 64u /* of data, for what is sent; as many for what is received */

struct raw_net {
    struct raw_front base; /* the store and the handles */
    netif_tx_sring_t *tx_page;
    netif_rx_sring_t *rx_page;
    netif_tx_front_ring_t tx;
    netif_rx_front_ring_t rx;
    uint32_t ring_refs[2]; /* tx, rx */
    evtchn_port_t tx_port, rx_port; /* alike: one for both */
    unsigned char *tx_data, *rx_data;
    uint32_t tx_refs[RAW_NET_PAGES], rx_refs[RAW_NET_PAGES];
    const char *socket_path;
    int listener, wire; /* wire -1: the backend has not come yet */
};

/* Listens on the socket, waits until the device is there, shares pages. */
void raw_net_open(struct raw_net *net, unsigned int devid, const char *socket_path);
void raw_net_close(struct raw_net *net);

/* Fresh rings and channels, good keys; states stay as they are. */
void raw_net_prepare(struct raw_net *net, bool is_split);
/* Prepares, goes straight to Connected as Linux does, and waits for the backend. */
void raw_net_connect(struct raw_net *net, bool is_split);
void raw_net_disconnect(struct raw_net *net);

void raw_net_put(struct raw_net *net, const void *slot); /* of the transmit ring: 12 bytes */
void raw_net_push(struct raw_net *net);
/* The next answer; waits for it. */
struct netif_tx_response raw_net_response(struct raw_net *net);
/* A good slot: the first `size` bytes of data page `page`. */
struct netif_tx_request raw_net_slot(const struct raw_net *net, unsigned int page, uint16_t offset,
                                     uint16_t size, uint16_t flags);

/* Posts the receive pages [first, first + count). */
void raw_net_post(struct raw_net *net, unsigned int first, unsigned int count);
void raw_net_push_posted(struct raw_net *net);
/* The next slot that the backend filled; waits for it. */
union netif_rx_slot raw_net_received(struct raw_net *net);

/* The other end of the port. The next frame out, its length; 0: none came within the time. */
uint32_t raw_net_frame(struct raw_net *net, unsigned char *bytes, uint32_t size, int wait_ms);
void raw_net_inject(struct raw_net *net, const void *bytes, uint32_t length);
/* Bytes that are no frame. */
void raw_net_inject_raw(struct raw_net *net, const void *bytes, uint32_t length);
/* Until the backend has given up the connection, and come again. */
void raw_net_await_end(struct raw_net *net);
/* Nobody is at the port's other end any more, and nobody can come; then somebody is again. */
void raw_net_hang_up(struct raw_net *net);
void raw_net_listen(struct raw_net *net);
/* Until the backend says of the link that it is up, or down. */
void raw_net_wait_carrier(struct raw_net *net, bool is_up);

#endif
