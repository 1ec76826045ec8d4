// SPDX-License-Identifier: MIT
/*
 * slot.c: a list. Slots are looked for when a device is set up from nothing and when a domain ends, which costs far
 * more than the walk.
 */
#include <config.h>

#include "backend/slot.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "backend/device.h"
#include "backend/domain.h"

struct slot {
    LIST_ENTRY(slot) link;
    const struct device_family_ops *family;
    slot_destroy_fn *destroy;
    size_t bytes;
    uint32_t devid;
    uint16_t domid;
    uint8_t generation[DOMAIN_HANDLE_BYTES];
    bool is_taken;
    _Alignas(max_align_t) unsigned char memory[];
};

static LIST_HEAD(slot_list, slot) slots = LIST_HEAD_INITIALIZER(slots);
static size_t slot_count;

static struct slot *slot_of(void *memory)
{
    return (struct slot *)((unsigned char *)memory - offsetof(struct slot, memory));
}

static void slot_free(struct slot *slot)
{
    LIST_REMOVE(slot, link);
    slot_count--;
    slot->destroy(slot->memory);
    free(slot);
}

/* Where nobody says which domains live nobody will say that this one has ended: it is not kept for it. */
static bool is_orphan(const struct slot *slot)
{
    uint8_t handle[DOMAIN_HANDLE_BYTES];

    return domain_query(slot->domid, handle) < 0 || memcmp(handle, slot->generation, sizeof(handle)) != 0;
}

static bool belongs_to(const struct slot *slot, const struct device *device, size_t bytes)
{
    return !slot->is_taken && slot->family == device->family && slot->domid == device->domid &&
           slot->devid == device->devid && slot->bytes == bytes &&
           memcmp(slot->generation, device->generation, sizeof(slot->generation)) == 0;
}

void *slot_take(const struct device *device, size_t bytes, slot_destroy_fn *destroy)
{
    struct slot *slot;

    LIST_FOREACH (slot, &slots, link)
        if (belongs_to(slot, device, bytes))
            break;
    if (!slot) {
        slot = calloc(1, sizeof(*slot) + bytes);
        if (!slot)
            return NULL;
        slot->family = device->family;
        slot->domid = device->domid;
        slot->devid = device->devid;
        memcpy(slot->generation, device->generation, sizeof(slot->generation));
        slot->bytes = bytes;
        slot->destroy = destroy;
        LIST_INSERT_HEAD(&slots, slot, link);
        slot_count++;
    }
    slot->is_taken = true;
    return slot->memory;
}

void slot_release(void *memory)
{
    struct slot *slot;

    if (!memory)
        return;
    slot = slot_of(memory);
    slot->is_taken = false;
    if (is_orphan(slot))
        slot_free(slot);
}

void slots_check(void)
{
    struct slot *slot, *next;

    for (slot = LIST_FIRST(&slots); slot; slot = next) {
        next = LIST_NEXT(slot, link);
        if (!slot->is_taken && is_orphan(slot))
            slot_free(slot);
    }
}

void slots_stop(void)
{
    while (!LIST_EMPTY(&slots))
        slot_free(LIST_FIRST(&slots));
}

size_t slots_count(void)
{
    return slot_count;
}
