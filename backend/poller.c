// SPDX-License-Identifier: MIT
/*
 * poller.c: see poller.h. The next turn is a timer that is due at once: libevent looks at all descriptors before.
 */
#include <config.h>

#include "backend/poller.h"

#include <stdint.h>
#include <time.h>
#include <event2/event.h>

#include "common/barrier.h"

#define SLICE_NS 20000u /* of looking, between two turns of the loop */
#define LOOKS 16 /* at all entries that find nothing, for each look at the clock */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Whether there was work. */
static bool look_at_all(struct poller *poller)
{
    bool is_busy = false;

    for (struct poller_entry *entry = poller->first, *next; entry; entry = next) {
        next = entry->next;
        is_busy |= entry->look(entry);
    }
    cpu_relax();
    return is_busy;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval at_once;
    struct poller *poller = arg;
    uint64_t end = now_ns() + SLICE_NS;

    while (poller->first && now_ns() < end)
        for (unsigned int i = 0; i < LOOKS && !look_at_all(poller); i++)
            ;
    if (poller->first)
        event_add(&poller->turn, &at_once);
}

void poller_add(struct poller *poller, struct event_base *base, struct poller_entry *entry)
{
    static const struct timeval at_once;

    if (entry->is_in)
        return;
    if (!event_initialized(&poller->turn))
        event_assign(&poller->turn, base, -1, 0, on_turn, poller);
    entry->is_in = true;
    entry->next = poller->first;
    poller->first = entry;
    event_add(&poller->turn, &at_once);
}

void poller_remove(struct poller *poller, struct poller_entry *entry)
{
    struct poller_entry **link = &poller->first;

    if (!entry->is_in)
        return;
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    entry->is_in = false;
    if (!poller->first)
        event_del(&poller->turn);
}
