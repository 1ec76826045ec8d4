// SPDX-License-Identifier: MIT
/*
 * blk_link.c: see blk_link.h.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "frontend/blk_link.h"
#include "frontend/quiet.h"

/* A grant that fails is nearly always a limit: say which ones there are, and what to do. */
static int share_error(struct front_error *error, int err, uint32_t pages, uint32_t domid)
{
    if (err == -ENOSPC)
        return front_error_set(
            error, err,
            "cannot grant %" PRIu32 " pages to domain %" PRIu32 ": the limit of this domain is "
            "reached (gntalloc's `limit`, 1024 pages unless set, or its grant table): use fewer "
            "data pages or raise it",
            pages, domid);
    return front_error_set(error, err, "cannot grant %" PRIu32 " pages to domain %" PRIu32 ": %s", pages,
                           domid, strerror(-err));
}

int blk_link_init(struct blk_link *link, uint32_t domid, uint32_t data_pages, struct front_error *error)
{
    xenevtchn_port_or_error_t port;
    int err;

    memset(link, 0, sizeof(*link));
    link->domid = domid;
    link->shr = xengntshr_open(&quiet_logger, 0);
    if (!link->shr) {
        err =
            front_error_set(error, -errno, "cannot open gntalloc (module xen-gntalloc): %s", strerror(errno));
        goto fail;
    }
    link->evtchn = xenevtchn_open(&quiet_logger, 0);
    if (!link->evtchn) {
        err = front_error_set(error, -errno, "cannot open evtchn (module xen-evtchn): %s", strerror(errno));
        goto fail;
    }
    err = region_init(&link->ring, link->shr, domid, 1);
    if (err < 0) {
        share_error(error, err, 1, domid);
        goto fail;
    }
    err = pool_init(&link->pool, link->shr, domid, data_pages);
    if (err < 0) {
        share_error(error, err, data_pages, domid);
        goto fail;
    }
    port = xenevtchn_bind_unbound_port(link->evtchn, domid);
    if (port < 0) {
        err = front_error_set(error, -errno, "cannot get an event channel for domain %" PRIu32 ": %s", domid,
                              strerror(errno));
        goto fail;
    }
    link->port = (evtchn_port_t)port;
    link->is_bound = true;
    return 0;
fail:
    blk_link_fini(link);
    return err ? err : -EIO;
}

uint32_t blk_link_fini(struct blk_link *link)
{
    uint32_t quarantined;

    if (link->is_bound)
        xenevtchn_unbind(link->evtchn, link->port);
    if (link->evtchn)
        xenevtchn_close(link->evtchn);
    quarantined = pool_fini(&link->pool) + region_fini(&link->ring);
    if (link->shr)
        xengntshr_close(link->shr);
    memset(link, 0, sizeof(*link));
    return quarantined;
}
