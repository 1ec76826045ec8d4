// SPDX-License-Identifier: MIT
/*
 * device_table.c: chains in a fixed number of buckets; with a thousand devices a chain has four.
 */
#include <config.h>

#include "backend/device.h"
#include "backend/device_table.h"

#define BUCKET_COUNT 256u

static struct device *buckets[BUCKET_COUNT];
static size_t device_count;

static struct device **find_bucket(uint16_t domid, uint32_t devid)
{
    /* Devids of disks are multiples of 16 or 256: their high bits must count, too. */
    uint32_t hash = (devid * 31u + domid) * 2654435761u;

    return &buckets[hash >> 24];
}

struct device *device_table_find(const struct device_family_ops *family, uint16_t domid, uint32_t devid)
{
    struct device *device = *find_bucket(domid, devid);

    while (device && (device->family != family || device->domid != domid || device->devid != devid))
        device = device->next;
    return device;
}

void device_table_add(struct device *device)
{
    struct device **bucket = find_bucket(device->domid, device->devid);

    device->next = *bucket;
    *bucket = device;
    device_count++;
}

void device_table_remove(struct device *device)
{
    struct device **at = find_bucket(device->domid, device->devid);

    while (*at && *at != device)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = device->next;
    device_count--;
}

size_t device_table_count(void)
{
    return device_count;
}

void device_table_each(void (*visit)(struct device *device, void *arg), void *arg)
{
    for (unsigned int i = 0; i < BUCKET_COUNT; i++) {
        struct device *next;
        for (struct device *device = buckets[i]; device; device = next) {
            next = device->next;
            visit(device, arg);
        }
    }
}
