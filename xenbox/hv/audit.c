// SPDX-License-Identifier: MIT
/* audit.c: see audit.h. Nothing that is read here is trusted: every index is checked before it is used. */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "xenbox/hv/atoms.h"
#include "xenbox/hv/audit.h"
#include "xenbox/hv/audit_pages.h"

struct pins {
    uint32_t ro, rw, overrides;
};

struct audit {
    const struct xb_tables *tables;
    char *why;
    size_t why_size;
    struct pins *pins[XB_MAX_DOMAINS]; /* by ref, from the map records */
    uint32_t refs[XB_MAX_DOMAINS]; /* how many of them: refs that came later are not looked at */
    uint32_t frames; /* and of the frames */
    uint32_t *grants; /* by frame, from the grant entries */
    uint8_t *chunk_is_used;
};

static int audit_fail(struct audit *audit, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int audit_fail(struct audit *audit, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(audit->why, audit->why_size, format, args);
    va_end(args);
    return -EUCLEAN;
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
    return value < limit ? value : limit;
}

static uint32_t conn_top(const struct xb_tables *tables)
{
    return at_most(atomic_load(&tables->conn_top), XB_MAX_CONNS);
}

static uint32_t frame_top(const struct xb_tables *tables)
{
    return at_most(atomic_load(&tables->frame_top), XB_MAX_FRAMES);
}

static uint32_t ref_top(const struct xb_domain *domain)
{
    return at_most(atomic_load(&domain->ref_top), XB_MAX_REFS);
}

static uint32_t port_top(const struct xb_domain *domain)
{
    return at_most(atomic_load(&domain->port_top), XB_MAX_PORTS);
}

static bool domain_is_there(const struct xb_tables *tables, uint32_t domid)
{
    return domid < XB_MAX_DOMAINS && atomic_load(&tables->domain[domid].state) != XB_DOMAIN_FREE;
}

static uint32_t io_refs_of(const struct xb_map *map)
{
    uint32_t sum = 0;

    for (int kind = 0; kind < XB_IO_KINDS; kind++)
        sum += atomic_load(&map->io_refs[kind]);
    return sum;
}

static int audit_map(struct audit *audit, uint32_t slot, const struct xb_map *map)
{
    uint32_t state = atomic_load(&map->state), ref = *(const volatile uint32_t *)&map->ref;
    uint16_t domid = *(const volatile uint16_t *)&map->domid;

    if (state == XB_MAP_FREE && io_refs_of(map))
        return audit_fail(audit, "connection %u: %u requests refer to domain %u ref %u, which is not pinned",
                          slot, io_refs_of(map), domid, ref);
    if (state == XB_MAP_FREE)
        return 0;
    if (state < XB_MAP_LIVE || state > XB_MAP_STUCK)
        return audit_fail(audit, "connection %u: a map record of domain %u ref %u is neither free nor pinned",
                          slot, domid, ref);
    if (domid >= XB_MAX_DOMAINS || ref >= audit->refs[domid])
        return audit_fail(audit, "connection %u maps domain %u ref %u, which was never granted", slot, domid,
                          ref);
    audit->pins[domid][ref].overrides += (map->alias & XB_ALIAS_LOCAL) != 0;
    if (map->is_readonly)
        audit->pins[domid][ref].ro++;
    else
        audit->pins[domid][ref].rw++;
    return 0;
}

static int audit_conn(struct audit *audit, uint32_t slot)
{
    const struct xb_conn *conn = &audit->tables->conn[slot];
    uint32_t chunks = atomic_load(&conn->chunks);
    int ret = 0;

    if (atomic_load(&conn->held) || atomic_load(&conn->sending))
        return audit_fail(audit, "connection %u (pid %d) is in the middle of an operation", slot, conn->pid);
    if (chunks > XB_CONN_CHUNKS)
        return audit_fail(audit, "connection %u has %u maptrack chunks, more than %u", slot, chunks,
                          XB_CONN_CHUNKS);
    for (uint32_t i = 0; ret == 0 && i < chunks; i++) {
        uint32_t chunk = *(const volatile uint32_t *)&conn->chunk[i];

        if (chunk >= XB_MAX_CHUNKS || audit->chunk_is_used[chunk]++)
            return audit_fail(audit, "connection %u has maptrack chunk %u, which is another's", slot, chunk);
        for (uint32_t m = 0; ret == 0 && m < XB_CHUNK_MAPS; m++)
            ret = audit_map(audit, slot, &audit->tables->map[chunk][m]);
    }
    return ret;
}

/* What is pinned has not been freed. */
static bool is_owned(const struct audit *audit, uint32_t domid, uint32_t frame)
{
    return frame != XB_NO_FRAME && frame < audit->frames &&
           atomic_load(&audit->tables->frame[frame].owner) == XB_OWNER(domid);
}

static int audit_entry(struct audit *audit, uint32_t domid, uint32_t ref)
{
    const struct xb_domain *domain = &audit->tables->domain[domid];
    const struct xb_active *active = &domain->active[ref];
    uint32_t ro = atomic_load(&active->pins_ro), rw = atomic_load(&active->pins_rw);
    uint32_t mark = atomic_load(&active->mark),
             frame = __atomic_load_n(&domain->grant[ref].frame, __ATOMIC_RELAXED);
    uint32_t word = xb_grant_load(&domain->grant[ref]);
    struct pins pins = audit->pins[domid][ref];

    if (atomic_load(&active->lock))
        return audit_fail(audit, "domain %u ref %u is locked by connection %u", domid, ref,
                          XB_CONN_SLOT(atomic_load(&active->lock)));
    if (ro != pins.ro || rw != pins.rw)
        return audit_fail(audit,
                          "domain %u ref %u has %u+%u pins, and %u+%u map records (read-only + writable)",
                          domid, ref, ro, rw, pins.ro, pins.rw);
    if (atomic_load(&active->overrides) != pins.overrides)
        return audit_fail(audit, "domain %u ref %u counts %u kernel aliases of its own domain, and has %u",
                          domid, ref, atomic_load(&active->overrides), pins.overrides);
    if ((word & XB_GRANT_IN_USE) != xb_pins_in_use(ro, rw))
        return audit_fail(audit, "domain %u ref %u: in-use bits %#x do not fit %u+%u pins", domid, ref,
                          (unsigned)(word & XB_GRANT_IN_USE), ro, rw);
    if ((ro || rw) && !is_owned(audit, domid, atomic_load(&active->frame)))
        return audit_fail(audit, "domain %u ref %u has %u+%u pins, and frame %u is its page no more", domid,
                          ref, ro, rw, atomic_load(&active->frame));
    if ((mark & XB_ACTIVE_REPORT) || ((mark & XB_ACTIVE_REVOKE) && !ro && !rw))
        return audit_fail(audit, "domain %u ref %u: the mark %#x was not acted on", domid, ref, mark);
    if ((word & GTF_type_mask) != GTF_permit_access)
        return 0;
    if (frame != atomic_load(&active->granted))
        return audit_fail(audit, "domain %u ref %u names frame %u, and frame %u was granted", domid, ref,
                          frame, atomic_load(&active->granted));
    if (!is_owned(audit, domid, frame))
        return audit_fail(audit, "domain %u ref %u grants frame %u, which is not its own", domid, ref, frame);
    audit->grants[frame]++;
    return 0;
}

static int audit_port(struct audit *audit, uint32_t domid, uint32_t number)
{
    const struct xb_tables *tables = audit->tables;
    const struct xb_port *port = &tables->domain[domid].port[number];
    uint64_t link = atomic_load(&port->link);
    uint32_t sink = XB_WORD_CONN(atomic_load(&port->word));
    uint32_t peer_domid = XB_LINK_DOMID(link), peer_port = XB_LINK_PORT(link);
    const struct xb_conn *conn = &tables->conn[XB_CONN_SLOT(sink) % XB_MAX_CONNS];

    if (XB_LINK_TYPE(link) == XB_PORT_FREE)
        return sink ? audit_fail(audit, "port %u of domain %u is free and has a listener", number, domid) : 0;
    if (sink && (atomic_load(&conn->id) != sink || conn->kind != XB_CONN_EVTCHN || conn->domid != domid))
        return audit_fail(audit, "port %u of domain %u: its listener %#x is gone", number, domid, sink);
    if (XB_LINK_TYPE(link) != XB_PORT_INTERDOMAIN)
        return 0;
    if (!domain_is_there(tables, peer_domid) || peer_port >= XB_MAX_PORTS ||
        atomic_load(&tables->domain[peer_domid].port[peer_port].link) !=
            XB_LINK(XB_PORT_INTERDOMAIN, domid, number))
        return audit_fail(audit,
                          "port %u of domain %u is connected to port %u of domain %u, but not the other way",
                          number, domid, peer_port, peer_domid);
    return 0;
}

/* Frames and their grants, when all entries have been counted. */
static int audit_frames(struct audit *audit)
{
    uint32_t *owned = calloc(XB_MAX_DOMAINS, sizeof(*owned));
    int ret = owned ? 0 : -ENOMEM;

    for (uint32_t frame = 1; ret == 0 && frame < audit->frames; frame++) {
        uint32_t owner = atomic_load(&audit->tables->frame[frame].owner);
        uint32_t grants = atomic_load(&audit->tables->frame[frame].grants);

        if (grants != audit->grants[frame])
            ret = audit_fail(audit, "frame %u counts %u grants, and %u entries name it", frame, grants,
                             audit->grants[frame]);
        else if (owner && !domain_is_there(audit->tables, owner - XB_OWNER(0)))
            ret = audit_fail(audit, "frame %u is owned by domain %u, which does not exist", frame,
                             owner - XB_OWNER(0));
        else if (owner)
            owned[owner - XB_OWNER(0)]++;
    }
    for (uint32_t domid = 0; ret == 0 && domid < XB_MAX_DOMAINS; domid++) {
        uint32_t pages = atomic_load(&audit->tables->domain[domid].tot_pages);

        if (domain_is_there(audit->tables, domid) && pages != owned[domid])
            ret =
                audit_fail(audit, "domain %u counts %u pages and owns %u frames", domid, pages, owned[domid]);
    }
    free(owned);
    return ret;
}

/* A program has written through a mapping that it should not have any more, or its I/O has. */
static int audit_stale(struct audit *audit)
{
    const struct xb_stale *stale = &audit->tables->stale;
    uint32_t writes = atomic_load(&stale->writes);

    if (!writes)
        return 0;
    return audit_fail(
        audit, "frame %u, which was domain %u's, was written at byte %u after it was freed (%u such %s)",
        stale->frame, stale->domid, stale->offset, writes, writes == 1 ? "write" : "writes");
}

static int audit_all(struct audit *audit)
{
    const struct xb_tables *tables = audit->tables;
    int ret = 0;

    for (uint32_t slot = 0; ret == 0 && slot < conn_top(tables); slot++)
        ret = atomic_load(&tables->conn[slot].id) ? audit_conn(audit, slot) : 0;
    for (uint32_t domid = 0; ret == 0 && domid < XB_MAX_DOMAINS; domid++) {
        if (!domain_is_there(tables, domid))
            continue;
        for (uint32_t ref = 0; ret == 0 && ref < audit->refs[domid]; ref++)
            ret = audit_entry(audit, domid, ref);
        for (uint32_t port = 0; ret == 0 && port < port_top(&tables->domain[domid]); port++)
            ret = audit_port(audit, domid, port);
    }
    if (ret == 0)
        ret = audit_frames(audit);
    return ret < 0 ? ret : audit_stale(audit);
}

int audit_tables(const struct xb_tables *tables, char *why, size_t size)
{
    struct audit audit = { .tables = tables, .why = why, .why_size = size };
    int ret = 0;

    audit.frames = frame_top(tables);
    audit.grants = calloc(audit.frames + 1, sizeof(*audit.grants));
    audit.chunk_is_used = calloc(XB_MAX_CHUNKS, 1);
    if (!audit.grants || !audit.chunk_is_used)
        ret = -ENOMEM;
    for (uint32_t domid = 0; ret == 0 && domid < XB_MAX_DOMAINS; domid++) {
        if (!domain_is_there(tables, domid))
            continue;
        audit.refs[domid] = ref_top(&tables->domain[domid]);
        audit.pins[domid] = calloc(audit.refs[domid] + 1, sizeof(struct pins));
        ret = audit.pins[domid] ? 0 : -ENOMEM;
    }
    if (ret == 0)
        ret = audit_all(&audit);
    if (ret == 0)
        ret = audit_pages(tables, why, size);
    for (uint32_t domid = 0; domid < XB_MAX_DOMAINS; domid++)
        free(audit.pins[domid]);
    free(audit.chunk_is_used);
    free(audit.grants);
    return ret;
}

static uint32_t maps_count(const struct xb_tables *tables, const struct xb_conn *conn)
{
    uint32_t chunks = at_most(atomic_load(&conn->chunks), XB_CONN_CHUNKS), live = 0;

    for (uint32_t i = 0; i < chunks; i++) {
        for (uint32_t m = 0; conn->chunk[i] < XB_MAX_CHUNKS && m < XB_CHUNK_MAPS; m++)
            live += atomic_load(&tables->map[conn->chunk[i]][m].state) != XB_MAP_FREE;
    }
    return live;
}

void audit_count(const struct xb_tables *tables, struct audit_counts *counts)
{
    *counts = (struct audit_counts){ 0 };
    for (uint32_t slot = 0; slot < conn_top(tables); slot++) {
        if (!atomic_load(&tables->conn[slot].id))
            continue;
        counts->conns++;
        counts->chunks += at_most(atomic_load(&tables->conn[slot].chunks), XB_CONN_CHUNKS);
        counts->maps += maps_count(tables, &tables->conn[slot]);
    }
    for (uint32_t domid = 0; domid < XB_MAX_DOMAINS; domid++) {
        const struct xb_domain *domain = &tables->domain[domid];

        if (!domain_is_there(tables, domid))
            continue;
        counts->domains++;
        counts->frames += atomic_load(&domain->tot_pages);
        for (uint32_t ref = 0; ref < ref_top(domain); ref++)
            counts->grants += xb_grant_load(&domain->grant[ref]) != 0;
        for (uint32_t port = 0; port < port_top(domain); port++)
            counts->ports += XB_LINK_TYPE(atomic_load(&domain->port[port].link)) != XB_PORT_FREE;
    }
}

uint32_t audit_damage(const struct xb_tables *tables)
{
    uint32_t pages = 0;

    for (uint32_t domid = 0; domid < XB_MAX_DOMAINS; domid++)
        pages += domain_is_there(tables, domid) ? atomic_load(&tables->domain[domid].damage) : 0;
    return pages;
}
