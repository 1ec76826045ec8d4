// SPDX-License-Identifier: MIT
/* domain.c: see domain.h. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xen/xen.h>

#include "xenbox/hv/atoms.h"
#include "xenbox/hv/conn.h"
#include "xenbox/hv/domain.h"
#include "xenbox/hv/event_channel.h"
#include "xenbox/hv/frames.h"
#include "xenbox/hv/grant_table.h"
#include "xenbox/hv/process.h"

struct domain *domain_find(struct box *box, uint32_t domid)
{
    if (domid >= XB_MAX_DOMAINS || !box->domain[domid] ||
        atomic_load(&box->tables->domain[domid].state) == XB_DOMAIN_DYING)
        return NULL;
    return box->domain[domid];
}

/* A version 4 uuid: libxenctrl shows it as the domain's handle, which nobody else ever has. */
static int uuid_create(uint8_t *uuid)
{
    if (getrandom(uuid, 16, 0) != 16)
        return -EIO;
    uuid[6] = (uuid[6] & 0x0f) | 0x40;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
    return 0;
}

static int domain_init(struct box *box, uint16_t domid, uint32_t max_pages, const char *name)
{
    struct xb_domain *domain = &box->tables->domain[domid];
    int ret = uuid_create(domain->uuid);

    if (ret < 0)
        return ret;
    box->domain[domid] = calloc(1, sizeof(struct domain));
    if (!box->domain[domid])
        return -ENOMEM;
    LIST_INIT(&box->domain[domid]->notifies);
    domain->ssidref = 0;
    domain->shutdown_reason = 0;
    domain->max_pages = max_pages && max_pages < XB_MAX_FRAMES ? max_pages : XB_MAX_FRAMES;
    snprintf(domain->name, sizeof(domain->name), "%s", name);
    atomic_store(&domain->ref_top, 0);
    atomic_store(&domain->port_top, 0);
    atomic_fetch_add(&domain->generation, 1);
    atomic_store(&domain->state, XB_DOMAIN_RUNNING);
    return 0;
}

/* A page and a port that a guest kernel shares with a daemon of domain 0. */
static int ring_create(struct box *box, uint16_t domid, uint32_t ref, _Atomic uint32_t *frame_out,
                       _Atomic uint32_t *port_out)
{
    uint32_t frame;
    int ret;

    ret = frames_alloc(box, domid, 1, &frame);
    if (ret < 0)
        return ret;
    grant_set(box, domid, ref, 0, frame, false, 0);
    atomic_store(frame_out, frame);
    ret = port_alloc_unbound(box, domid, 0, 0);
    if (ret < 0)
        return ret;
    atomic_store(port_out, ret);
    return 0;
}

int domain_create_zero(struct box *box)
{
    struct xb_domain *domain = &box->tables->domain[0];
    int ret = domain_init(box, 0, 0, "Domain-0");

    box->domid_next = 1;
    if (ret < 0)
        return ret;
    return ring_create(box, 0, XB_REF_STORE, &domain->store_frame, &domain->store_port);
}

/* The next domid in turn, as Xen's toolstack numbers domains: a domid rests as long as possible. */
static int domid_choose(struct box *box)
{
    for (uint32_t i = 0; i < XB_MAX_DOMAINS; i++) {
        uint32_t domid = (box->domid_next + i) % XB_MAX_DOMAINS;

        if (!box->domain[domid]) {
            box->domid_next = domid + 1;
            return domid;
        }
    }
    return -ENOMEM;
}

int domain_create(struct box *box, const struct xb_domain_create *create)
{
    struct xb_domain *domain;
    char name[sizeof(create->name)];
    int domid = create->domid, ret;

    if (create->domid == XB_DOMID_NONE)
        domid = domid_choose(box);
    else if (create->domid >= XB_MAX_DOMAINS)
        return -EINVAL;
    else if (box->domain[domid])
        return -EEXIST;
    if (domid < 0)
        return domid;

    snprintf(name, sizeof(name), "Domain-%d", domid);
    if (create->name[0])
        snprintf(name, sizeof(name), "%.*s", (int)sizeof(create->name) - 1, create->name);
    ret = domain_init(box, domid, create->max_pages, name);
    if (ret < 0)
        return ret;
    domain = &box->tables->domain[domid];
    ret = ring_create(box, domid, XB_REF_STORE, &domain->store_frame, &domain->store_port);
    if (ret < 0)
        goto fail;
    ret = ring_create(box, domid, XB_REF_CONSOLE, &domain->console_frame, &domain->console_port);
    if (ret < 0)
        goto fail;
    return domid;

fail:
    domain_destroy(box, domid);
    return ret;
}

int domain_pause(struct box *box, uint16_t domid)
{
    uint32_t running = XB_DOMAIN_RUNNING;

    if (!domain_find(box, domid))
        return -ESRCH;
    if (domid == 0)
        return -EINVAL;
    atomic_compare_exchange_strong(&box->tables->domain[domid].state, &running, XB_DOMAIN_PAUSED);
    return running == XB_DOMAIN_SHUTDOWN ? -EINVAL : 0;
}

int domain_unpause(struct box *box, uint16_t domid)
{
    uint32_t paused = XB_DOMAIN_PAUSED;

    if (!domain_find(box, domid))
        return -ESRCH;
    atomic_compare_exchange_strong(&box->tables->domain[domid].state, &paused, XB_DOMAIN_RUNNING);
    return paused == XB_DOMAIN_SHUTDOWN ? -EINVAL : 0;
}

int domain_shutdown(struct box *box, uint16_t domid, uint32_t reason)
{
    struct xb_domain *domain = &box->tables->domain[domid];

    if (!domain_find(box, domid))
        return -ESRCH;
    if (domid == 0 || reason > UINT8_MAX)
        return -EINVAL;
    domain->shutdown_reason = reason;
    atomic_store(&domain->state, XB_DOMAIN_SHUTDOWN);
    virq_raise(box, VIRQ_DOM_EXC);
    return 0;
}

int domain_destroy(struct box *box, uint16_t domid)
{
    if (!domain_find(box, domid))
        return -ESRCH;
    if (domid == 0)
        return -EINVAL;
    port_forget_all(box, domid);
    atomic_store(&box->tables->domain[domid].state, XB_DOMAIN_DYING);
    process_kill_domain(box, domid);
    conn_drop_deferred(box); /* what its kernel kept as damaged */
    virq_raise(box, VIRQ_DOM_EXC);
    domain_settle(box, domid);
    return 0;
}

/* Zeroes a part of the tables, and gives its memory back. */
static void table_clear(struct box *box, void *start, size_t bytes)
{
    size_t offset = (size_t)((uint8_t *)start - (uint8_t *)box->tables);

    if (fallocate(box->tables_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes) <
        0)
        memset(start, 0, bytes);
}

void domain_settle(struct box *box, uint16_t domid)
{
    struct xb_domain *domain = &box->tables->domain[domid];

    if (!box->domain[domid] || atomic_load(&domain->state) != XB_DOMAIN_DYING || box->domain[domid]->conns)
        return;
    if (!box->domain[domid]->is_ended) {
        box->domain[domid]->is_ended = true;
        grant_recount(box, domid);
        if (!box->domain[domid])
            return;
        grant_unshare_all(box, domid, 0);
        if (!box->domain[domid])
            return;
    }
    if (atomic_load(&domain->tot_pages))
        return;
    /* Its programs may have written there until the last of them was dead. */
    port_forget_all(box, domid);
    table_clear(box, domain->grant, sizeof(domain->grant));
    table_clear(box, domain->port, sizeof(domain->port));
    free(box->domain[domid]);
    box->domain[domid] = NULL;
    atomic_store(&domain->store_frame, XB_NO_FRAME);
    atomic_store(&domain->store_port, 0);
    atomic_store(&domain->console_frame, XB_NO_FRAME);
    atomic_store(&domain->console_port, 0);
    atomic_store(&domain->damage, 0);
    memset(domain->name, 0, sizeof(domain->name));
    atomic_store(&domain->state, XB_DOMAIN_FREE);
    virq_raise(box, VIRQ_DOM_EXC);
}
