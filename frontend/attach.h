// SPDX-License-Identifier: MIT
/*
 * attach.h: a frontend device's side of xenstore, for any kind of device: finds the device in the own domain,
 * follows its `backend` and `backend-id` nodes (never builds the backend's path), watches both states, claims
 * the device against other programs, and switches the own state. What the keys mean is for the device's own
 * file.
 *
 * Everything is called from the thread of the handle. Calls to the store block for as long as xenstored does.
 * On failure the sentence is in *error.
 */
#ifndef XENSPLIT_FRONTEND_ATTACH_H
#define XENSPLIT_FRONTEND_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/xenbus.h"
#include "frontend/error.h"

struct attach {
    struct xs_handle *xs;
    struct front_error *error;
    uint32_t devid;
    uint32_t backend_domid;
    bool is_watching;
    bool has_claim;
    char claim[128]; /* what stands in the store when the device is ours */
    char dir[XENBUS_PATH_MAX]; /* device/<kind>/<devid>, relative to the own domain */
    char backend[XENBUS_PATH_MAX]; /* absolute */
    const char *live_key; /* of the backend, watched as its state is; NULL: none */
};

/*
 * Connects to the store and finds device (a number, or NULL for the only one of its kind). -ENODEV, -EINVAL
 * (several, and none named), -EPROTO (nonsense in the store), or what the store says.
 */
int attach_open(struct attach *attach, struct front_error *error, const char *kind, const uint32_t *devid);
void attach_fini(struct attach *attach);

/* Readable when attach_take_events() has something. */
int attach_fd(const struct attach *attach);
/* Watches both states, and the live key; the first event comes at once. */
int attach_watch(struct attach *attach);
void attach_unwatch(struct attach *attach);
/* Swallows all queued watch events. Returns whose nodes were written: bits of ATTACH_EVENT_*, 0 for none. */
#define ATTACH_EVENT_OWN 1u
#define ATTACH_EVENT_BACKEND 2u
unsigned int attach_take_events(struct attach *attach);

/* A node that is gone or may not be read (the backend's was removed) is XenbusStateUnknown. */
int attach_states(struct attach *attach, enum xenbus_state *own, enum xenbus_state *peer);

/*
 * Marks the device as ours, in a key beside the others, so that no other program of this library touches it.
 * -EBUSY when a program that lives holds it, or when the own state says that some other driver does; a mark
 * left by a dead program is replaced. takeover: never -EBUSY. Two handles of one program are told apart, too.
 */
int attach_claim(struct attach *attach, bool takeover);
void attach_release(struct attach *attach);

/* Sets the own state, unless the device is gone (-ENOENT) or another program has taken it over (-EBUSY). */
int attach_switch(struct attach *attach, enum xenbus_state state);

/* Runs fn in a transaction, again while it collides with others. fn returns 0 to commit. */
typedef int (*attach_fn)(struct attach *attach, xs_transaction_t t, void *arg);
int attach_transact(struct attach *attach, attach_fn fn, void *arg);

#endif
