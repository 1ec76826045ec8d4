// SPDX-License-Identifier: MIT
/*
 * device_kind.c: vbd, qdisk and vif. The order of the rows is the order in which xl writes the nodes.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "xenbox/cmd/device.h"
#include "xenbox/cmd/device_kind.h"
#include "xenbox/cmd/number.h"
#include "xenbox/cmd/vdev.h"

#define MAX_HANDLE 65535u /* of a vif */
#define DEFAULT_MTU "1500" /* which xl tells the guest, and not the backend */

static const struct device_value yes_no[] = {
    { "1", "1" }, { "0", "0" }, { "yes", "1" }, { "no", "0" }, { "on", "1" }, { "off", "0" }, { 0 },
};

static const struct device_value access_modes[] = {
    { "rw", "w" }, { "w", "w" }, { "ro", "r" }, { "r", "r" }, { 0 },
};

static const struct device_value disk_types[] = { { "disk", "disk" }, { "cdrom", "cdrom" }, { 0 } };

static const struct device_value raw_only[] = { { "raw", "raw" }, { 0 } };

static const struct device_value image_formats[] = {
    { "raw", "raw" }, { "qcow2", "qcow2" }, { "qcow", "qcow" }, { "qed", "qed" }, { "vhd", "vhd" }, { 0 },
};

static const struct device_value protocols[] = {
    { "x86_64-abi", "x86_64-abi" },
    { "x86_32-abi", "x86_32-abi" },
    { "arm-abi", "arm-abi" },
    { 0 },
};

/* What all block devices have, whoever serves them. */
#define DISK_KEYS                                                                                            \
    { "target", "params", NULL, NULL, true, "image or block device; goes to the node params as it is" },     \
        { "vdev", NULL, NULL, NULL, false, "the guest's name for it: xvda (default: the first free xvd)" },  \
        { "access", "mode", access_modes, "w", false, "rw or ro" },                                          \
        { "devtype", "device-type", disk_types, "disk", false, "disk or cdrom" },                            \
        { "discard", "discard-enable", yes_no, "1", false, "whether the guest may discard" },                \
        { "direct-io-safe", NULL, yes_no, NULL, false, "the guest promises that O_DIRECT is safe" },         \
        { "trusted", NULL, yes_no, "1", false, "whether the frontend may trust the backend" },               \
    {                                                                                                        \
        "protocol", NULL, protocols, "x86_64-abi", false, "layout of the ring: x86_64-abi or x86_32-abi"     \
    }

static const struct device_key vbd_keys[] = {
    DISK_KEYS,
    { "format", NULL, raw_only, "raw", false, "raw" },
    { "script", NULL, NULL, NULL, false, "hotplug script" },
    { 0 },
};

static const struct device_key qdisk_keys[] = {
    DISK_KEYS,
    { "format", NULL, image_formats, "raw", false, "raw, qcow2, ..." },
    { 0 },
};

static const struct device_node vbd_backend[] = {
    { "frontend", "$frontend" },
    { "params", "$target" },
    { "script", "$script" },
    { "frontend-id", "$domid" },
    { "online", "1" },
    { "removable", "$removable" },
    { "bootable", "1" },
    { "state", "1" },
    { "dev", "$vdev" },
    { "type", "phy" },
    { "mode", "$access" },
    { "device-type", "$devtype" },
    { "discard-enable", "$discard" },
    { "direct-io-safe", "$direct-io-safe" },
    { "specification", "xen" },
    { 0 },
};

static const struct device_node qdisk_backend[] = {
    { "frontend", "$frontend" },
    { "params", "$format:$target" },
    { "frontend-id", "$domid" },
    { "online", "1" },
    { "removable", "$removable" },
    { "bootable", "1" },
    { "state", "1" },
    { "dev", "$vdev" },
    { "type", "qdisk" },
    { "mode", "$access" },
    { "device-type", "$devtype" },
    { "discard-enable", "$discard" },
    { "direct-io-safe", "$direct-io-safe" },
    { "specification", "xen" },
    { 0 },
};

static const struct device_node disk_frontend[] = {
    { "backend", "$backend" },
    { "backend-id", "0" },
    { "state", "1" },
    { "virtual-device", "$devid" },
    { "device-type", "$devtype" },
    { "trusted", "$trusted" },
    { "protocol", "$protocol" },
    { 0 },
};

static const struct device_key vif_keys[] = {
    { "mac", NULL, NULL, NULL, false, "Ethernet address (default: a random one of Xen's 00:16:3e)" },
    { "bridge", NULL, NULL, "xenbr0", false, "what the script connects it to" },
    { "devid", "handle", NULL, NULL, false, "number of the device (default: the first free one)" },
    { "vifname", NULL, NULL, NULL, false, "name of the host's end" },
    { "ip", NULL, NULL, NULL, false, "addresses, for the script" },
    { "rate", NULL, NULL, NULL, false, "BYTES,MICROSECONDS" },
    { "mtu", NULL, NULL, NULL, false, "largest packet" },
    { "port", NULL, NULL, NULL, false, "where xensplitd sends the frames: tap:NAME, socket:PATH, null, generator" },
    { "trusted", NULL, yes_no, "1", false, "whether the frontend may trust the backend" },
    { "script", NULL, NULL, NULL, false, "hotplug script" },
    { 0 },
};

static const struct device_node vif_backend[] = {
    { "frontend", "$frontend" },
    { "frontend-id", "$domid" },
    { "online", "1" },
    { "state", "1" },
    { "script", "$script" },
    { "vifname", "$vifname" },
    { "mac", "$mac" },
    { "ip", "$ip" },
    { "rate", "$rate" },
    { "bridge", "$bridge" },
    { "handle", "$devid" },
    { "type", "vif" },
    { "mtu", "$mtu" },
    { "port", "$port" },
    { "hotplug-status", "" },
    { 0 },
};

static const struct device_node vif_frontend[] = {
    { "backend", "$backend" },
    { "backend-id", "0" },
    { "state", "1" },
    { "handle", "$devid" },
    { "mac", "$mac" },
    { "trusted", "$trusted" },
    { "mtu", "$guest-mtu", true },
    { 0 },
};

static int nth_disk(uint32_t n, char *text, size_t size)
{
    char name[VDEV_NAME_MAX];
    int error = vdev_name(n, name);

    return error ? error : snprintf(text, size, "%s", name) < (int)size ? 0 : -ERANGE;
}

static void derive_disk(struct device *device)
{
    bool is_cdrom = strcmp(device_setting(device, "devtype"), "cdrom") == 0;

    device_set(device, "removable", is_cdrom ? "1" : "0");
    if (is_cdrom)
        device_set(device, "access", "r");
}

static int parse_handle(const char *text, uint32_t *devid)
{
    unsigned long number;

    if (number_parse(text, MAX_HANDLE, &number) < 0)
        return -EINVAL;
    *devid = (uint32_t)number;
    return 0;
}

static int nth_handle(uint32_t n, char *text, size_t size)
{
    return n > MAX_HANDLE || snprintf(text, size, "%u", n) >= (int)size ? -ERANGE : 0;
}

static void derive_vif(struct device *device)
{
    unsigned char tail[3] = { 0 };
    char mac[18];

    device_set(device, "guest-mtu",
               device_setting(device, "mtu") ? device_setting(device, "mtu") : DEFAULT_MTU);
    if (device_setting(device, "mac"))
        return;
    if (getrandom(tail, sizeof(tail), 0) != sizeof(tail))
        tail[2] = (unsigned char)device->devid;
    snprintf(mac, sizeof(mac), "00:16:3e:%02x:%02x:%02x", tail[0] & 0x7f, tail[1], tail[2]);
    device_set(device, "mac", mac);
}

const struct device_kind device_kinds[] = {
    {
        .name = "vbd",
        .frontend = "vbd",
        .summary = "a disk",
        .server = "xensplitd",
        .keys = vbd_keys,
        .backend_nodes = vbd_backend,
        .frontend_nodes = disk_frontend,
        .name_key = "vdev",
        .parse_name = vdev_parse,
        .nth_name = nth_disk,
        .derive = derive_disk,
        .script_add = { "add" },
        .script_remove = { "remove" },
    },
    {
        .name = "qdisk",
        .frontend = "vbd",
        .summary = "a disk that QEMU serves",
        .server = "QEMU",
        .keys = qdisk_keys,
        .backend_nodes = qdisk_backend,
        .frontend_nodes = disk_frontend,
        .name_key = "vdev",
        .parse_name = vdev_parse,
        .nth_name = nth_disk,
        .derive = derive_disk,
    },
    {
        .name = "vif",
        .frontend = "vif",
        .summary = "a network interface",
        .server = "xensplitd",
        .keys = vif_keys,
        .backend_nodes = vif_backend,
        .frontend_nodes = vif_frontend,
        .name_key = "devid",
        .parse_name = parse_handle,
        .nth_name = nth_handle,
        .derive = derive_vif,
        .script_add = { "online", "type_if=vif" },
        .script_remove = { "offline", "type_if=vif" },
        .script_variable = "vif=vif$domid.$devid",
        .has_hotplug_status = true,
    },
    { 0 },
};

const struct device_kind *device_kind_find(const char *name)
{
    for (const struct device_kind *kind = device_kinds; kind->name; kind++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}
