// SPDX-License-Identifier: MIT
/*
 * net_handle.h: a handle of a network device over a store and grants in this process, for the tests of it, which play
 * the backend.
 */
#ifndef XENSPLIT_TESTS_UNIT_NET_HANDLE_H
#define XENSPLIT_TESTS_UNIT_NET_HANDLE_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/io/xenbus.h>

#include "common/netif_rx.h"
#include "common/netif_tx.h"
#include "frontend/xenfront.h"
#include "tests/unit/fake_hyper.h"
#include "tests/unit/fake_store.h"

#define FRONT_DIR "/local/domain/0/device/vif/0"
#define FRONT FRONT_DIR "/"
#define BACK_DIR "/local/domain/0/backend/vif/0/0"
#define BACK BACK_DIR "/"

extern struct xenfront_net *net;
extern netif_tx_back_ring_t tx; /* when it is connected */
extern netif_rx_back_ring_t rx;

#define PACKET_ROOM 70000
extern uint8_t sent[PACKET_ROOM];

int setup(void **state);
/* Without blank checksums. */
int setup_plain(void **state);
int teardown(void **state); /* nothing is left */

/* The backend's. */
void state_set(unsigned int state);
bool fd_is_readable(void);
/* As long as there is something to do. */
int pump(void);
uint32_t front_number(const char *key);
void connect_all(void);

/* An Ethernet frame with IPv4 and TCP headers and a counting payload; its length. */
uint32_t packet_make(uint8_t *frame, uint32_t payload);
/* The first bytes of `sent`, in pieces. */
int packet_send(uint32_t length, const struct xenfront_net_offload *offload);

#endif
