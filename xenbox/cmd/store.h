// SPDX-License-Identifier: MIT
/*
 * store.h: a box's store, seen from domain 0 through the real libxenstore. All functions return 0 or a
 * negative errno, and all but one print nothing.
 */
#ifndef XENBOX_CMD_STORE_H
#define XENBOX_CMD_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <xenstore.h>

#include "xenbox/cmd/box.h"
#include "xenbox/cmd/node_list.h"

struct store {
    struct xs_handle *xs;
};

/* store_close is safe on a store that failed to open, and twice. */
int store_open(struct store *store, const struct box *box);
/* As store_open, but says what is wrong with the box's store. */
int store_connect(struct store *store, const struct box *box);
void store_close(struct store *store);

/*
 * Runs fn in a transaction, again from the start whenever somebody else came in between. What fn returns
 * other than 0 undoes all.
 */
int store_transact(struct store *store, int (*fn)(struct store *store, xs_transaction_t t, void *arg),
                   void *arg);

/* Carries out all steps of a list in one transaction. */
int store_apply(struct store *store, struct node_list *list);

/* A node's value, to be freed. -ENOENT: there is no such node. */
int store_read(struct store *store, const char *path, char **value);
/* A node's number; -ENOENT, or -EINVAL for a value that is none. */
int store_read_number(struct store *store, const char *path, unsigned long *number);
bool store_has(struct store *store, const char *path);

/*
 * Waits until is_met(store, arg) says other than 0, asking it again whenever something at or below path has
 * changed. Returns what it said when that is negative; 0 when it is positive; -ETIMEDOUT; -EINTR after a
 * signal.
 */
int store_wait(struct store *store, const char *path, int timeout_ms,
               int (*is_met)(struct store *store, void *arg), void *arg);

/* Removes a directory, and then those above it that have become empty, up to but not including `top`. */
int store_prune(struct store *store, const char *path, const char *top);

#endif
