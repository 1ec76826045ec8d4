// SPDX-License-Identifier: MIT
/*
 * device_keys.c: see device_keys.h.
 */
#include <config.h>

#include "backend/device_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/daemon.h"
#include "backend/device.h"

#define FOUND_MAX 40 /* characters of a foreign value that a message repeats */

int device_keys_fail(int error, char *reason, size_t reason_size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(reason, reason_size, fmt, args);
    va_end(args);
    return error;
}

/* The value as it may be shown: printable and short. */
static void found_value(const char *dir, const char *key, char found[FOUND_MAX + 1])
{
    char *value = xenbus_read(daemon_xs(), XBT_NULL, dir, key);

    snprintf(found, FOUND_MAX + 1, "%s", value && *value ? value : "nothing");
    for (char *at = found; *at; at++)
        if (!isprint((unsigned char)*at))
            *at = '?';
    free(value);
}

int device_keys_fail_value(int error, const char *dir, const char *key, const char *expected, char *reason,
                           size_t reason_size)
{
    char found[FOUND_MAX + 1];

    if (error == -ENOTCONN)
        return device_keys_fail(error, reason, reason_size, "%s: the store is gone", key);
    if (error != -ENOENT && error != -EINVAL && error != -ERANGE && error != -E2BIG)
        return device_keys_fail(error, reason, reason_size, "%s/%s cannot be read: %s", dir, key, strerror(-error));
    found_value(dir, key, found);
    return device_keys_fail(error, reason, reason_size, "%s/%s: expected %s, found %s", dir, key, expected,
                            found);
}

int device_keys_read_numbers(const char *dir, const struct device_number *numbers, size_t count, char *reason,
                             size_t reason_size)
{
    for (size_t i = 0; i < count; i++) {
        const struct device_number *number = &numbers[i];
        const int ret =
            xenbus_read_u32(daemon_xs(), XBT_NULL, dir, number->key, number->min, number->max, number->value);

        if (ret && !(ret == -ENOENT && number->is_optional))
            return device_keys_fail_value(ret, dir, number->key, number->expected, reason, reason_size);
    }
    return 0;
}

struct publication {
    const char *dir;
    const struct device_node *nodes;
    size_t count;
};

/* The state is read in the same transaction: it is there as long as the device is. */
static int publish_body(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct publication *what = arg;
    char *state = xenbus_read(xs, t, what->dir, "state");
    int ret = 0;

    if (!state)
        return -errno;
    free(state);
    for (size_t i = 0; i < what->count && ret == 0; i++)
        ret = xenbus_write(xs, t, what->dir, what->nodes[i].key, "%llu",
                           (unsigned long long)what->nodes[i].value);
    return ret;
}

int device_keys_publish(const struct device *device, const struct device_node *nodes, size_t count,
                        const char *what, char *reason, size_t reason_size)
{
    struct publication publication = { .dir = device->path, .nodes = nodes, .count = count };
    const int ret = xenbus_transact(daemon_xs(), publish_body, &publication);

    if (ret)
        return device_keys_fail(ret, reason, reason_size, "cannot publish %s in %s: %s", what, device->path,
                                strerror(-ret));
    return 0;
}
