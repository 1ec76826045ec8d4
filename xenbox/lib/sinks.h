// SPDX-License-Identifier: MIT
/*
 * sinks.h: write ends of the pipes of other evtchn handles, as a notifier has them.
 *
 * Ids of handles are never used again, so an entry cannot go wrong, only stale; it is dropped when a write
 * shows it. One cache a handle, guarded by the handle's lock.
 */
#ifndef XENBOX_LIB_SINKS_H
#define XENBOX_LIB_SINKS_H

#include "xenbox/lib/client.h"

struct sinks {
    struct sinks_entry {
        uint32_t id; /* 0: free */
        int fd;
    } * entry; /* open addressing, at most half full */
    uint32_t size, used;
};

/* The write end of that handle. -ESRCH: the handle is gone. */
int sinks_get(struct sinks *sinks, struct client *client, uint32_t id);
void sinks_fini(struct sinks *sinks);

/*
 * Makes the handle's descriptor readable with `port`, and raises no SIGPIPE when nobody can read it any more.
 */
int sinks_write(struct sinks *sinks, uint32_t id, uint32_t port);

#endif
