// SPDX-License-Identifier: MIT
/*
 * raw_front.h: the least that drives a block ring, for frontends that break the rules on purpose. It checks
 * nothing that it writes and everything that it gets. Every function ends the program with a message when the
 * machinery under it fails; none returns an error.
 */
#ifndef XENSPLIT_TESTS_HOSTILE_RAW_FRONT_H
#define XENSPLIT_TESTS_HOSTILE_RAW_FRONT_H

#include <stdbool.h>
#include <stdint.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xen/io/xenbus.h>

#include "common/blkif_abi.h"

#define RAW_PAGES 11 /* of data: a request's worth */
#define RAW_RING_SLOTS 32u

/* Of a thread that scribbles where its own process writes: that it races is the case. */
#define RAW_SCRIBBLES __attribute__((no_sanitize("thread")))

struct raw_front {
    struct xs_handle *xs;
    xengntshr_handle *gntshr;
    xenevtchn_handle *evtchn;
    char dir[64]; /* device/vbd/51712 */
    char backend[128]; /* as our `backend` node says */
    unsigned int backend_id;
    blkif_sring_t *page;
    blkif_front_ring_t ring;
    uint32_t ring_ref;
    evtchn_port_t port;
    unsigned char *data; /* RAW_PAGES pages */
    uint32_t refs[RAW_PAGES];
    unsigned int deadline_s;
};

/* Ends the program with status 1: the backend did what it must not. */
void raw_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

void raw_open(struct raw_front *front, unsigned int devid);
/* Only the store, the handles and whose device it is, for a device of another kind. */
void raw_open_device(struct raw_front *front, const char *kind, unsigned int devid);
void raw_close(struct raw_front *front);
/* Takes the data pages back and shares new ones. */
void raw_share_again(struct raw_front *front);

void raw_write(struct raw_front *front, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void raw_remove(struct raw_front *front, const char *key);
void raw_state(struct raw_front *front, unsigned int state);
/* A number that the backend published. */
uint64_t raw_backend_number(struct raw_front *front, const char *key);
/* Until the backend's state is one of the bits (1 << state); which. */
enum xenbus_state raw_wait_backend(struct raw_front *front, unsigned int states);

/* Waits for InitWait, writes good keys, goes to Connected together with the backend. */
void raw_connect(struct raw_front *front);
/* The same, for a ring in the layout that protocol names. */
void raw_connect_as(struct raw_front *front, const char *protocol);
/* Closes in order, so that another connect may follow. */
void raw_disconnect(struct raw_front *front);

/* A whole transfer of count pages from sector, with our own refs. */
blkif_request_t raw_request(const struct raw_front *front, uint8_t operation, uint64_t id, uint64_t sector,
                            uint8_t count);
/* Puts it on the ring, unseen by the backend until the push. */
void raw_put(struct raw_front *front, const blkif_request_t *request);
void raw_push(struct raw_front *front);
void raw_notify(struct raw_front *front);
/* Waits until the backend's producer differs from seen. */
void raw_wait_response(struct raw_front *front, RING_IDX seen);
/* The next response; waits for it. */
blkif_response_t raw_response(struct raw_front *front);
/* One request, one response; its status. */
int raw_try(struct raw_front *front, const blkif_request_t *request);
/* The same, and the response must name the request's id and operation. */
int raw_do(struct raw_front *front, const blkif_request_t *request);

#endif
