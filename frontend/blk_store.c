// SPDX-License-Identifier: MIT
/*
 * blk_store.c: see blk_store.h. Keys and defaults are those of <xen/io/blkif.h>.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/barrier.h"
#include <xen/io/blkif.h>
#include <xen/io/protocols.h>

#include "frontend/blk_store.h"
#include "frontend/pool.h"

#define MAX_SECTORS (UINT64_MAX / 2 / XENFRONT_SECTOR_SIZE)

/* Backend keys that are numbers. A key without `is_required` takes its default. */
static const struct number_key {
    const char *key;
    size_t offset; /* in struct xenfront_blk_info */
    uint64_t min, max, fallback;
    bool is_wide; /* 64 bits */
    bool is_required;
} number_keys[] = {
    { "sectors", offsetof(struct xenfront_blk_info, sectors), 0, MAX_SECTORS, 0, true, true },
    { "sector-size", offsetof(struct xenfront_blk_info, sector_size), 512, GRANT_SIZE, 512, false, false },
    { "physical-sector-size", offsetof(struct xenfront_blk_info, physical_sector_size), 512, 1u << 30, 0,
      false, false },
    { "max-ring-page-order", offsetof(struct xenfront_blk_info, max_ring_page_order), 0, 31, 0, false,
      false },
    { "multi-queue-max-queues", offsetof(struct xenfront_blk_info, max_queues), 0, UINT32_MAX, 1, false,
      false },
    { "feature-max-indirect-segments", offsetof(struct xenfront_blk_info, max_indirect_segments), 0,
      UINT32_MAX, 0, false, false },
};

static const struct flag_key {
    const char *key;
    size_t offset;
} flag_keys[] = {
    { "feature-flush-cache", offsetof(struct xenfront_blk_info, has_flush) },
    { "feature-barrier", offsetof(struct xenfront_blk_info, has_barrier) },
    { "feature-discard", offsetof(struct xenfront_blk_info, has_discard) },
    { "feature-persistent", offsetof(struct xenfront_blk_info, is_persistent) },
};

/* The bits of `info`. */
static const struct info_bit {
    uint32_t bit;
    size_t offset;
} info_bits[] = {
    { VDISK_CDROM, offsetof(struct xenfront_blk_info, is_cdrom) },
    { VDISK_REMOVABLE, offsetof(struct xenfront_blk_info, is_removable) },
    { VDISK_READONLY, offsetof(struct xenfront_blk_info, is_readonly) },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Keys that an earlier frontend may have left and that contradict ours. */
static const char *const stale_keys[] = { "ring-page-order", "num-ring-pages", "multi-queue-num-queues" };

/* Says what was expected of a key and what stands there. */
static int key_error(struct attach *attach, xs_transaction_t t, int err, const char *key,
                     const char *expected)
{
    char *found = xenbus_read(attach->xs, t, attach->backend, key);

    if (err == -ENOENT)
        front_error_set(attach->error, -EPROTO, "backend: %s expected, found no key %s/%s", expected,
                        attach->backend, key);
    else
        front_error_set(attach->error, -EPROTO, "backend: %s: %s expected, found '%.40s' (%s)", key, expected,
                        found ? found : "", strerror(-err));
    free(found);
    return -EPROTO;
}

static int number_read(struct attach *attach, xs_transaction_t t, const struct number_key *key,
                       struct xenfront_blk_info *info)
{
    char expected[80];
    uint64_t value;
    int err = xenbus_read_u64(attach->xs, t, attach->backend, key->key, key->min, key->max, &value);

    if (err == -ENOENT && !key->is_required) {
        value = key->fallback;
    } else if (err < 0) {
        snprintf(expected, sizeof(expected), "a number from %" PRIu64 " to %" PRIu64, key->min, key->max);
        return key_error(attach, t, err, key->key, expected);
    }
    if (key->is_wide)
        *(uint64_t *)((char *)info + key->offset) = value;
    else
        *(uint32_t *)((char *)info + key->offset) = (uint32_t)value;
    return 0;
}

static int geometry_check(struct attach *attach, struct xenfront_blk_info *info)
{
    uint32_t unit = info->sector_size;

    if (unit & (unit - 1))
        return front_error_set(attach->error, -EPROTO,
                               "backend: sector-size: a power of two from 512 to %u expected, found %" PRIu32,
                               GRANT_SIZE, unit);
    if (!info->physical_sector_size)
        info->physical_sector_size = unit;
    if (info->physical_sector_size % unit)
        return front_error_set(attach->error, -EPROTO,
                               "backend: physical-sector-size: a multiple of sector-size %" PRIu32
                               " expected, found %" PRIu32,
                               unit, info->physical_sector_size);
    info->size_bytes = info->sectors * XENFRONT_SECTOR_SIZE;
    if (info->size_bytes % unit)
        return front_error_set(attach->error, -EPROTO,
                               "backend: sectors: a multiple of sector-size %" PRIu32
                               " expected, found %" PRIu64 " sectors of 512 bytes",
                               unit, info->sectors);
    return 0;
}

static int backend_read(struct attach *attach, xs_transaction_t t, struct xenfront_blk_info *info)
{
    uint32_t bits = 0;
    int err;

    for (size_t i = 0; i < COUNT(number_keys); i++) {
        err = number_read(attach, t, &number_keys[i], info);
        if (err < 0)
            return err;
    }
    for (size_t i = 0; i < COUNT(flag_keys); i++) {
        err = xenbus_read_bool(attach->xs, t, attach->backend, flag_keys[i].key,
                               (bool *)((char *)info + flag_keys[i].offset));
        if (err < 0)
            return key_error(attach, t, err, flag_keys[i].key, "0 or 1");
    }
    err = xenbus_read_u32(attach->xs, t, attach->backend, "info", 0, UINT32_MAX, &bits);
    if (err < 0 && err != -ENOENT)
        return key_error(attach, t, err, "info", "a number of flags");
    for (size_t i = 0; i < COUNT(info_bits); i++)
        *(bool *)((char *)info + info_bits[i].offset) = (bits & info_bits[i].bit) != 0;
    return geometry_check(attach, info);
}

static int backend_state(struct attach *attach, xs_transaction_t t, enum xenbus_state *state)
{
    int err = xenbus_read_state(attach->xs, t, attach->backend, state);

    if (err < 0)
        return front_error_set(attach->error, err, "xenstore: cannot read %s/state: %s", attach->backend,
                               strerror(-err));
    return 0;
}

static int own_write(struct attach *attach, xs_transaction_t t, const char *key, uint32_t value)
{
    int err = xenbus_write(attach->xs, t, attach->dir, key, "%" PRIu32, value);

    if (err < 0)
        return front_error_set(attach->error, err, "xenstore: cannot write %s/%s: %s", attach->dir, key,
                               strerror(-err));
    return 0;
}

/* The own node is read first, so that a device which was removed is not created again. */
static int own_state_write(struct attach *attach, xs_transaction_t t, enum xenbus_state state)
{
    enum xenbus_state own;
    int err = xenbus_read_state(attach->xs, t, attach->dir, &own);

    if (err < 0 || own == XenbusStateUnknown)
        return front_error_set(attach->error, -ENODEV, "the device was removed (xenstore: no %s/state)",
                               attach->dir);
    return own_write(attach, t, "state", state);
}

static int stale_remove(struct attach *attach, xs_transaction_t t)
{
    char path[XENBUS_PATH_MAX + 32];

    for (size_t i = 0; i < COUNT(stale_keys); i++) {
        snprintf(path, sizeof(path), "%s/%s", attach->dir, stale_keys[i]);
        if (!xs_rm(attach->xs, t, path) && errno != ENOENT)
            return front_error_set(attach->error, -errno, "xenstore: cannot remove %s: %s", path,
                                   strerror(errno));
    }
    return 0;
}

static int publish(struct attach *attach, xs_transaction_t t, void *arg)
{
    const struct blk_transport *transport = arg;
    enum xenbus_state peer;
    int err = backend_state(attach, t, &peer);

    if (err < 0)
        return err;
    if (peer != XenbusStateInitWait && peer != XenbusStateInitialised)
        return -EAGAIN;
    err = own_state_write(attach, t, XenbusStateInitialised);
    if (err < 0)
        return err;
    err = stale_remove(attach, t);
    if (err < 0)
        return err;
    err = own_write(attach, t, "ring-ref", transport->ring_ref);
    if (err < 0)
        return err;
    err = own_write(attach, t, "event-channel", transport->event_channel);
    if (err < 0)
        return err;
    err = own_write(attach, t, "feature-persistent", transport->is_persistent);
    if (err < 0)
        return err;
    err = xenbus_write(attach->xs, t, attach->dir, "protocol", "%s", XEN_IO_PROTO_ABI_NATIVE);
    if (err < 0)
        return front_error_set(attach->error, err, "xenstore: cannot write %s/protocol: %s", attach->dir,
                               strerror(-err));
    return 0;
}

int blk_store_publish(struct attach *attach, const struct blk_transport *transport)
{
    return attach_transact(attach, publish, (void *)transport);
}

static int read_connected(struct attach *attach, xs_transaction_t t, struct xenfront_blk_info *info)
{
    enum xenbus_state peer;
    int err = backend_state(attach, t, &peer);

    if (err < 0)
        return err;
    return peer == XenbusStateConnected ? backend_read(attach, t, info) : -EAGAIN;
}

static int connect_keys(struct attach *attach, xs_transaction_t t, void *arg)
{
    int err = read_connected(attach, t, arg);

    return err < 0 ? err : own_state_write(attach, t, XenbusStateConnected);
}

static int refresh_keys(struct attach *attach, xs_transaction_t t, void *arg)
{
    return read_connected(attach, t, arg);
}

int blk_store_connect(struct attach *attach, struct xenfront_blk_info *info)
{
    return attach_transact(attach, connect_keys, info);
}

int blk_store_refresh(struct attach *attach, struct xenfront_blk_info *info)
{
    return attach_transact(attach, refresh_keys, info);
}
