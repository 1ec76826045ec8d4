// SPDX-License-Identifier: MIT
/*
 * xenbus.c: strict reading and careful writing of device nodes. See xenbus.h.
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

#include "common/xenbus.h"

/*
 * A transaction collides only with writers of the nodes that it touches. Those of a backend's directory are the
 * toolstack and ourselves; but a frontend may keep on writing its own, and must not hold us for ever.
 */
#define TRANSACT_TRIES 100

int xenbus_parse_u64(const char *text, size_t len, uint64_t min, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;

    if (len == 0)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, text[i] - '0', &sum))
            return -ERANGE;
    }
    if (sum < min || sum > max)
        return -ERANGE;
    *value = sum;
    return 0;
}

int xenbus_parse_bool(const char *text, size_t len, bool *value)
{
    if (len != 1 || (text[0] != '0' && text[0] != '1'))
        return -EINVAL;
    *value = text[0] == '1';
    return 0;
}

int xenbus_parse_state(const char *text, size_t len, enum xenbus_state *state)
{
    uint64_t value;

    if (xenbus_parse_u64(text, len, 0, XENBUS_STATE_COUNT - 1, &value) < 0)
        return -EINVAL;
    *state = value;
    return 0;
}

int xenbus_join(char *path, size_t size, const char *dir, const char *key)
{
    int len = snprintf(path, size, "%s%s%s", dir, key[0] ? "/" : "", key);

    return len >= 0 && (size_t)len < size ? 0 : -ENAMETOOLONG;
}

/* A failed call of libxenstore: never 0, even where the library forgot to say why (catalogue F17). */
static int store_error(void)
{
    return errno > 0 ? -errno : -EIO;
}

/* As libxenstore does: malloc'd, zero-terminated, *len without the zero. */
static int read_node(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key, char **text,
                     unsigned int *len)
{
    char path[XENSTORE_ABS_PATH_MAX + 1];
    int error;

    if (!xs)
        return -ENOTCONN;
    error = xenbus_join(path, sizeof(path), dir, key);
    if (error < 0)
        return error;
    *text = xs_read(xs, t, path, len);
    return *text ? 0 : store_error();
}

char *xenbus_read(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key)
{
    unsigned int len;
    char *text;
    int error = read_node(xs, t, dir, key, &text, &len);

    if (error == 0)
        return text;
    errno = -error;
    return NULL;
}

int xenbus_read_string(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key, char *buf,
                       size_t size)
{
    unsigned int len;
    char *text;
    int error = read_node(xs, t, dir, key, &text, &len);

    if (error < 0)
        return error;
    if (memchr(text, 0, len))
        error = -EINVAL;
    else if (len >= size)
        error = -E2BIG;
    else
        memcpy(buf, text, len + 1);
    free(text);
    return error;
}

int xenbus_read_u64(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key, uint64_t min,
                    uint64_t max, uint64_t *value)
{
    unsigned int len;
    char *text;
    int error = read_node(xs, t, dir, key, &text, &len);

    if (error < 0)
        return error;
    error = xenbus_parse_u64(text, len, min, max, value);
    free(text);
    return error;
}

int xenbus_read_u32(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key, uint32_t min,
                    uint32_t max, uint32_t *value)
{
    uint64_t wide;
    int error = xenbus_read_u64(xs, t, dir, key, min, max, &wide);

    if (error == 0)
        *value = wide;
    return error;
}

int xenbus_read_bool(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key, bool *value)
{
    unsigned int len;
    char *text;
    int error = read_node(xs, t, dir, key, &text, &len);

    if (error == -ENOENT) {
        *value = false;
        return 0;
    }
    if (error < 0)
        return error;
    error = xenbus_parse_bool(text, len, value);
    free(text);
    return error;
}

int xenbus_read_state(struct xs_handle *xs, xs_transaction_t t, const char *dir, enum xenbus_state *state)
{
    unsigned int len;
    char *text;
    int error = read_node(xs, t, dir, "state", &text, &len);

    if (error == -ENOENT) {
        *state = XenbusStateUnknown;
        return 0;
    }
    if (error < 0)
        return error;
    error = xenbus_parse_state(text, len, state);
    free(text);
    return error;
}

int xenbus_write(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *key, const char *fmt,
                 ...)
{
    char path[XENSTORE_ABS_PATH_MAX + 1];
    char value[XENSTORE_PAYLOAD_MAX];
    va_list ap;
    int len;
    int error;

    if (!xs)
        return -ENOTCONN;
    error = xenbus_join(path, sizeof(path), dir, key);
    if (error < 0)
        return error;
    va_start(ap, fmt);
    len = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= sizeof(value))
        return -E2BIG;
    return xs_write(xs, t, path, value, len) ? 0 : store_error();
}

int xenbus_transact(struct xs_handle *xs, xenbus_body_fn *body, void *arg)
{
    if (!xs)
        return -ENOTCONN;
    for (int tries = 0; tries < TRANSACT_TRIES; tries++) {
        xs_transaction_t t = xs_transaction_start(xs);
        if (t == XBT_NULL)
            return store_error();
        int error = body(xs, t, arg);
        if (error < 0) {
            xs_transaction_end(xs, t, true);
            return error;
        }
        if (xs_transaction_end(xs, t, false))
            return 0;
        if (errno != EAGAIN)
            return store_error();
    }
    return -EAGAIN;
}

struct state_change {
    const char *dir;
    enum xenbus_state state;
};

static int change_state(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct state_change *change = arg;
    unsigned int len;
    char *text;
    enum xenbus_state old = XenbusStateUnknown;
    int error = read_node(xs, t, change->dir, "state", &text, &len);

    if (error < 0)
        return error;
    xenbus_parse_state(text, len, &old); /* whatever stands there, we replace it */
    free(text);
    if (old == change->state)
        return 0;
    return xenbus_write(xs, t, change->dir, "state", "%d", change->state);
}

int xenbus_switch_state(struct xs_handle *xs, const char *dir, enum xenbus_state state)
{
    struct state_change change = { dir, state };

    return xenbus_transact(xs, change_state, &change);
}

struct error_text {
    const char *nodename;
    const char *text;
};

static int write_error(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct error_text *e = arg;
    char dir[XENBUS_PATH_MAX + 8];
    unsigned int len;
    char *state;
    int error = read_node(xs, t, e->nodename, "state", &state, &len);

    if (error < 0)
        return error;
    free(state);
    error = xenbus_join(dir, sizeof(dir), "error", e->nodename);
    return error < 0 ? error : xenbus_write(xs, t, dir, "error", "%s", e->text);
}

int xenbus_write_error(struct xs_handle *xs, const char *nodename, const char *text)
{
    struct error_text e = { nodename, text };

    return xenbus_transact(xs, write_error, &e);
}

void xenbus_clear_error(struct xs_handle *xs, const char *nodename)
{
    char dir[XENBUS_PATH_MAX + 8];

    if (xs && xenbus_join(dir, sizeof(dir), "error", nodename) == 0)
        xs_rm(xs, XBT_NULL, dir);
}

const char *xenbus_state_name(enum xenbus_state state)
{
    static const char *const names[XENBUS_STATE_COUNT] = {
        [XenbusStateUnknown] = "Unknown",
        [XenbusStateInitialising] = "Initialising",
        [XenbusStateInitWait] = "InitWait",
        [XenbusStateInitialised] = "Initialised",
        [XenbusStateConnected] = "Connected",
        [XenbusStateClosing] = "Closing",
        [XenbusStateClosed] = "Closed",
        [XenbusStateReconfiguring] = "Reconfiguring",
        [XenbusStateReconfigured] = "Reconfigured",
    };

    return (unsigned int)state < XENBUS_STATE_COUNT ? names[state] : "?";
}
