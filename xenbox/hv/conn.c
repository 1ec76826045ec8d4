// SPDX-License-Identifier: MIT
/* conn.c: see conn.h. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xenbox/hv/bugs.h"
#include "xenbox/hv/conn.h"
#include "xenbox/hv/damage.h"
#include "xenbox/hv/domain.h"
#include "xenbox/hv/event_channel.h"
#include "xenbox/hv/frames.h"
#include "xenbox/hv/grant_table.h"
#include "xenbox/hv/process.h"
#include "xenbox/hv/server.h"
#include "xenbox/hv/sink.h"

#define SLOT_WINDOW 256u

static struct xb_conn *slot_at(struct box *box, uint32_t id)
{
    return &box->tables->conn[XB_CONN_SLOT(id)];
}

/* Takes the next free slot of those in rotation. Slot 0 is the hypervisor's. Returns its new id, or 0. */
static uint32_t slot_alloc(struct box *box)
{
    if (!box->slot_window)
        box->slot_window = SLOT_WINDOW;
    for (; box->slot_window <= XB_MAX_CONNS; box->slot_window *= 2) {
        for (uint32_t i = 0; i < box->slot_window; i++) {
            uint32_t slot = (box->slot_next + i) % box->slot_window;

            if (slot == XB_CONN_SLOT(XB_CONN_HV) || box->slot_users[slot])
                continue;
            box->slot_next = slot + 1;
            if (++box->slot_generation[slot] == 0)
                box->slot_generation[slot] = 1;
            box->slot_users[slot] = 1;
            if (slot >= atomic_load(&box->tables->conn_top))
                atomic_store(&box->tables->conn_top, slot + 1);
            return (uint32_t)box->slot_generation[slot] << 16 | slot;
        }
    }
    box->slot_window = XB_MAX_CONNS;
    return 0;
}

void slot_get(struct box *box, uint32_t id)
{
    box->slot_users[XB_CONN_SLOT(id)]++;
}

void slot_put(struct box *box, uint32_t id)
{
    struct xb_conn *slot = slot_at(box, id);

    if (--box->slot_users[XB_CONN_SLOT(id)])
        return;
    slot->kind = XB_CONN_FREE;
    slot->pid = 0;
    atomic_store(&slot->id, 0);
}

int conn_accept(struct box *box, int fd, struct conn **result)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    struct ucred peer;
    socklen_t size = sizeof(peer);
    int ret;

    if (!conn) {
        close(fd);
        return -ENOMEM;
    }
    conn->fd = fd;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        ret = -errno;
        goto fail;
    }
    ret = process_get(box, peer.pid, &conn->process);
    if (ret < 0)
        goto fail;
    conn->source.ready = server_conn_ready;
    ret = box_watch(box, fd, EPOLLIN, &conn->source);
    if (ret < 0)
        goto fail;
    LIST_INSERT_HEAD(&box->conns, conn, link);
    *result = conn;
    return 0;

fail:
    process_put(box, conn->process);
    close(fd);
    free(conn);
    return ret;
}

static int conn_find_sink(struct box *box, struct conn *conn, int adopted_fd, int *sink_fd)
{
    struct sink *sink;
    int ret = 0;

    if (adopted_fd < 0) {
        ret = sink_create(box, conn->id, conn->domid, sink_fd, &sink);
    } else {
        sink = sink_find_fd(box, adopted_fd);
        if (!sink || !domain_find(box, sink->domid))
            return -EINVAL;
        /* The handle keeps its domain, whoever got hold of its descriptor. */
        box->domain[conn->domid]->conns--;
        conn->domid = conn->slot->domid = sink->domid;
        box->domain[conn->domid]->conns++;
    }
    if (ret < 0)
        return ret;
    conn->sink = sink->id;
    return 0;
}

/* The frame that the empty placeholders of a gnttab handle show. */
static int scratch_create(struct box *box, struct conn *conn)
{
    uint64_t canary[XB_FRAME_SIZE / sizeof(uint64_t)];
    uint32_t frame;
    int ret = frames_alloc(box, conn->domid, 1, &frame);

    if (ret < 0)
        return ret;
    for (size_t i = 0; i < sizeof(canary) / sizeof(canary[0]); i++)
        canary[i] = XB_SCRATCH_WORD(i);
    conn->scratch = conn->slot->scratch = frame;
    if (pwrite(box->frames_fd, canary, sizeof(canary), (off_t)frame * XB_FRAME_SIZE) != sizeof(canary))
        return -ENOMEM;
    return 0;
}

int conn_hello(struct box *box, struct conn *conn, const struct xb_hello *hello, int adopted_fd, int *sink_fd)
{
    struct xb_conn *slot;

    *sink_fd = -1;
    if (conn->id || hello->kind <= XB_CONN_FREE || hello->kind > XB_CONN_TOOL)
        return -EPROTO;
    if (hello->abi != XB_ABI)
        return -ENOEXEC;
    if ((hello->flags & XB_HELLO_ADOPT ? adopted_fd < 0 : adopted_fd >= 0))
        return -EPROTO;
    if (!domain_find(box, hello->domid))
        return -ESRCH;
    conn->id = slot_alloc(box);
    if (!conn->id)
        return -ENFILE;

    slot = conn->slot = slot_at(box, conn->id);
    conn->sink = conn->id;
    conn->domid = slot->domid = hello->domid;
    conn->kind = slot->kind = hello->kind;
    conn->is_kernel = hello->flags & XB_HELLO_KERNEL;
    slot->pid = conn->process ? conn->process->pid : 0;
    slot->restricted = XB_DOMID_NONE;
    atomic_store(&slot->held, 0);
    atomic_store(&slot->sending, 0);
    atomic_store(&slot->chunks, 0);
    atomic_store(&slot->id, conn->id);
    box->domain[conn->domid]->conns++;
    slot->scratch = XB_NO_FRAME;
    if (conn->kind == XB_CONN_GNTTAB && box->tables->mode != XB_MODE_AUTOTRANSLATED) {
        int ret = scratch_create(box, conn);

        if (ret < 0)
            return ret;
    }
    /* A connection whose hello failed is hung up on, and then gives all of this back. */
    return conn->kind == XB_CONN_EVTCHN ? conn_find_sink(box, conn, adopted_fd, sink_fd) : 0;
}

/* Makes the slot's list of chunks what it was, whatever the program has written there. */
static void conn_restore_chunks(struct conn *conn)
{
    for (uint32_t i = 0; i < conn->chunks; i++)
        conn->slot->chunk[i] = conn->chunk[i];
    atomic_store(&conn->slot->chunks, conn->chunks);
}

static void conn_free(struct box *box, struct conn *conn)
{
    free(conn->foreign);
    free(conn->chunk);
    box_bury(box, &conn->source);
}

/* Drops what it has mapped, as far as that can be done now. True: nothing is left. */
static bool conn_drop_maps(struct box *box, struct conn *conn)
{
    bool is_empty = true;

    if (bug_is_on(box->tables, BUG_A33) && !conn->is_closed && conn->kind == XB_CONN_GNTTAB)
        return false;
    conn_restore_chunks(conn);
    for (uint32_t i = 0; i < conn->chunks; i++) {
        struct xb_map *map = box->tables->map[conn->chunk[i]];

        for (struct xb_map *end = map + XB_CHUNK_MAPS; map < end; map++) {
            if (damage_keeps(box, conn, map))
                is_empty = false;
            else if (atomic_load(&map->state) >= XB_MAP_LIVE)
                is_empty &= map_drop(box, conn->domid, map);
            else
                atomic_store(&map->state, XB_MAP_FREE);
        }
    }
    return is_empty;
}

/* The last step of the end: gives back what is numbered. */
static void conn_finish(struct box *box, struct conn *conn)
{
    for (uint32_t i = 0; i < conn->chunks; i++) {
        uint32_t chunk = conn->chunk[i];

        box->chunk_is_used[chunk / 64] &= ~((uint64_t)1 << (chunk % 64));
        /* The kernel's page structs and its p2m entries of them, whatever state it died in. */
        if (box->tables->mode != XB_MODE_AUTOTRANSLATED)
            memset(box->tables->page[chunk], 0, sizeof(box->tables->page[chunk]));
    }
    atomic_store(&conn->slot->chunks, 0);
    atomic_store(&conn->slot->records, 0);
    if (conn->scratch)
        frame_release(box, conn->scratch);
    conn->slot->pid = 0;
    slot_put(box, conn->id);
    box->domain[conn->domid]->conns--;
    domain_settle(box, conn->domid);
}

/* Undoes what a connection that said hello was doing and owned. */
static void conn_undo(struct box *box, struct conn *conn)
{
    uint64_t held = atomic_exchange(&conn->slot->held, 0);
    uint64_t sending = atomic_exchange(&conn->slot->sending, 0);
    struct sink *sink;

    entry_recover(box, conn->id, held);
    if (sending)
        port_redeliver(box, XB_HELD_DOMID(sending), XB_HELD_INDEX(sending));
    while (conn->foreigns)
        frame_unhold(box, conn->foreign[--conn->foreigns]);
    if (conn->kind == XB_CONN_GNTSHR)
        grant_unshare_all(box, conn->domid, conn->id);
    sink = conn->kind == XB_CONN_EVTCHN ? sink_find(box, conn->sink) : NULL;
    if (sink && sink_is_closed(sink))
        sink_destroy(box, sink);
}

void conn_reap(struct box *box, struct conn *conn)
{
    LIST_REMOVE(conn, link);
    box_unwatch(box, conn->fd);
    conn->fd = -1;
    conn->source.ready = NULL;
    process_put(box, conn->process);
    conn->process = NULL;
    if (box->stopper == conn)
        box->stopper = NULL;
    if (conn->id) {
        conn_undo(box, conn);
        damage_on_death(box, conn);
        if (!conn_drop_maps(box, conn)) {
            LIST_INSERT_HEAD(&box->dying, conn, link);
            return;
        }
        conn_finish(box, conn);
    }
    conn_free(box, conn);
}

void conn_reap_all(struct box *box)
{
    struct conn *conn;
    struct sink *sink;

    while ((conn = LIST_FIRST(&box->conns)))
        conn_reap(box, conn);
    while ((sink = LIST_FIRST(&box->sinks)))
        sink_destroy(box, sink);
    /* Records whose entry was locked when its holder was killed with the others. */
    while ((conn = LIST_FIRST(&box->dying))) {
        LIST_REMOVE(conn, link);
        conn_free(box, conn);
    }
}

void conn_drop_deferred(struct box *box)
{
    struct conn *conn, *next;

    for (conn = LIST_FIRST(&box->dying); conn; conn = next) {
        next = LIST_NEXT(conn, link);
        if (!conn_drop_maps(box, conn))
            continue;
        LIST_REMOVE(conn, link);
        conn_finish(box, conn);
        conn_free(box, conn);
        /* The end of a domain may have brought us here again and changed the list. */
        next = LIST_FIRST(&box->dying);
    }
}

int conn_grow_maptrack(struct box *box, struct conn *conn, uint32_t *chunk)
{
    uint32_t chunks = conn->chunks, of_domain = 0;
    uint32_t limit = bug_is_on(box->tables, BUG_B41) ? box->tables->limits.maptrack_frames : 0;
    struct conn *other;

    /* A chunk that has free records is nobody's but its handle's: what is limited is records in use (grant_op.c). */
    LIST_FOREACH (other, &box->conns, link) {
        if (other->id && other->domid == conn->domid)
            of_domain += other->chunks;
    }
    if (chunks >= XB_CONN_CHUNKS || (limit && of_domain >= limit))
        return -ENOSPC;
    if (chunks == conn->chunk_room) {
        uint32_t *room = reallocarray(conn->chunk, 2 * (chunks + 1), sizeof(*room));

        if (!room)
            return -ENOMEM;
        conn->chunk = room;
        conn->chunk_room = 2 * (chunks + 1);
    }
    for (uint32_t word = 0; word < XB_MAX_CHUNKS / 64; word++) {
        if (box->chunk_is_used[word] == UINT64_MAX)
            continue;
        *chunk = word * 64 + __builtin_ctzll(~box->chunk_is_used[word]);
        box->chunk_is_used[word] |= (uint64_t)1 << (*chunk % 64);
        conn->chunk[conn->chunks++] = *chunk;
        conn->slot->chunk[chunks] = *chunk;
        atomic_store(&conn->slot->chunks, conn->chunks);
        return 0;
    }
    return -ENOSPC;
}

int conn_hold_frames(struct box *box, struct conn *conn, const uint32_t *frames, uint32_t count)
{
    if (conn->foreigns + count > conn->foreign_room) {
        uint32_t room = 2 * conn->foreign_room + count;
        uint32_t *foreign = reallocarray(conn->foreign, room, sizeof(*foreign));

        if (!foreign)
            return -ENOMEM;
        conn->foreign = foreign;
        conn->foreign_room = room;
    }
    for (uint32_t i = 0; i < count; i++) {
        frame_hold(box, frames[i]);
        conn->foreign[conn->foreigns++] = frames[i];
    }
    return 0;
}

void conn_unhold_frames(struct box *box, struct conn *conn, const uint32_t *frames, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t at = conn->foreigns; at > 0; at--) {
            if (conn->foreign[at - 1] != frames[i])
                continue;
            conn->foreign[at - 1] = conn->foreign[--conn->foreigns];
            frame_unhold(box, frames[i]);
            break;
        }
    }
}
