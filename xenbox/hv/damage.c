// SPDX-License-Identifier: MIT
/* damage.c: see damage.h. */
#include <config.h>

#include <stdio.h>

#include "xenbox/hv/conn.h"
#include "xenbox/hv/damage.h"

void damage_log(const struct conn *conn, const struct xb_damage *damage, const char *what)
{
    fprintf(stderr,
            "xenbox-hv: WARNING: Bad page map in domain %u, process %d: %s with I/O in flight: %u pages (the "
            "first: "
            "domain %u, ref %u) stay pinned, and direct I/O on granted pages fails until the box goes down\n",
            conn->domid, conn->slot->pid, what, damage->pages, damage->domid, damage->ref);
}

static struct xb_map *record_at(struct box *box, const struct conn *conn, uint32_t number)
{
    return &box->tables
                ->map[conn->slot->chunk[number / XB_CHUNK_MAPS] % XB_MAX_CHUNKS][number % XB_CHUNK_MAPS];
}

static uint32_t records_of(const struct conn *conn)
{
    uint32_t chunks = atomic_load(&conn->slot->chunks);

    return (chunks < XB_CONN_CHUNKS ? chunks : XB_CONN_CHUNKS) * XB_CHUNK_MAPS;
}

static bool is_pinned(const struct xb_map *map)
{
    uint32_t state = atomic_load(&map->state);

    return state == XB_MAP_LIVE || state == XB_MAP_LEAVING;
}

static bool has_uring(struct box *box, const struct conn *conn)
{
    for (uint32_t i = 0; i < records_of(conn); i++) {
        const struct xb_map *map = record_at(box, conn, i);

        if (is_pinned(map) && atomic_load(&map->io_refs[XB_IO_URING]))
            return true;
    }
    return false;
}

static bool is_spared(struct box *box, const struct conn *conn)
{
    return !(box->tables->flags & XB_BOX_PUNISH) || box->is_stopping ||
           atomic_load(&box->tables->domain[conn->domid].state) == XB_DOMAIN_DYING;
}

void damage_on_death(struct box *box, struct conn *conn)
{
    struct xb_damage damage = { 0 };

    if (is_spared(box, conn) || !has_uring(box, conn))
        return;
    for (uint32_t i = 0; i < records_of(conn); i++) {
        struct xb_map *map = record_at(box, conn, i);

        if (!is_pinned(map))
            continue;
        if (damage.pages++ == 0) {
            damage.domid = map->domid;
            damage.ref = map->ref;
        }
        for (int kind = 0; kind < XB_IO_KINDS; kind++)
            atomic_store(&map->io_refs[kind], 0);
        atomic_store(&map->state, XB_MAP_STUCK);
    }
    atomic_fetch_add(&box->tables->domain[conn->domid].damage, damage.pages);
    damage_log(conn, &damage, "it died");
}

bool damage_keeps(struct box *box, const struct conn *conn, const struct xb_map *map)
{
    return atomic_load(&map->state) == XB_MAP_STUCK && !is_spared(box, conn);
}
