// SPDX-License-Identifier: MIT
/*
 * channel.h: the table of event channels. Ports are small integers, unique in a domain: one global array maps a
 * port to its channel. A worker that takes an event looks the port up and calls the owner's handler; an event
 * that arrives at another worker than the owner is forwarded to the owner's mailbox; one for a port that is gone
 * finds NULL and is dropped.
 *
 * Unmask only when there is no work left (channel_unmask): back-pressure and storm immunity for free.
 */
#ifndef XENSPLIT_BACKEND_CHANNEL_H
#define XENSPLIT_BACKEND_CHANNEL_H

#include <stdint.h>
#include <xenevtchn.h>

#include "backend/mailbox.h"

struct worker;
struct channel;
typedef void channel_fn(struct channel *channel);

struct channel {
    struct worker *owner;
    evtchn_port_t port; /* local */
    channel_fn *on_event; /* owner's thread */
    struct letter stray; /* an event that another worker took, on its way to the owner */
    _Atomic unsigned int is_stray_posted;
};

/* Owner's thread. Binds to the frontend's port and publishes; -errno: nothing is bound. */
int channel_bind(struct channel *channel, struct worker *owner, uint32_t domid, evtchn_port_t remote,
                 channel_fn *on_event);
/* Owner's thread. No handler runs after it; safe on a channel that was never bound. */
void channel_unbind(struct channel *channel);
void channel_notify(struct channel *channel);
void channel_unmask(struct channel *channel);

/* Worker: the evtchn descriptor is readable. Takes a bounded number of events. */
void channel_dispatch(struct worker *worker);

#endif
