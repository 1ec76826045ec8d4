// SPDX-License-Identifier: MIT
/*
 * event_channel.h: the ports of all domains, as EVTCHNOP_* does it.
 *
 * Functions return a port or 0, or a negative errno as Xen would: -ENOSPC no port left, -ESRCH no such
 * domain, -EINVAL no such port or not in the state that the call needs, -EEXIST virq already bound. `sink` is
 * the handle that will listen; 0: nobody yet, the port belongs to the domain's kernel, outlives its listeners
 * and can be adopted by one after the other.
 */
#ifndef XENBOX_HV_EVENT_CHANNEL_H
#define XENBOX_HV_EVENT_CHANNEL_H

#include "xenbox/hv/box.h"

int port_alloc_unbound(struct box *box, uint16_t domid, uint16_t remote_domid, uint32_t sink);
int port_bind_interdomain(struct box *box, uint16_t domid, uint16_t remote_domid, uint32_t remote_port,
                          uint32_t sink);
int port_bind_virq(struct box *box, uint16_t domid, uint32_t virq, uint32_t sink);

/* `sink` listens to a kernel's port; what is pending is delivered. -EBUSY: it has a listener. */
int port_adopt(struct box *box, uint16_t domid, uint32_t port, uint32_t sink);

/* Frees the port; its peer is unbound again, waiting for `domid`. */
int port_close(struct box *box, uint16_t domid, uint32_t port);

/* Closes (or gives back to its kernel) each port that `sink` listens to. */
void port_close_all(struct box *box, uint16_t domid, uint32_t sink);

/* Sends an event through the port; nothing happens on one that is not connected. */
int port_send(struct box *box, uint16_t domid, uint32_t port);

/* Writes a port again to the listener that has it masked: its notifier died and may not have come to it. */
void port_redeliver(struct box *box, uint16_t domid, uint32_t port);

/* The end of all ports of a domain that is being destroyed, whatever has been written over them. */
void port_forget_all(struct box *box, uint16_t domid);

/* Keeps a port open past its listener, for an unmap notification; the last release sends the event. */
int port_hold(struct box *box, uint16_t domid, uint32_t port);
void port_unhold(struct box *box, uint16_t domid, uint32_t port);

/* Raises a global virq, in domain 0. */
void virq_raise(struct box *box, uint32_t virq);

#endif
