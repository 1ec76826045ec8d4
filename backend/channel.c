// SPDX-License-Identifier: MIT
/*
 * channel.c: the table. An entry belongs to a port for ever; what changes is its owner. The channel pointer in it
 * is read and written by the owner alone, and what other threads touch (owner, letter) lives in the table.
 */
#include <config.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "backend/channel.h"
#include "backend/mailbox.h"
#include "backend/worker.h"

/* A domain has at most this many ports (FIFO event channels: EVTCHN_FIFO_NR_CHANNELS). */
#define PORT_COUNT (1u << 17)
/* Events taken in one go, so that a storm on one port leaves the loop its other descriptors. */
#define DISPATCH_MAX 64

struct entry {
    _Atomic(struct worker *) owner; /* NULL: nobody's */
    _Atomic(struct channel *)
        channel; /* of and for the owner: atomic since a port changes hands in the kernel */
    struct letter stray; /* an event that another worker took, on its way to the owner */
    atomic_bool is_stray_posted;
};

/* Zero pages until a port is used: 5 MiB of addresses, a few pages of memory. */
static struct entry table[PORT_COUNT];

static void entry_forward(struct entry *entry, struct worker *owner);

/* Owner's thread. */
static void entry_fire(struct entry *entry)
{
    struct channel *channel = atomic_load_explicit(&entry->channel, memory_order_relaxed);

    channel->on_event(channel);
}

static void stray_deliver(struct letter *letter)
{
    struct entry *entry = (struct entry *)((char *)letter - offsetof(struct entry, stray));
    struct worker *owner = atomic_load_explicit(&entry->owner, memory_order_acquire);

    atomic_store_explicit(&entry->is_stray_posted, false, memory_order_release);
    if (!owner)
        return;
    if (owner == worker_current())
        entry_fire(entry);
    else
        entry_forward(entry, owner);
}

/* One letter on its way is enough: the handler looks at the ring, not at the number of events. */
static void entry_forward(struct entry *entry, struct worker *owner)
{
    if (atomic_exchange_explicit(&entry->is_stray_posted, true, memory_order_acq_rel))
        return;
    entry->stray.deliver = stray_deliver;
    mailbox_post(&owner->mailbox, &entry->stray);
}

int channel_bind(struct channel *channel, struct worker *owner, uint32_t domid, evtchn_port_t remote,
                 channel_fn *on_event)
{
    xenevtchn_port_or_error_t port = xenevtchn_bind_interdomain(owner->evtchn, domid, remote);

    if (port < 0)
        return errno ? -errno : -EINVAL;
    if ((unsigned int)port >= PORT_COUNT) {
        xenevtchn_unbind(owner->evtchn, port);
        return -ERANGE;
    }
    channel->owner = owner;
    channel->port = port;
    channel->on_event = on_event;
    owner->channels++;
    atomic_store_explicit(&table[port].channel, channel, memory_order_relaxed);
    atomic_store_explicit(&table[port].owner, owner, memory_order_release);
    return 0;
}

void channel_unbind(struct channel *channel)
{
    if (!channel->owner)
        return;
    /* The table first: once it is unbound the port may be anybody's. */
    atomic_store_explicit(&table[channel->port].owner, NULL, memory_order_release);
    atomic_store_explicit(&table[channel->port].channel, NULL, memory_order_relaxed);
    xenevtchn_unbind(channel->owner->evtchn, channel->port);
    channel->owner->channels--;
    channel->owner = NULL;
}

void channel_notify(struct channel *channel)
{
    xenevtchn_notify(channel->owner->evtchn, channel->port);
}

void channel_unmask(struct channel *channel)
{
    xenevtchn_unmask(channel->owner->evtchn, channel->port);
}

void channel_dispatch(struct worker *worker)
{
    unsigned int i = 0;

    /* A port is masked when it is read, so that looking for more events than there are ports finds nothing. */
    do {
        xenevtchn_port_or_error_t port = xenevtchn_pending(worker->evtchn);
        if (port < 0 || (unsigned int)port >= PORT_COUNT)
            return;
        struct worker *owner = atomic_load_explicit(&table[port].owner, memory_order_acquire);
        if (owner == worker)
            entry_fire(&table[port]);
        else if (owner)
            entry_forward(&table[port], owner);
    } while (++i < DISPATCH_MAX && i < worker->channels);
}
