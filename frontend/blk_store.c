// SPDX-License-Identifier: MIT
/*
 * blk_store.c: see blk_store.h. Keys and defaults are those of <xen/io/blkif.h>.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#include "common/barrier.h"
#include <xen/io/blkif.h>
#include <xen/io/protocols.h>

#include "frontend/blk_store.h"
#include "frontend/keys.h"
#include "frontend/pool.h"

#define MAX_SECTORS (UINT64_MAX / 2 / XENFRONT_SECTOR_SIZE)

/* Into struct xenfront_blk_info. */
static const struct number_key number_keys[] = {
    { "sectors", offsetof(struct xenfront_blk_info, sectors), 0, MAX_SECTORS, 0, true, true },
    { "sector-size", offsetof(struct xenfront_blk_info, sector_size), 512, GRANT_SIZE, 512, false, false },
    { "physical-sector-size", offsetof(struct xenfront_blk_info, physical_sector_size), 512, 1u << 30, 0,
      false, false },
    { "discard-granularity", offsetof(struct xenfront_blk_info, discard_granularity), 0, UINT32_MAX, 0, false,
      false },
    { "discard-alignment", offsetof(struct xenfront_blk_info, discard_alignment), 0, UINT32_MAX, 0, false,
      false },
    { "max-ring-page-order", offsetof(struct xenfront_blk_info, max_ring_page_order), 0, 31, 0, false,
      false },
    { "multi-queue-max-queues", offsetof(struct xenfront_blk_info, max_queues), 0, UINT32_MAX, 1, false,
      false },
    { "feature-max-indirect-segments", offsetof(struct xenfront_blk_info, max_indirect_segments), 0,
      UINT32_MAX, 0, false, false },
};

static const struct flag_key flag_keys[] = {
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
    if (!info->discard_granularity)
        info->discard_granularity = unit;
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
    struct key_list present;
    uint32_t bits = 0;
    int err;

    keys_list(&present, attach, t);
    err = keys_numbers(attach, t, &present, number_keys, COUNT(number_keys), info);
    if (err == 0)
        err = keys_flags(attach, t, &present, flag_keys, COUNT(flag_keys), info);
    keys_list_free(&present);
    if (err < 0)
        return err;
    err = xenbus_read_u32(attach->xs, t, attach->backend, "info", 0, UINT32_MAX, &bits);
    if (err < 0 && err != -ENOENT)
        return keys_error(attach, t, err, "info", "a number of flags");
    for (size_t i = 0; i < COUNT(info_bits); i++)
        *(bool *)((char *)info + info_bits[i].offset) = (bits & info_bits[i].bit) != 0;
    return geometry_check(attach, info);
}

static int publish(struct attach *attach, xs_transaction_t t, void *arg)
{
    const struct blk_transport *transport = arg;
    int err = keys_publish(attach, t, XenbusStateInitialised);

    if (err < 0)
        return err;
    err = keys_own_remove(attach, t, stale_keys, COUNT(stale_keys));
    if (err < 0)
        return err;
    err = keys_own_number(attach, t, "ring-ref", transport->ring_ref);
    if (err < 0)
        return err;
    err = keys_own_number(attach, t, "event-channel", transport->event_channel);
    if (err < 0)
        return err;
    err = keys_own_number(attach, t, "feature-persistent", transport->is_persistent);
    if (err < 0)
        return err;
    return keys_own_text(attach, t, "protocol", XEN_IO_PROTO_ABI_NATIVE);
}

int blk_store_publish(struct attach *attach, const struct blk_transport *transport)
{
    return attach_transact(attach, publish, (void *)transport);
}

static int read_connected(struct attach *attach, xs_transaction_t t, struct xenfront_blk_info *info)
{
    int err = keys_connected(attach, t);

    return err < 0 ? err : backend_read(attach, t, info);
}

static int connect_keys(struct attach *attach, xs_transaction_t t, void *arg)
{
    int err = read_connected(attach, t, arg);

    return err < 0 ? err : keys_own_state(attach, t, XenbusStateConnected);
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
