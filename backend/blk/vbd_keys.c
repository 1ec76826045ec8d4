// SPDX-License-Identifier: MIT
/*
 * vbd_keys.c: the nodes of a block device. The toolstack's are taken as libxl writes them; the frontend's are
 * read strictly, since whoever wrote them may be hostile; a feature that is not implemented has no node.
 */
#include <config.h>

#include "backend/blk/vbd_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/event_channel.h>

#include "backend/daemon.h"

#define FOUND_MAX 40 /* characters of a foreign value that a message repeats */

static int fail(int error, char *reason, size_t reason_size, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(int error, char *reason, size_t reason_size, const char *fmt, ...)
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

static int fail_value(int error, const char *dir, const char *key, const char *expected, char *reason,
                      size_t reason_size)
{
    char found[FOUND_MAX + 1];

    if (error == -ENOTCONN)
        return fail(error, reason, reason_size, "%s: the store is gone", key);
    found_value(dir, key, found);
    return fail(error, reason, reason_size, "%s/%s: expected %s, found %s", dir, key, expected, found);
}

int vbd_keys_read_toolstack(const struct device *device, struct vbd_toolstack_keys *keys, char *reason,
                            size_t reason_size)
{
    char mode[8] = "", type[16] = "";
    int ret;

    memset(keys, 0, sizeof(*keys));
    ret = xenbus_read_string(daemon_xs(), XBT_NULL, device->path, "mode", mode, sizeof(mode));
    if (ret || (strcmp(mode, "r") != 0 && strcmp(mode, "w") != 0))
        return fail_value(ret ? ret : -EINVAL, device->path, "mode", "r or w", reason, reason_size);
    keys->is_readonly = mode[0] == 'r';
    ret = xenbus_read_string(daemon_xs(), XBT_NULL, device->path, "device-type", type, sizeof(type));
    if (ret && ret != -ENOENT)
        return fail_value(ret, device->path, "device-type", "disk or cdrom", reason, reason_size);
    keys->is_cdrom = strcmp(type, "cdrom") == 0;
    ret = xenbus_read_bool(daemon_xs(), XBT_NULL, device->path, "removable", &keys->is_removable);
    if (ret)
        return fail_value(ret, device->path, "removable", "0 or 1", reason, reason_size);
    keys->params = xenbus_read(daemon_xs(), XBT_NULL, device->path, "params");
    if (!keys->params || !*keys->params) {
        ret = keys->params ? -EINVAL : -errno;
        free(keys->params);
        keys->params = NULL;
        return fail_value(ret, device->path, "params", "the disk's path", reason, reason_size);
    }
    return 0;
}

int vbd_keys_read_frontend(const struct device *device, struct vbd_frontend_keys *keys, char *reason,
                           size_t reason_size)
{
    const char *dir = device->frontend_path;
    uint32_t one;
    /* Those with a default may be absent, and then only the default is offered. */
    const struct {
        const char *key;
        uint32_t *value;
        uint32_t min, max;
        bool is_optional;
        const char *expected;
    } numbers[] = {
        { "ring-page-order", &one, 0, 0, true, "0, since one page is offered" },
        { "num-ring-pages", &one, 1, 1, true, "1, since one page is offered" },
        { "multi-queue-num-queues", &one, 1, 1, true, "1, since one queue is offered" },
        { "ring-ref", &keys->ring_ref, 1, UINT32_MAX, false, "a grant reference that is not 0" },
        { "event-channel", &keys->event_channel, 1, EVTCHN_FIFO_NR_CHANNELS - 1, false,
          "a port from 1 to 131071" },
    };
    char protocol[32];
    int ret;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        ret = xenbus_read_u32(daemon_xs(), XBT_NULL, dir, numbers[i].key, numbers[i].min, numbers[i].max,
                              numbers[i].value);
        if (ret && !(ret == -ENOENT && numbers[i].is_optional))
            return fail_value(ret, dir, numbers[i].key, numbers[i].expected, reason, reason_size);
    }
    ret = xenbus_read_string(daemon_xs(), XBT_NULL, dir, "protocol", protocol, sizeof(protocol));
    if (ret == 0 || ret == -ENOENT)
        ret = blkif_abi_parse(ret ? NULL : protocol, &keys->abi);
    if (ret)
        return fail_value(ret, dir, "protocol", XEN_IO_PROTO_ABI_X86_64 " or " XEN_IO_PROTO_ABI_X86_32,
                          reason, reason_size);
    return 0;
}

struct publication {
    const struct device *device;
    const struct vbd_toolstack_keys *keys; /* NULL: features, else properties */
    const struct disk_geometry *geometry;
};

static int publish_features(struct xs_handle *xs, xs_transaction_t t, const struct publication *what)
{
    return what->geometry->can_flush ? xenbus_write(xs, t, what->device->path, "feature-flush-cache", "1")
                                     : 0;
}

static int publish_properties(struct xs_handle *xs, xs_transaction_t t, const struct publication *what)
{
    const struct vbd_toolstack_keys *keys = what->keys;
    const struct disk_geometry *geometry = what->geometry;
    unsigned int info = (keys->is_cdrom ? VDISK_CDROM : 0) | (keys->is_removable ? VDISK_REMOVABLE : 0) |
                        (geometry->is_readonly ? VDISK_READONLY : 0);
    const struct {
        const char *key;
        uint64_t value;
    } nodes[] = {
        { "sectors", geometry->size_bytes / 512 }, /* of 512 bytes, whatever sector-size says */
        { "sector-size", geometry->sector_bytes },
        { "physical-sector-size", geometry->physical_sector_bytes },
        { "info", info },
    };
    int ret = 0;

    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]) && ret == 0; i++)
        ret =
            xenbus_write(xs, t, what->device->path, nodes[i].key, "%llu", (unsigned long long)nodes[i].value);
    return ret;
}

/* A device that was removed meanwhile must not come back: its state is read in the same transaction. */
static int publish_body(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const struct publication *what = arg;
    char *state = xenbus_read(xs, t, what->device->path, "state");

    if (!state)
        return -errno;
    free(state);
    return what->keys ? publish_properties(xs, t, what) : publish_features(xs, t, what);
}

static int publish(const struct publication *what, char *reason, size_t reason_size)
{
    struct publication copy = *what;
    int ret = xenbus_transact(daemon_xs(), publish_body, &copy);

    if (ret)
        return fail(ret, reason, reason_size, "cannot publish %s in %s: %s",
                    copy.keys ? "the disk's size" : "features", copy.device->path, strerror(-ret));
    return 0;
}

int vbd_keys_publish_features(const struct device *device, const struct disk_geometry *geometry, char *reason,
                              size_t reason_size)
{
    return publish(&(struct publication){ .device = device, .geometry = geometry }, reason, reason_size);
}

int vbd_keys_publish_properties(const struct device *device, const struct vbd_toolstack_keys *keys,
                                const struct disk_geometry *geometry, char *reason, size_t reason_size)
{
    return publish(&(struct publication){ .device = device, .keys = keys, .geometry = geometry }, reason,
                   reason_size);
}
