// SPDX-License-Identifier: MIT
/* audit_views.c: see audit_pages.h. What a process has at an address is read from /proc, not from any table. */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xenbox/hv/audit_pages.h"

#define WHOLE_BYTES ((uint64_t)XB_MAX_FRAMES * XB_FRAME_SIZE)

/* A mapping of frames in a process. */
struct view {
    uint64_t start, end;
    uint32_t frame; /* the first */
};

struct views_audit {
    const struct xb_tables *tables;
    int frames_fd;
    char *why;
    size_t why_size;
    pid_t pid;
    struct view *view; /* by address */
    size_t views, view_room;
    uint64_t *address; /* where records of the process say that there is a page, by address */
    size_t addresses, address_room;
};

static int views_fail(struct views_audit *audit, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int views_fail(struct views_audit *audit, const char *format, ...)
{
    int length = snprintf(audit->why, audit->why_size, "process %d: ", (int)audit->pid);
    va_list args;

    va_start(args, format);
    vsnprintf(audit->why + length, audit->why_size - (size_t)length, format, args);
    va_end(args);
    return -EUCLEAN;
}

static int view_add(struct views_audit *audit, const struct view *view)
{
    if (audit->views == audit->view_room) {
        size_t room = 2 * audit->view_room + 64;
        struct view *more = reallocarray(audit->view, room, sizeof(*more));

        if (!more)
            return -ENOMEM;
        audit->view = more;
        audit->view_room = room;
    }
    audit->view[audit->views++] = *view;
    return 0;
}

/* All mappings of frames that the process has, but for those of all frames at once. -ENOENT: it is gone. */
static int views_read(struct views_audit *audit)
{
    char path[32], line[512];
    struct stat frames;
    int ret = 0;
    FILE *maps;

    audit->views = 0;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)audit->pid);
    maps = fopen(path, "re");
    if (!maps || fstat(audit->frames_fd, &frames) < 0) {
        if (maps)
            fclose(maps);
        return -ENOENT;
    }
    while (ret == 0 && fgets(line, sizeof(line), maps)) {
        uint64_t start, end, offset, inode;

        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %" SCNu64, &start, &end, &offset,
                   &inode) != 4 ||
            inode != frames.st_ino || end - start == WHOLE_BYTES)
            continue;
        ret = view_add(audit, &(struct view){ start, end, (uint32_t)(offset / XB_FRAME_SIZE) });
    }
    fclose(maps);
    return ret;
}

/* The frame that the process sees at an address; XB_NO_FRAME. */
static uint32_t frame_seen(const struct views_audit *audit, uint64_t address)
{
    size_t low = 0, high = audit->views;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct view *view = &audit->view[middle];

        if (address >= view->end)
            low = middle + 1;
        else if (address < view->start)
            high = middle;
        else
            return view->frame + (uint32_t)((address - view->start) / XB_FRAME_SIZE);
    }
    return XB_NO_FRAME;
}

static int audit_alias(struct views_audit *audit, const struct xb_conn *conn, uint32_t index)
{
    const struct xb_map *map = &audit->tables->map[index / XB_CHUNK_MAPS][index % XB_CHUNK_MAPS];
    const struct xb_page *page = &audit->tables->page[index / XB_CHUNK_MAPS][index % XB_CHUNK_MAPS];
    static const char *const kinds[] = { "user", "kernel", "temporary kernel", "unknown" };
    uint32_t seen;

    /* An empty placeholder shows its own page, once it has shown any. */
    if (page->kernel_address && !page->kernel_map) {
        seen = frame_seen(audit, page->kernel_address);
        if (seen != XB_NO_FRAME && seen != conn->scratch)
            return views_fail(audit, "the kernel alias of an empty placeholder shows frame %u", seen);
    }
    if (atomic_load(&map->state) != XB_MAP_LIVE)
        return 0;
    seen = frame_seen(audit, map->address);
    if (seen != map->frame)
        return views_fail(audit, "the %s alias of domain %u ref %u shows frame %u, and frame %u was granted",
                          kinds[XB_ALIAS_KIND(map->alias)], map->domid, map->ref, seen, map->frame);
    if (audit->addresses == audit->address_room) {
        size_t room = 2 * audit->address_room + 64;
        uint64_t *more = reallocarray(audit->address, room, sizeof(*more));

        if (!more)
            return -ENOMEM;
        audit->address = more;
        audit->address_room = room;
    }
    audit->address[audit->addresses++] = map->address;
    return 0;
}

static int compare_addresses(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* A process sees no frame of another domain without a record that says so. */
static int audit_strangers(struct views_audit *audit, uint16_t domid)
{
    if (audit->addresses)
        qsort(audit->address, audit->addresses, sizeof(audit->address[0]), compare_addresses);
    for (size_t i = 0; i < audit->views; i++) {
        const struct view *view = &audit->view[i];

        for (uint64_t at = view->start; at < view->end; at += XB_FRAME_SIZE) {
            uint32_t frame = view->frame + (uint32_t)((at - view->start) / XB_FRAME_SIZE);
            uint32_t owner = frame < XB_MAX_FRAMES ? atomic_load(&audit->tables->frame[frame].owner) : 0;

            if (owner == XB_OWNER(domid))
                continue;
            if (!audit->addresses ||
                !bsearch(&at, audit->address, audit->addresses, sizeof(at), compare_addresses))
                return views_fail(audit, "it sees frame %u of domain %d, and has no mapping of it", frame,
                                  (int)owner - 1);
        }
    }
    return 0;
}

/* All connections of the process that the connection in `first` belongs to. */
static int audit_process(struct views_audit *audit, uint32_t first, uint32_t top)
{
    const struct xb_conn *conns = audit->tables->conn;
    bool is_plain = true;
    int ret = views_read(audit);

    audit->addresses = 0;
    for (uint32_t slot = first; ret == 0 && slot < top; slot++) {
        const struct xb_conn *conn = &conns[slot];
        uint32_t chunks = atomic_load(&conn->chunks);

        if (!atomic_load(&conn->id) || conn->pid != audit->pid)
            continue;
        /* Pages that are mapped without a grant have no record. And what is whose is told by one domain only. */
        is_plain &=
            conn->kind != XB_CONN_FOREIGN && (conn->kind == XB_CONN_GNTTAB || conn->kind == XB_CONN_EVTCHN);
        is_plain &= conn->domid == conns[first].domid;
        for (uint32_t i = 0; ret == 0 && i < chunks && i < XB_CONN_CHUNKS; i++) {
            for (uint32_t m = 0; ret == 0 && m < XB_CHUNK_MAPS && conn->chunk[i] < XB_MAX_CHUNKS; m++)
                ret = audit_alias(audit, conn, conn->chunk[i] * XB_CHUNK_MAPS + m);
        }
    }
    if (ret == 0 && is_plain)
        ret = audit_strangers(audit, conns[first].domid);
    return ret == -ENOENT ? 0 : ret;
}

static int audit_canary(struct views_audit *audit, const struct xb_conn *conn)
{
    uint64_t words[XB_FRAME_SIZE / sizeof(uint64_t)];

    audit->pid = conn->pid;
    if (pread(audit->frames_fd, words, sizeof(words), (off_t)conn->scratch * XB_FRAME_SIZE) != sizeof(words))
        return 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i] != XB_SCRATCH_WORD(i) && atomic_load(&conn->id))
            return views_fail(audit, "the page of its empty placeholders was written to at byte %zu",
                              i * sizeof(words[0]));
    }
    return 0;
}

static bool is_first_of_process(const struct xb_tables *tables, uint32_t slot)
{
    for (uint32_t i = 0; i < slot; i++) {
        if (atomic_load(&tables->conn[i].id) && tables->conn[i].pid == tables->conn[slot].pid)
            return false;
    }
    return true;
}

int audit_views(const struct xb_tables *tables, int frames_fd, char *why, size_t size)
{
    struct views_audit audit = { .tables = tables, .frames_fd = frames_fd, .why = why, .why_size = size };
    uint32_t top = atomic_load(&tables->conn_top);
    int ret = 0;

    top = top < XB_MAX_CONNS ? top : XB_MAX_CONNS;
    for (uint32_t slot = 0; ret == 0 && slot < top; slot++) {
        const struct xb_conn *conn = &tables->conn[slot];

        if (!atomic_load(&conn->id) || conn->pid <= 0)
            continue;
        if (conn->scratch && conn->scratch < XB_MAX_FRAMES)
            ret = audit_canary(&audit, conn);
        audit.pid = conn->pid;
        if (ret == 0 && is_first_of_process(tables, slot))
            ret = audit_process(&audit, slot, top);
    }
    free(audit.view);
    free(audit.address);
    return ret;
}
