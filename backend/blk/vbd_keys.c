// SPDX-License-Identifier: MIT
/*
 * vbd_keys.c: the nodes of a block device. The toolstack's are taken as libxl writes them; the frontend's are
 * read strictly, since whoever wrote them may be hostile; a feature that is not implemented has no node.
 */
#include <config.h>

#include "backend/blk/vbd_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/event_channel.h>

#include "backend/config.h"
#include "backend/daemon.h"
#include "backend/data_method.h"
#include "backend/device_keys.h"
#include "common/blkif_request.h"

#define PERSISTENT_KEY "feature-persistent" /* both ends have it */

int vbd_keys_read_toolstack(const struct device *device, struct vbd_toolstack_keys *keys, char *reason,
                            size_t reason_size)
{
    char mode[8] = "", type[16] = "";
    uint32_t discard = 1; /* unless it is said otherwise */
    int ret;

    memset(keys, 0, sizeof(*keys));
    ret = xenbus_read_string(daemon_xs(), XBT_NULL, device->path, "mode", mode, sizeof(mode));
    if (ret || (strcmp(mode, "r") != 0 && strcmp(mode, "w") != 0))
        return device_keys_fail_value(ret ? ret : -EINVAL, device->path, "mode", "r or w", reason,
                                      reason_size);
    keys->is_readonly = mode[0] == 'r';
    ret = xenbus_read_string(daemon_xs(), XBT_NULL, device->path, "device-type", type, sizeof(type));
    if (ret && ret != -ENOENT)
        return device_keys_fail_value(ret, device->path, "device-type", "disk or cdrom", reason, reason_size);
    keys->is_cdrom = strcmp(type, "cdrom") == 0;
    ret = xenbus_read_bool(daemon_xs(), XBT_NULL, device->path, "removable", &keys->is_removable);
    if (ret)
        return device_keys_fail_value(ret, device->path, "removable", "0 or 1", reason, reason_size);
    ret = xenbus_read_u32(daemon_xs(), XBT_NULL, device->path, "discard-enable", 0, 1, &discard);
    if (ret && ret != -ENOENT)
        return device_keys_fail_value(ret, device->path, "discard-enable", "0 or 1", reason, reason_size);
    keys->is_discard_enabled = discard;
    keys->params = xenbus_read(daemon_xs(), XBT_NULL, device->path, "params");
    if (!keys->params || !*keys->params) {
        ret = keys->params ? -EINVAL : -errno;
        free(keys->params);
        keys->params = NULL;
        return device_keys_fail_value(ret, device->path, "params", "the disk's path", reason, reason_size);
    }
    return 0;
}

int vbd_keys_read_frontend(const struct device *device, struct vbd_frontend_keys *keys, char *reason,
                           size_t reason_size)
{
    const char *dir = device->frontend_path;
    uint32_t one;
    /* Those with a default may be absent, and then only the default is offered. */
    const struct device_number numbers[] = {
        { "ring-page-order", &one, 0, 0, true, "0, since one page is offered" },
        { "num-ring-pages", &one, 1, 1, true, "1, since one page is offered" },
        { "multi-queue-num-queues", &one, 1, 1, true, "1, since one queue is offered" },
        { "ring-ref", &keys->ring_ref, 1, UINT32_MAX, false, "a grant reference that is not 0" },
        { "event-channel", &keys->event_channel, 1, EVTCHN_FIFO_NR_CHANNELS - 1, false,
          "a port from 1 to 131071" },
    };
    char protocol[32];
    int ret;

    ret = device_keys_read_numbers(dir, numbers, sizeof(numbers) / sizeof(numbers[0]), reason, reason_size);
    if (ret)
        return ret;
    ret = xenbus_read_string(daemon_xs(), XBT_NULL, dir, "protocol", protocol, sizeof(protocol));
    if (ret == 0 || ret == -ENOENT)
        ret = blkif_abi_parse(ret ? NULL : protocol, &keys->abi);
    if (ret)
        return device_keys_fail_value(ret, dir, "protocol",
                                      XEN_IO_PROTO_ABI_X86_64 " or " XEN_IO_PROTO_ABI_X86_32, reason,
                                      reason_size);
    ret = xenbus_read_bool(daemon_xs(), XBT_NULL, dir, PERSISTENT_KEY, &keys->is_persistent);
    if (ret)
        return device_keys_fail_value(ret, dir, PERSISTENT_KEY, "0 or 1", reason, reason_size);
    if (!device->is_adopting) { /* we have written it */
        keys->is_persistent_offered = data_method_offers(config_get()->data_method);
        return 0;
    }
    ret = xenbus_read_bool(daemon_xs(), XBT_NULL, device->path, PERSISTENT_KEY, &keys->is_persistent_offered);
    if (ret)
        return device_keys_fail_value(ret, device->path, PERSISTENT_KEY, "0 or 1", reason, reason_size);
    return 0;
}

bool vbd_keys_offer_discard(const struct vbd_toolstack_keys *keys, const struct disk_geometry *geometry)
{
    return keys->is_discard_enabled && geometry->can_discard;
}

/* The size as well: a frontend looks at it only when we are connected, and then nothing is left to be written. */
int vbd_keys_publish(const struct device *device, const struct vbd_toolstack_keys *keys,
                     const struct disk_geometry *geometry, char *reason, size_t reason_size)
{
    const bool can_discard = vbd_keys_offer_discard(keys, geometry);
    const unsigned int info = (keys->is_cdrom ? VDISK_CDROM : 0) |
                              (keys->is_removable ? VDISK_REMOVABLE : 0) |
                              (geometry->is_readonly ? VDISK_READONLY : 0);
    const struct device_node nodes[] = {
        { "feature-max-indirect-segments", BLKIF_SEGMENTS_MAX },
        { PERSISTENT_KEY, data_method_offers(config_get()->data_method) },
        { "sectors", geometry->size_bytes / 512 }, /* of 512 bytes, whatever sector-size says */
        { "sector-size", geometry->sector_bytes },
        { "physical-sector-size", geometry->physical_sector_bytes },
        { "info", info },
        { "feature-flush-cache", geometry->can_flush },
        { "feature-discard", can_discard },
        { "discard-granularity", geometry->discard_granularity_bytes }, /* these two only where it can */
        { "discard-alignment", geometry->discard_alignment_bytes },
    };
    const size_t count = sizeof(nodes) / sizeof(nodes[0]);

    return device_keys_publish(device, nodes, can_discard ? count : count - 2, "features and size", reason,
                               reason_size);
}
