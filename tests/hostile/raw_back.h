// SPDX-License-Identifier: MIT
/*
 * raw_back.h: the least that serves a ring, for backends that break the rules on purpose: what every kind of device
 * needs, and a block ring (network rings: raw_net_back.h). It plays the
 * toolstack, too: the nodes of a device are made and removed here. Every function ends the program with a message
 * when the machinery under it fails; none returns an error.
 */
#ifndef XENSPLIT_TESTS_HOSTILE_RAW_BACK_H
#define XENSPLIT_TESTS_HOSTILE_RAW_BACK_H

#include <stdbool.h>
#include <stdint.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xen/io/xenbus.h>

#include "common/blkif_abi.h"
#include <xen/io/netif.h>

struct raw_back {
    struct xs_handle *xs;
    xengnttab_handle *gnttab;
    xenevtchn_handle *evtchn;
    unsigned int domid; /* of the frontend */
    unsigned int devid;
    char dir[64]; /* /local/domain/0/backend/vbd/1/51712 */
    char front[64]; /* /local/domain/1/device/vbd/51712 */
    blkif_sring_t *page; /* of a vbd */
    blkif_back_ring_t ring;
    netif_tx_sring_t *tx_page; /* of a vif */
    netif_tx_back_ring_t tx;
    netif_rx_sring_t *rx_page;
    netif_rx_back_ring_t rx;
    evtchn_port_t port;
    unsigned int deadline_s;
};

void back_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A device ("vbd", "vif") as the toolstack makes it, both ends in state Initialising. */
void back_create(struct raw_back *back, const char *kind, unsigned int domid, unsigned int devid);
/* Lets go of the ring and removes both directories. */
void back_destroy(struct raw_back *back);

void back_write(struct raw_back *back, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void back_remove(struct raw_back *back, const char *key); /* "" for the whole directory */
void back_front_write(struct raw_back *back, const char *key, const char *value);
/* A frontend's node, to free(), or NULL. */
char *back_front_read(struct raw_back *back, const char *key);
/* A number that must be there. */
unsigned int back_front_number(struct raw_back *back, const char *key);
void back_state(struct raw_back *back, unsigned int state);
/* Maps the page whose reference the frontend's key names; binds the event channel that it names. */
void *back_map(struct raw_back *back, const char *key);
void back_bind(struct raw_back *back, const char *key);
/* Sleeps until an event of the rings or of a watch, at most a second. */
void back_sleep(struct raw_back *back);
bool back_front_is(struct raw_back *back, unsigned int state);
/* Until the frontend's state is one of the bits (1 << state); which. */
enum xenbus_state back_wait_front(struct raw_back *back, unsigned int states);

/* What a good backend publishes before InitWait and before Connected. */
void back_publish(struct raw_back *back);
/* InitWait, then waits for the frontend's keys and maps what they name. */
void back_offer(struct raw_back *back);
/* All of it, up to Connected at both ends. */
void back_connect(struct raw_back *back);
/* As a backend that died: ring and event channel go, the nodes stay. */
void back_let_go(struct raw_back *back);
/* Answers the closing handshake. */
void back_close(struct raw_back *back);

/* The next request; waits for it. */
blkif_request_t back_request(struct raw_back *back);
bool back_has_request(struct raw_back *back);
/* Puts a response on the ring, unseen by the frontend until the push. */
void back_put(struct raw_back *back, uint64_t id, uint8_t operation, int16_t status);
/* Publishes, and notifies whether the frontend asks for it or not. */
void back_push(struct raw_back *back);
void back_notify(struct raw_back *back);
/* Serves until the frontend closes: nothing is read or written, everything is well. Then closes, too. */
void back_serve(struct raw_back *back);

#endif
