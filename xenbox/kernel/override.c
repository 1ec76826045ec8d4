// SPDX-License-Identifier: MIT
/* override.c: see override.h. */
#include <config.h>

#include <pthread.h>
#include <stddef.h>

#include "xenbox/kernel/override.h"

#define BUCKETS 4096u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct override *buckets[BUCKETS];

static struct override **bucket_of(uint32_t frame)
{
    return &buckets[(frame * 2654435761u) >> 20];
}

void override_add(struct override *override)
{
    struct override **bucket = bucket_of(override->frame);

    pthread_mutex_lock(&lock);
    override->next = *bucket;
    *bucket = override;
    pthread_mutex_unlock(&lock);
}

void override_remove(struct override *override)
{
    struct override **at = bucket_of(override->frame);

    pthread_mutex_lock(&lock);
    while (*at && *at != override)
        at = &(*at)->next;
    if (*at)
        *at = override->next;
    pthread_mutex_unlock(&lock);
}

bool override_find(const void *tables, uint32_t frame, uintptr_t address, uint32_t *page)
{
    struct override *override;

    pthread_mutex_lock(&lock);
    for (override = *bucket_of(frame); override; override = override->next) {
        if (override->frame == frame && override->tables == tables &&
            (!address || override->address == address))
            break;
    }
    if (override)
        *page = override->page;
    pthread_mutex_unlock(&lock);
    return override != NULL;
}
