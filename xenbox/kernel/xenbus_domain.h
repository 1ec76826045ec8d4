// SPDX-License-Identifier: MIT
/*
 * xenbus_domain.h: the xenstore connection of one guest domain: its ring and event channel on one side, a
 * listening socket with any number of clients on the other. Runs on the caller's event loop, on its thread.
 */
#ifndef XENBOX_KERNEL_XENBUS_DOMAIN_H
#define XENBOX_KERNEL_XENBUS_DOMAIN_H

#include <stdint.h>

struct client;
struct event_base;
struct xenbus_domain;

/* The domain is gone or its ring is broken: the callback frees it, with xenbus_domain_free(). */
typedef void (*xenbus_domain_gone_fn)(struct xenbus_domain *domain, void *opaque);

/*
 * Takes over the domain's store port and listens on the socket named after its domid in the current
 * directory; the name appears when clients can connect. `hv` is a connection to the box. Returns 0 or a
 * negative errno, and then logged why.
 */
int xenbus_domain_new(struct xenbus_domain **result, struct event_base *base, struct client *hv,
                      uint16_t domid, xenbus_domain_gone_fn gone, void *opaque);

uint16_t xenbus_domain_domid(const struct xenbus_domain *domain);

/* Its clients read end of file, its socket goes. NULL is fine. */
void xenbus_domain_free(struct xenbus_domain *domain);

#endif
