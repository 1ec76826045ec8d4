// SPDX-License-Identifier: MIT
/*
 * link.c: see link.h.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "frontend/link.h"
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

int link_region(struct link *link, struct region *region, uint32_t pages, struct front_error *error)
{
    int err = region_init(region, link->shr, link->domid, pages);

    return err < 0 ? share_error(error, err, pages, link->domid) : 0;
}

static int ports_bind(struct link *link, uint32_t ports, struct front_error *error)
{
    while (link->ports < ports) {
        xenevtchn_port_or_error_t port = xenevtchn_bind_unbound_port(link->evtchn, link->domid);

        if (port < 0)
            return front_error_set(error, -errno, "cannot get an event channel for domain %" PRIu32 ": %s",
                                   link->domid, strerror(errno));
        link->port[link->ports++] = (struct link_port){ .port = (evtchn_port_t)port };
    }
    return 0;
}

int link_init(struct link *link, uint32_t domid, uint32_t rings, uint32_t ports, uint32_t data_pages,
              struct front_error *error)
{
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
    err = link_region(link, &link->rings, rings, error);
    if (err < 0)
        goto fail;
    err = pool_init(&link->pool, link->shr, domid, data_pages);
    if (err < 0) {
        share_error(error, err, data_pages, domid);
        goto fail;
    }
    err = ports_bind(link, ports, error);
    if (err < 0)
        goto fail;
    return 0;
fail:
    link_fini(link);
    return err ? err : -EIO;
}

uint32_t link_fini(struct link *link)
{
    uint32_t quarantined;

    while (link->ports)
        xenevtchn_unbind(link->evtchn, link->port[--link->ports].port);
    if (link->evtchn)
        xenevtchn_close(link->evtchn);
    quarantined = pool_fini(&link->pool) + region_fini(&link->rings);
    if (link->shr)
        xengntshr_close(link->shr);
    memset(link, 0, sizeof(*link));
    return quarantined;
}

void link_notify(struct link *link, uint32_t port)
{
    xenevtchn_notify(link->evtchn, link->port[port].port);
}

bool link_take(struct link *link)
{
    xenevtchn_port_or_error_t port = xenevtchn_pending(link->evtchn);

    for (uint32_t i = 0; port >= 0 && i < link->ports; i++) {
        if (link->port[i].port == (evtchn_port_t)port)
            link->port[i].is_masked = true;
    }
    return port >= 0;
}

bool link_is_masked(const struct link *link)
{
    for (uint32_t i = 0; i < link->ports; i++) {
        if (link->port[i].is_masked)
            return true;
    }
    return false;
}

void link_unmask(struct link *link)
{
    for (uint32_t i = 0; i < link->ports; i++) {
        if (link->port[i].is_masked)
            xenevtchn_unmask(link->evtchn, link->port[i].port);
        link->port[i].is_masked = false;
    }
}
