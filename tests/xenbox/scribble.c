// SPDX-License-Identifier: MIT
/* scribble.c: see scribble.h. Much of the garbage is made to look right: nonsense is refused by the first check. */
#include <config.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "tests/xenbox/box.h"
#include "tests/xenbox/scribble.h"

#define SHARED 8
#define PORTS 64u /* garbage is strewn over the first ones */
#define REFS 64u
#define STROKES 4 /* of garbage for each thing that is done */

static struct state {
    const struct scribble *how;
    uint64_t random;
    struct client tool; /* its view of the tables */
    xengntshr_handle *shr;
    xengnttab_handle *tab;
    xenevtchn_handle *evtchn;
    void *shared;
    uint32_t refs[SHARED];
    void *mapped;
    int port;
} s;

uint64_t scribble_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static uint64_t any(void)
{
    return scribble_random(&s.random);
}

static uint32_t below(uint32_t bound)
{
    return (uint32_t)(any() % bound);
}

static struct xb_domain *own_domain(void)
{
    return &s.tool.tables->domain[s.how->domid];
}

/* A domain that exists, most of the time. */
static uint32_t some_domain(void)
{
    const uint32_t domids[] = { 0, s.how->domid, s.how->victim, (uint32_t)any() };

    return domids[below(4)];
}

static void scribble_grant(void)
{
    grant_entry_v1_t *entry = &own_domain()->grant[below(REFS)];

    switch (below(3)) {
    case 0:
        *(uint64_t *)(void *)entry = any();
        break;
    case 1:
        entry->frame = below(atomic_load(&s.tool.tables->frame_top) + 4);
        break;
    default:
        entry->flags = (uint16_t)any();
        entry->domid = (uint16_t)some_domain();
    }
}

static void scribble_port(void)
{
    struct xb_port *port = &own_domain()->port[below(PORTS)];

    switch (below(4)) {
    case 0:
        atomic_store(&port->link, any());
        break;
    case 1:
        atomic_store(&port->link, XB_LINK(below(2) ? XB_PORT_INTERDOMAIN : below(5), some_domain(), below(8)));
        break;
    case 2:
        atomic_store(&port->word, any());
        break;
    default:
        atomic_store(&port->word, XB_WORD(s.tool.tables->conn[below(64)].id, below(4)));
    }
}

/* One of this process's connections. */
static struct xb_conn *own_conn(void)
{
    struct xb_tables *tables = s.tool.tables;
    uint32_t top = atomic_load(&tables->conn_top), first = below(top);

    for (uint32_t i = 0; i < top; i++) {
        struct xb_conn *conn = &tables->conn[(first + i) % top];

        if (conn->pid == getpid() && conn != s.tool.slot)
            return conn;
    }
    return NULL;
}

static void scribble_conn(void)
{
    struct xb_conn *conn = own_conn();

    if (!conn)
        return;
    switch (below(7)) {
    case 0:
        atomic_store(&conn->held, below(2) ? any() : XB_HELD(some_domain(), below(REFS)));
        break;
    case 1:
        atomic_store(&conn->sending, below(2) ? any() : XB_HELD(some_domain(), below(PORTS)));
        break;
    case 2:
        atomic_store(&conn->chunks, below(2) ? (uint32_t)any() : below(8));
        break;
    case 3:
        conn->chunk[below(8)] = below(2) ? (uint32_t)any() : below(16);
        break;
    case 4:
        conn->restricted = (uint16_t)some_domain();
        break;
    case 5:
        conn->domid = (uint16_t)some_domain();
        break;
    default:
        conn->kind = (uint32_t)any();
    }
}

/* The first chunk of the gnttab handle: its place is known, whatever the table of chunks says by now. */
static uint32_t own_chunk;

static void scribble_map(void)
{
    struct xb_map *map = &s.tool.tables->map[own_chunk][below(32)];

    switch (below(3)) {
    case 0:
        for (size_t i = 0; i < sizeof(*map) / sizeof(uint64_t); i++)
            ((uint64_t *)(void *)map)[i] = any();
        break;
    case 1:
        atomic_store(&map->state, (uint32_t)below(4));
        break;
    default:
        map->domid = (uint16_t)some_domain();
        map->ref = below(2) ? below(s.how->victim_refs) : (uint32_t)any();
        map->frame = below(atomic_load(&s.tool.tables->frame_top));
        map->is_readonly = (uint8_t)below(3);
        map->notify = (uint8_t)below(4);
        map->notify_port = below(2) ? below(PORTS) : (uint32_t)any();
        map->notify_offset = (uint32_t)any();
        atomic_store(&map->state, XB_MAP_LIVE);
    }
}

static void (*const strokes[])(void) = { scribble_grant, scribble_port, scribble_conn, scribble_map };

/* Something that a program does. What becomes of it does not matter. */
static void act(void)
{
    uint32_t ref = s.refs[below(SHARED)];
    char bytes[64];
    xengnttab_grant_copy_segment_t segment = { .source.foreign = { .ref = ref,
                                                                   .domid = (uint16_t)s.how->domid },
                                               .dest.virt = bytes,
                                               .len = sizeof(bytes),
                                               .flags = GNTCOPY_source_gref };

    switch (below(6)) {
    case 0:
        xengntshr_unshare(s.shr, s.shared, SHARED);
        s.shared = xengntshr_share_pages(s.shr, 0, SHARED, s.refs, 1);
        break;
    case 1:
        if (s.mapped)
            xengnttab_unmap(s.tab, s.mapped, 1);
        s.mapped = xengnttab_map_grant_ref_notify(s.tab, s.how->domid, ref, PROT_READ | PROT_WRITE, 0,
                                                  (uint32_t)s.port);
        break;
    case 2:
        xengnttab_grant_copy(s.tab, 1, &segment);
        break;
    case 3:
        xenevtchn_notify(s.evtchn, (evtchn_port_t)s.port);
        break;
    case 4:
        xenevtchn_unmask(s.evtchn, (evtchn_port_t)s.port);
        break;
    default:
        if (s.port > 0)
            xenevtchn_unbind(s.evtchn, (evtchn_port_t)s.port);
        s.port = xenevtchn_bind_unbound_port(s.evtchn, below(2) ? 0 : s.how->domid);
    }
}

void scribble_run(const struct scribble *scribble)
{
    void *own;
    uint32_t ref;

    s = (struct state){ .how = scribble, .random = scribble->seed };
    test_box_enter(scribble->domid);
    if (client_open_as(&s.tool, "scribble", NULL, XB_CONN_TOOL, (uint16_t)scribble->domid, 0, -1, NULL) < 0)
        _exit(EXIT_FAILURE);
    s.shr = xengntshr_open(NULL, 0);
    s.tab = xengnttab_open(NULL, 0);
    s.evtchn = xenevtchn_open(NULL, 0);
    if (!s.shr || !s.tab || !s.evtchn)
        _exit(EXIT_FAILURE);
    s.shared = xengntshr_share_pages(s.shr, 0, SHARED, s.refs, 1);
    s.port = xenevtchn_bind_unbound_port(s.evtchn, 0);
    /* A self-grant makes sure that there is a chunk of map records. */
    own = xengntshr_share_pages(s.shr, scribble->domid, 1, &ref, 1);
    if (!s.shared || !own || !xengnttab_map_grant_ref(s.tab, scribble->domid, ref, PROT_READ | PROT_WRITE))
        _exit(EXIT_FAILURE);
    for (uint32_t i = 0; i < atomic_load(&s.tool.tables->conn_top); i++) {
        struct xb_conn *conn = &s.tool.tables->conn[i];

        if (conn->pid == getpid() && conn->kind == XB_CONN_GNTTAB && atomic_load(&conn->chunks))
            own_chunk = conn->chunk[0];
    }
    for (;;) {
        for (int i = 0; i < STROKES; i++)
            strokes[below(sizeof(strokes) / sizeof(strokes[0]))]();
        act();
    }
}
