// SPDX-License-Identifier: MIT
/* audit_pages.c: see audit_pages.h. Every index is checked before it is used. */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "xenbox/hv/audit_pages.h"

struct pages_audit {
    const struct xb_tables *tables;
    const struct xb_conn *conn;
    char *why;
    size_t why_size;
};

static int pages_fail(struct pages_audit *audit, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int pages_fail(struct pages_audit *audit, const char *format, ...)
{
    int length = snprintf(audit->why, audit->why_size, "process %d: ", (int)audit->conn->pid);
    va_list args;

    va_start(args, format);
    vsnprintf(audit->why + length, audit->why_size - (size_t)length, format, args);
    va_end(args);
    return -EUCLEAN;
}

/* The record by its index, if its chunk is the connection's. */
static const struct xb_map *record_of(const struct pages_audit *audit, uint32_t index)
{
    uint32_t chunks = atomic_load(&audit->conn->chunks);

    for (uint32_t i = 0; i < chunks && i < XB_CONN_CHUNKS; i++) {
        if (audit->conn->chunk[i] == index / XB_CHUNK_MAPS && index / XB_CHUNK_MAPS < XB_MAX_CHUNKS)
            return &audit->tables->map[index / XB_CHUNK_MAPS][index % XB_CHUNK_MAPS];
    }
    return NULL;
}

static bool is_same_grant(const struct xb_map *a, const struct xb_map *b)
{
    return a->domid == b->domid && a->ref == b->ref && a->frame == b->frame;
}

/* A live user alias: its placeholder, the kernel alias and the p2m name the same frame. */
static int audit_user(struct pages_audit *audit, uint32_t index, const struct xb_map *map,
                      const struct xb_page *page)
{
    uint64_t p2m = atomic_load(&page->p2m);
    const struct xb_map *kernel;

    if (atomic_load(&page->state) != XB_PAGE_MAPPED)
        return pages_fail(audit, "the placeholder of domain %u ref %u is in state %u, not mapped", map->domid,
                          map->ref, atomic_load(&page->state));
    if (p2m != (XB_P2M_FOREIGN | map->frame))
        return pages_fail(audit,
                          "the p2m of the placeholder of domain %u ref %u is %#llx, and the frame is %u",
                          map->domid, map->ref, (unsigned long long)p2m, map->frame);
    if (page->user_map != index + 1 || page->private != map->frame || atomic_load(&page->refs) < 1)
        return pages_fail(audit, "the page struct of domain %u ref %u does not fit the mapping", map->domid,
                          map->ref);
    if (audit->tables->mode != XB_MODE_PV)
        return 0;
    kernel = page->kernel_map ? record_of(audit, page->kernel_map - 1) : NULL;
    if (!kernel || atomic_load(&kernel->state) < XB_MAP_LIVE ||
        XB_ALIAS_KIND(kernel->alias) != XB_ALIAS_KERNEL || !is_same_grant(kernel, map))
        return pages_fail(audit, "domain %u ref %u has a user alias and no kernel alias", map->domid,
                          map->ref);
    return 0;
}

/* A live kernel alias has a placeholder that knows it. */
static int audit_kernel(struct pages_audit *audit, uint32_t index, const struct xb_map *map)
{
    uint32_t number = XB_ALIAS_PAGE(map->alias);
    bool is_temporary = XB_ALIAS_KIND(map->alias) == XB_ALIAS_TEMPORARY;
    const struct xb_page *page;

    if (audit->tables->mode != (is_temporary ? XB_MODE_PV32 : XB_MODE_PV))
        return pages_fail(audit, "domain %u ref %u has a kernel alias, which there is not in this mode",
                          map->domid, map->ref);
    if (!record_of(audit, number))
        return pages_fail(audit, "the kernel alias of domain %u ref %u has no placeholder", map->domid,
                          map->ref);
    page = &audit->tables->page[number / XB_CHUNK_MAPS][number % XB_CHUNK_MAPS];
    if (atomic_load(&page->state) != XB_PAGE_MAPPED || page->private != map->frame ||
        (!is_temporary && page->kernel_map != index + 1))
        return pages_fail(audit, "a kernel alias of domain %u ref %u has outlived its page", map->domid,
                          map->ref);
    return 0;
}

/* A placeholder without a user alias is empty, and has what it had before. */
static int audit_empty(struct pages_audit *audit, const struct xb_page *page)
{
    uint64_t p2m = atomic_load(&page->p2m);

    if (atomic_load(&page->state) == XB_PAGE_MAPPED)
        return pages_fail(audit, "a placeholder counts as mapped, and nothing is mapped there");
    if (page->own_frame ? p2m != page->own_frame : p2m != XB_P2M_INVALID)
        return pages_fail(audit, "the p2m of an empty placeholder is %#llx, and it was %#x before",
                          (unsigned long long)p2m, page->own_frame);
    return 0;
}

static int audit_record(struct pages_audit *audit, uint32_t index)
{
    const struct xb_map *map = record_of(audit, index);
    const struct xb_page *page = &audit->tables->page[index / XB_CHUNK_MAPS][index % XB_CHUNK_MAPS];
    uint32_t state = atomic_load(&map->state);
    bool is_pv = audit->tables->mode != XB_MODE_AUTOTRANSLATED;

    if (state == XB_MAP_STUCK)
        return 0;
    if (state == XB_MAP_LIVE && !(audit->tables->flags & XB_BOX_PUNISH) && audit->conn->pid > 0 &&
        kill(audit->conn->pid, 0) < 0 && errno == ESRCH)
        return pages_fail(audit, "it is dead, and still maps domain %u ref %u", map->domid, map->ref);
    if (state >= XB_MAP_LIVE && XB_ALIAS_KIND(map->alias) != XB_ALIAS_USER)
        return audit_kernel(audit, index, map);
    if (!is_pv)
        return 0;
    return state >= XB_MAP_LIVE ? audit_user(audit, index, map, page) : audit_empty(audit, page);
}

int audit_pages(const struct xb_tables *tables, char *why, size_t size)
{
    uint32_t top = atomic_load(&tables->conn_top);
    int ret = 0;

    for (uint32_t slot = 0; ret == 0 && slot < top && slot < XB_MAX_CONNS; slot++) {
        struct pages_audit audit = {
            .tables = tables, .conn = &tables->conn[slot], .why = why, .why_size = size
        };
        uint32_t chunks = atomic_load(&audit.conn->chunks);

        if (!atomic_load(&audit.conn->id))
            continue;
        for (uint32_t i = 0; ret == 0 && i < chunks && i < XB_CONN_CHUNKS; i++) {
            for (uint32_t m = 0; ret == 0 && m < XB_CHUNK_MAPS && audit.conn->chunk[i] < XB_MAX_CHUNKS; m++)
                ret = audit_record(&audit, audit.conn->chunk[i] * XB_CHUNK_MAPS + m);
        }
    }
    return ret;
}
