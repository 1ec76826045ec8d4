// SPDX-License-Identifier: MIT
/*
 * channel.h: the table of event channels. Ports are small integers, unique in a domain: one global array maps a
 * port to its channel and the worker that owns it. A worker that takes an event of its own calls the handler; an
 * event that arrives at another worker than the owner (during a move) is forwarded to the owner's mailbox; one
 * for a port that is gone is dropped.
 *
 * The entries of the array are never freed, and a channel is touched by its owner alone, so that no thread ever
 * has to wait until another has stopped looking at a channel.
 *
 * An event may be spurious: a handler looks at its ring and finds nothing. Unmask only when there is no work
 * left (channel_unmask): back-pressure and storm immunity for free.
 */
#ifndef XENSPLIT_BACKEND_CHANNEL_H
#define XENSPLIT_BACKEND_CHANNEL_H

#include <stdint.h>
#include <xenevtchn.h>

struct worker;
struct channel;
typedef void channel_fn(struct channel *channel);

struct channel {
    struct worker *owner; /* NULL: not bound */
    evtchn_port_t port; /* local */
    channel_fn *on_event; /* owner's thread */
};

/*
 * Owner's thread. Binds to the frontend's port and publishes; the first event comes by itself, since a new
 * binding is pending. -errno: nothing is bound.
 */
int channel_bind(struct channel *channel, struct worker *owner, uint32_t domid, evtchn_port_t remote,
                 channel_fn *on_event);
/* Owner's thread. No handler runs after it; safe on a channel that is zeroed or not bound. */
void channel_unbind(struct channel *channel);
/* Owner's thread. */
void channel_notify(struct channel *channel);
void channel_unmask(struct channel *channel);

/* Owner's thread: worker.c's event_base says that the evtchn descriptor is readable. Takes a bounded number. */
void channel_dispatch(struct worker *worker);

#endif
