// SPDX-License-Identifier: MIT
/*
 * xenbus.h: reading and writing a device's nodes in xenstore, as both ends of a split driver need it.
 *
 * Everything read was written by somebody else: numbers are parsed strictly (digits only, bounds given by the
 * caller), strings are bounded. Functions return 0 or a negative errno and never log. They use the handle of the
 * caller and may only be called from the thread that owns it; a NULL handle (the store is gone) is -ENOTCONN.
 * `dir` is a device directory, absolute or relative to the own domain's; `key` a node below it.
 */
#ifndef XENSPLIT_COMMON_XENBUS_H
#define XENSPLIT_COMMON_XENBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xenstore.h>
#include <xen/io/xenbus.h>

#define XENBUS_PATH_MAX 256 /* of the device directories that this code handles, with the terminating zero */
#define XENBUS_STATE_COUNT (XenbusStateReconfigured + 1)

/*
 * The pure parts. text has len bytes and a zero behind them, as libxenstore gives it; a zero inside is an error.
 */
int xenbus_parse_u64(const char *text, size_t len, uint64_t min, uint64_t max, uint64_t *value);
int xenbus_parse_bool(const char *text, size_t len, bool *value); /* "0" or "1" */
int xenbus_parse_state(const char *text, size_t len, enum xenbus_state *state);
/* dir + "/" + key into path; -ENAMETOOLONG. An empty key gives dir itself. */
int xenbus_join(char *path, size_t size, const char *dir, const char *key);

/* A copy of the value, zero-terminated, to free(); NULL with errno (ENOENT: no such node; EACCES: may not). */
char *xenbus_read(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key);
/* Copies at most size-1 bytes; -E2BIG when the value is longer, -EINVAL when it holds a zero byte. */
int xenbus_read_string(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key, char *buf,
                       size_t size);
/* Decimal; -ENOENT, -EINVAL when not a number, -ERANGE outside [min, max]. */
int xenbus_read_u64(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key, uint64_t min,
                    uint64_t max, uint64_t *value);
int xenbus_read_u32(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key, uint32_t min,
                    uint32_t max, uint32_t *value);
/* A feature key: absent or "0" is false, "1" true, anything else -EINVAL. */
int xenbus_read_bool(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key, bool *value);
/* XenbusStateUnknown when the node is absent; -EINVAL for a value outside the enumeration. */
int xenbus_read_state(struct xs_handle *xs, xs_transaction_t t, const char *dir, enum xenbus_state *state);

int xenbus_write(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key, const char *fmt,
                 ...) __attribute__((format(printf, 5, 6)));

/*
 * Runs body in a transaction and commits; again when it collided with somebody else's. body returns 0, or a
 * negative errno: then nothing is written. body may run several times and must not keep what it read before.
 */
typedef int xenbus_body_fn(struct xs_handle *xs, xs_transaction_t t, void *arg);
int xenbus_transact(struct xs_handle *xs, xenbus_body_fn *body, void *arg);

/*
 * Sets dir/state in a transaction that first reads it, so that a device which the toolstack removed is never
 * re-created: -ENOENT then, and nothing is written. Nothing is written either when it has that value already.
 */
int xenbus_switch_state(struct xs_handle *xs, const char *dir, enum xenbus_state state);

/*
 * The reason why a device failed, where Linux puts it: error/<nodename>/error of the own domain. nodename is the
 * device directory relative to the domain's. Writes only while the device directory exists (-ENOENT).
 */
int xenbus_write_error(struct xs_handle *xs, const char *nodename, const char *text);
void xenbus_clear_error(struct xs_handle *xs, const char *nodename);

const char *xenbus_state_name(enum xenbus_state state); /* "InitWait"; "?" outside the enumeration */

#endif
