// SPDX-License-Identifier: MIT
/* dump_tables.c: walks over domains, grant entries, ports, connections and map records. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "xenbox/cmd/domain_table.h"
#include "xenbox/cmd/dump_tables.h"
#include "xenbox/hv/mode.h"

#define REFS_PER_FRAME (XB_FRAME_SIZE / sizeof(grant_entry_v1_t))

static const char *const kind_names[] = {
    [XB_CONN_FREE] = "free",     [XB_CONN_GNTTAB] = "gnttab", [XB_CONN_GNTSHR] = "gntshr",
    [XB_CONN_EVTCHN] = "evtchn", [XB_CONN_CALL] = "call",     [XB_CONN_FOREIGN] = "foreign",
    [XB_CONN_TOOL] = "tool",
};

static const char *const port_names[] = {
    [XB_PORT_FREE] = "free",
    [XB_PORT_UNBOUND] = "unbound",
    [XB_PORT_INTERDOMAIN] = "interdomain",
    [XB_PORT_VIRQ] = "virq",
};

#define NAME_OF(names, index) ((index) < sizeof(names) / sizeof((names)[0]) ? (names)[index] : "?")

/* The slot of a connection that is there; NULL: it is not. */
static const struct xb_conn *conn_find(const struct xb_tables *tables, uint32_t id)
{
    uint32_t slot = XB_CONN_SLOT(id);

    return id && slot < XB_MAX_CONNS && tables->conn[slot].id == id ? &tables->conn[slot] : NULL;
}

static json_t *pid_of(const struct xb_tables *tables, uint32_t id)
{
    const struct xb_conn *conn = conn_find(tables, id);

    return conn ? json_integer(conn->pid) : json_null();
}

/* Shared entries have their flags and domid in one 32-bit word. */
static json_t *dump_grants(const struct xb_tables *tables, const struct xb_domain *domain)
{
    json_t *array = json_array();

    for (uint32_t ref = 0; ref < XB_MAX_REFS; ref++) {
        const struct xb_active *active = &domain->active[ref];
        uint16_t flags = __atomic_load_n(&domain->grant[ref].flags, __ATOMIC_RELAXED);

        if (!flags && !active->pins_ro && !active->pins_rw && !active->lock && !active->mark)
            continue;
        json_array_append_new(
            array, json_pack("{s:i, s:i, s:i, s:b, s:b, s:b, s:i, s:i, s:i, s:i, s:i, s:o}", "ref", (int)ref,
                             "to", (int)domain->grant[ref].domid, "flags", (int)flags, "readonly",
                             !!(flags & GTF_readonly), "reading", !!(flags & GTF_reading), "writing",
                             !!(flags & GTF_writing), "frame", (int)domain->grant[ref].frame, "pins_ro",
                             (int)active->pins_ro, "pins_rw", (int)active->pins_rw, "lock", (int)active->lock,
                             "mark", (int)active->mark, "sharer_pid", pid_of(tables, active->sharer)));
    }
    return array;
}

static json_t *dump_ports(const struct xb_tables *tables, const struct xb_domain *domain)
{
    json_t *array = json_array();

    for (uint32_t port = 0; port < XB_MAX_PORTS; port++) {
        uint64_t link = domain->port[port].link, word = domain->port[port].word;
        uint32_t type = XB_LINK_TYPE(link);

        if (type == XB_PORT_FREE)
            continue;
        json_array_append_new(
            array, json_pack("{s:i, s:s, s:i, s:i, s:b, s:b, s:i, s:o}", "port", (int)port, "type",
                             NAME_OF(port_names, type), "remote_domid", (int)XB_LINK_DOMID(link),
                             type == XB_PORT_VIRQ ? "virq" : "remote_port", (int)XB_LINK_PORT(link),
                             "pending", !!(word & XB_PORT_PENDING), "masked", !!(word & XB_PORT_MASKED),
                             "handle", (int)XB_WORD_CONN(word), "pid", pid_of(tables, XB_WORD_CONN(word))));
    }
    return array;
}

static json_t *use_of(size_t used, size_t limit)
{
    return json_pack("{s:I, s:I}", "used", (json_int_t)used, "limit", (json_int_t)limit);
}

/* As use_of, for a limit that may be switched off: null then. */
static json_t *use_of_optional(size_t used, size_t limit)
{
    json_t *use = use_of(used, limit);

    if (limit == 0)
        json_object_set_new(use, "limit", json_null());
    return use;
}

/* Frames of the grant table that its entries need: it grows from the start and never shrinks. */
static size_t count_grant_frames(const struct xb_domain *domain)
{
    return (domain->ref_top + REFS_PER_FRAME - 1) / REFS_PER_FRAME;
}

/* Maptrack chunks of all connections. */
static size_t count_chunks(const struct xb_tables *tables)
{
    size_t count = 0;

    for (uint32_t i = 0; i < tables->conn_top && i < XB_MAX_CONNS; i++)
        if (tables->conn[i].id)
            count += tables->conn[i].chunks;
    return count;
}

/* Frames' worth of map records that a domain has in use. */
static size_t count_maptrack_frames(const struct xb_tables *tables, uint16_t domid)
{
    size_t records = 0;

    for (uint32_t i = 0; i < tables->conn_top && i < XB_MAX_CONNS; i++)
        if (tables->conn[i].id && tables->conn[i].domid == domid)
            records += tables->conn[i].records;
    return (records + XB_CHUNK_MAPS - 1) / XB_CHUNK_MAPS;
}

static size_t count_shared(const struct xb_domain *domain)
{
    size_t count = 0;

    for (uint32_t ref = 0; ref < XB_MAX_REFS; ref++)
        count += domain->active[ref].sharer != 0;
    return count;
}

static json_t *dump_domain(const struct xb_tables *tables, uint16_t domid)
{
    const struct xb_domain *domain = &tables->domain[domid];
    json_t *grants = dump_grants(tables, domain), *ports = dump_ports(tables, domain);
    const struct xb_limits *limits = &tables->limits;
    char name[64];

    domain_name(tables, domid, name);
    return json_pack("{s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:{s:o, s:o, s:o, s:o, s:o}, s:o, s:o}", "domid",
                     (int)domid, "name", name, "state", domain_state_name(domain->state), "generation",
                     (int)domain->generation, "pages", (int)domain->tot_pages, "max_pages",
                     (int)domain->max_pages, "damaged_pages", (int)domain->damage, "limits", "grants",
                     use_of(json_array_size(grants), limits->grant_frames * REFS_PER_FRAME), "grant_frames",
                     use_of(count_grant_frames(domain), limits->grant_frames), "maptrack_frames",
                     use_of_optional(count_maptrack_frames(tables, domid), limits->maptrack_frames),
                     "event_channels", use_of(json_array_size(ports), limits->event_channels),
                     "gntalloc_pages", use_of(count_shared(domain), limits->gntalloc_pages), "grants", grants,
                     "ports", ports);
}

static const char *const map_names[] = {
    [XB_MAP_FREE] = "free",       [XB_MAP_PREPARED] = "prepared", [XB_MAP_LIVE] = "live",
    [XB_MAP_LEAVING] = "leaving", [XB_MAP_STUCK] = "stuck",
};

static void dump_chunk(const struct xb_map maps[XB_CHUNK_MAPS], json_t *array)
{
    char address[24];

    for (uint32_t i = 0; i < XB_CHUNK_MAPS; i++) {
        const struct xb_map *map = &maps[i];

        if (map->state == XB_MAP_FREE)
            continue;
        snprintf(address, sizeof(address), "0x%llx", (unsigned long long)map->address);
        json_array_append_new(array,
                              json_pack("{s:i, s:i, s:i, s:b, s:b, s:s, s:s, s:i, s:i, s:i}", "domid",
                                        (int)map->domid, "ref", (int)map->ref, "frame", (int)map->frame,
                                        "readonly", (int)map->is_readonly, "live", map->state == XB_MAP_LIVE,
                                        "state", NAME_OF(map_names, map->state), "address", address, "notify",
                                        (int)map->notify, "aio", (int)map->io_refs[XB_IO_AIO], "io_uring",
                                        (int)map->io_refs[XB_IO_URING]));
    }
}

static json_t *dump_conn(const struct xb_tables *tables, const struct xb_conn *conn)
{
    json_t *maps = json_array();
    uint32_t chunks = conn->chunks;

    for (uint32_t i = 0; i < chunks && i < XB_CONN_CHUNKS; i++)
        if (conn->chunk[i] < XB_MAX_CHUNKS)
            dump_chunk(tables->map[conn->chunk[i]], maps);
    return json_pack("{s:i, s:s, s:i, s:i, s:i, s:{s:o}, s:o}", "id", (int)conn->id, "kind",
                     NAME_OF(kind_names, conn->kind), "pid", (int)conn->pid, "domid", (int)conn->domid,
                     "maptrack_chunks", (int)chunks, "limits", "maps",
                     use_of(json_array_size(maps), XB_CONN_CHUNKS * XB_CHUNK_MAPS), "maps", maps);
}

json_t *dump_tables(const struct xb_tables *tables)
{
    json_t *domains = json_array(), *conns = json_array();
    size_t frames = 0;

    for (uint16_t i = 0; i < XB_MAX_DOMAINS; i++) {
        if (tables->domain[i].state == XB_DOMAIN_FREE)
            continue;
        json_array_append_new(domains, dump_domain(tables, i));
        frames += tables->domain[i].tot_pages;
    }
    for (uint32_t i = 0; i < XB_MAX_CONNS; i++)
        if (tables->conn[i].id)
            json_array_append_new(conns, dump_conn(tables, &tables->conn[i]));
    return json_pack(
        "{s:s, s:s, s:b, s:{s:o, s:o, s:o, s:o, s:i}, s:o, s:o}", "mode", mode_name(tables->mode), "mapping",
        tables->flags & XB_BOX_STRICT ? "strict" : "fast", "punish", !!(tables->flags & XB_BOX_PUNISH),
        "limits", "domains", use_of(json_array_size(domains), XB_MAX_DOMAINS), "frames",
        use_of(frames, XB_MAX_FRAMES), "maptrack_frames", use_of(count_chunks(tables), XB_MAX_CHUNKS),
        "connections", use_of(json_array_size(conns), XB_MAX_CONNS), "pages_per_map_call",
        (int)tables->limits.gntdev_pages, "domains", domains, "connections", conns);
}
