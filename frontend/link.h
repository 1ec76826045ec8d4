// SPDX-License-Identifier: MIT
/*
 * link.h: what a connection has from the hypervisor: the pages of its rings and of its data, granted to the
 * backend's domain, and event channel ports that it may bind to. One thread.
 */
#ifndef XENSPLIT_FRONTEND_LINK_H
#define XENSPLIT_FRONTEND_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "frontend/error.h"
#include "frontend/pool.h"

#define LINK_PORTS 2 /* at most: a network device has one for each direction */

struct link_port {
    evtchn_port_t port;
    bool is_masked; /* an event was taken and not unmasked yet */
};

struct link {
    uint32_t domid; /* of the backend */
    xengntshr_handle *shr;
    xenevtchn_handle *evtchn;
    struct link_port port[LINK_PORTS];
    uint32_t ports;
    struct region rings; /* a page each */
    struct pool pool;
};

/* 0, or a negative errno with the sentence in error. */
int link_init(struct link *link, uint32_t domid, uint32_t rings, uint32_t ports, uint32_t data_pages,
              struct front_error *error);
/* More pages for the same backend; the caller ends the region before the link. */
int link_region(struct link *link, struct region *region, uint32_t pages, struct front_error *error);
/* Takes everything back. Returns the number of pages that had to be quarantined. Safe twice and on zeroes. */
uint32_t link_fini(struct link *link);

void link_notify(struct link *link, uint32_t port); /* by its index */
/* Takes one event that waits; its port stays masked. False: there was none. */
bool link_take(struct link *link);
bool link_is_masked(const struct link *link);
void link_unmask(struct link *link);

#endif
