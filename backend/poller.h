// SPDX-License-Identifier: MIT
/*
 * poller.h: queues that are looked at all the time instead of being told: their guests never have to notify, and the
 * worker never sleeps. The loop goes on as well: after a slice of looking it takes events, letters and timers. One that
 * always has work gets a pass a turn of the loop, as one that is told gets for its events, and not all that fit between
 * two looks at the clock.
 *
 * Worker's thread only. Zeroed is ready; nothing is allocated.
 */
#ifndef XENSPLIT_BACKEND_POLLER_H
#define XENSPLIT_BACKEND_POLLER_H

#include <stdbool.h>
#include <event2/event_struct.h>

struct poller_entry {
    struct poller_entry *next;
    bool (*look)(struct poller_entry *entry); /* true: there was work. May remove this entry, and no other */
    bool is_in;
};

struct poller {
    struct event turn;
    struct poller_entry *first;
};

/* base: of the worker whose poller it is. Safe when it is in. */
void poller_add(struct poller *poller, struct event_base *base, struct poller_entry *entry);
/* Safe when it is not in. */
void poller_remove(struct poller *poller, struct poller_entry *entry);

#endif
