// SPDX-License-Identifier: MIT
/*
 * blk_link.h: what a connection has from the hypervisor: the ring's page and the data pages, granted to the
 * backend's domain, and an event channel port that it may bind to. One thread.
 */
#ifndef XENSPLIT_FRONTEND_BLK_LINK_H
#define XENSPLIT_FRONTEND_BLK_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "frontend/error.h"
#include "frontend/pool.h"

struct blk_link {
    uint32_t domid; /* of the backend */
    xengntshr_handle *shr;
    xenevtchn_handle *evtchn;
    evtchn_port_t port;
    bool is_bound;
    struct region ring;
    struct pool pool;
};

/* 0, or a negative errno with the sentence in error. */
int blk_link_init(struct blk_link *link, uint32_t domid, uint32_t data_pages, struct front_error *error);
/* Takes everything back. Returns the number of pages that had to be quarantined. Safe twice and on zeroes. */
uint32_t blk_link_fini(struct blk_link *link);

#endif
