// SPDX-License-Identifier: MIT
/*
 * device_keys.h: what the families' reading and writing of nodes has in common: the sentence about a node that is not
 * as it should be, and publishing nodes all at once in the directory of a device that is still there. Main thread.
 * Functions return 0, or the negative errno that they were given or found, with a reason; they never log.
 */
#ifndef XENSPLIT_BACKEND_DEVICE_KEYS_H
#define XENSPLIT_BACKEND_DEVICE_KEYS_H

#include <stddef.h>
#include <stdint.h>

struct device;

/* Writes the reason and returns error. */
int device_keys_fail(int error, char *reason, size_t reason_size, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same in the words "dir/key: expected ..., found ...", with the present value as far as it may be shown. */
int device_keys_fail_value(int error, const char *dir, const char *key, const char *expected, char *reason,
                           size_t reason_size);

/* A frontend's number: absent is fine when it is optional, and leaves the value as it was. */
struct device_number {
    const char *key;
    uint32_t *value;
    uint32_t min, max;
    int is_optional;
    const char *expected; /* for the reason */
};

int device_keys_read_numbers(const char *dir, const struct device_number *numbers, size_t count, char *reason,
                             size_t reason_size);

struct device_node {
    const char *key;
    uint64_t value;
};

/* what: "features", for the reason. A device that the toolstack has removed meanwhile does not come back. */
int device_keys_publish(const struct device *device, const struct device_node *nodes, size_t count,
                        const char *what, char *reason, size_t reason_size);

#endif
