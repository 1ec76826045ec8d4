// SPDX-License-Identifier: MIT
/* ops.c: see ops.h. Each function unpacks a message, calls the file that knows, and packs the answer. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "xenbox/hv/conn.h"
#include "xenbox/hv/damage.h"
#include "xenbox/hv/domain.h"
#include "xenbox/hv/event_channel.h"
#include "xenbox/hv/frames.h"
#include "xenbox/hv/grant_table.h"
#include "xenbox/hv/hypercall.h"
#include "xenbox/hv/ops.h"
#include "xenbox/hv/poison.h"
#include "xenbox/hv/sink.h"

#define OP_FOR(kind) (1u << (kind))
#define OP_FOR_ALL (~OP_FOR(XB_CONN_FREE))

static void request_send_fd(struct request *request, int fd)
{
    request->out_fd[request->out_fds++] = fd;
}

/* For operations that return a number or an error. */
static int request_return(struct request *request, int value)
{
    struct xb_u32 *out = request->out;

    if (value < 0)
        return value;
    out->value = value;
    request->out_size = sizeof(*out);
    return 0;
}

static int op_hello(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_hello *hello = request->in;
    struct xb_welcome *welcome = request->out;
    int sink_fd, ret;

    ret = conn_hello(box, conn, hello, request->in_fd, &sink_fd);
    if (ret < 0) {
        request->is_last = true;
        return ret;
    }
    *welcome = (struct xb_welcome){ .conn = conn->id, .sink = conn->sink };
    request->out_size = sizeof(*welcome);
    if (hello->flags & XB_HELLO_FDS) {
        request_send_fd(request, box->tables_fd);
        request_send_fd(request, box->frames_fd);
    }
    if (sink_fd >= 0)
        request_send_fd(request, sink_fd);
    request->close_fd = sink_fd;
    return 0;
}

static int op_maptrack(struct box *box, struct conn *conn, struct request *request)
{
    uint32_t chunk;
    int ret = conn_grow_maptrack(box, conn, &chunk);

    return request_return(request, ret < 0 ? ret : (int)chunk);
}

static int op_released(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_grant_ref *entry = request->in;

    if (entry->domid < XB_MAX_DOMAINS)
        entry_settle(box, entry->domid, entry->ref);
    return 0;
}

static int op_map_notify(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_map_notify *notify = request->in;

    return map_notify(box, conn->domid, map_find(box, conn, notify->map), notify);
}

/* Does nothing refer to the page any more but the mapping? */
static bool map_is_idle(const struct xb_map *map)
{
    for (int kind = 0; kind < XB_IO_KINDS; kind++) {
        if (atomic_load(&map->io_refs[kind]))
            return false;
    }
    return atomic_load(&map->state) <= XB_MAP_LEAVING;
}

/* A record whose entry is locked right now stays until it is dropped with the others of its connection. */
static int op_unmap_notify(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_u32 *index = request->in;
    struct xb_map *map = map_find(box, conn, index->value);

    if (!map || atomic_load(&map->state) < XB_MAP_LIVE)
        return -EINVAL;
    if (map_is_idle(map))
        return map_drop(box, conn->domid, map) ? 0 : -EAGAIN;
    map_notify_fire(box, conn->domid, map);
    return 0;
}

static int op_damage(struct box *box, struct conn *conn, struct request *request)
{
    damage_log(conn, request->in, "a mapping was removed");
    return 0;
}

static int op_share(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_share *share = request->in;
    int ret = grant_share(box, conn->domid, conn->id, share, request->out);

    if (ret == 0)
        request->out_size = share->count * sizeof(struct xb_shared);
    return ret;
}

static int op_unshare(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_unshare *unshare = request->in;

    if (unshare->count > XB_SHARE_MAX ||
        request->in_size != sizeof(*unshare) + unshare->count * sizeof(unshare->ref[0]))
        return -EPROTO;
    return grant_unshare(box, conn->domid, conn->id, unshare->ref, unshare->count);
}

static int op_share_notify(struct box *box, struct conn *conn, struct request *request)
{
    return grant_share_notify(box, conn->domid, conn->id, request->in);
}

/* As Linux's evtchn device: a restricted handle binds to its one domain only, and to no virq. */
static bool is_restricted(struct box *box, const struct conn *conn, uint32_t domid)
{
    uint16_t restricted = box->tables->conn[XB_CONN_SLOT(conn->sink)].restricted;

    return restricted != XB_DOMID_NONE && restricted != domid;
}

static int op_bind_unbound(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_bind *bind = request->in;

    if (is_restricted(box, conn, bind->domid))
        return -EACCES;
    if (bind->domid > UINT16_MAX)
        return -EINVAL;
    return request_return(request, port_alloc_unbound(box, conn->domid, bind->domid, conn->sink));
}

static int op_bind_interdomain(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_bind *bind = request->in;

    if (is_restricted(box, conn, bind->domid))
        return -EACCES;
    if (bind->domid > UINT16_MAX)
        return -EINVAL;
    return request_return(request,
                          port_bind_interdomain(box, conn->domid, bind->domid, bind->port, conn->sink));
}

static int op_bind_virq(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_bind *bind = request->in;

    if (is_restricted(box, conn, XB_DOMID_NONE))
        return -EACCES;
    return request_return(request, port_bind_virq(box, conn->domid, bind->port, conn->sink));
}

static int op_adopt_port(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_bind *bind = request->in;

    return request_return(request, port_adopt(box, conn->domid, bind->port, conn->sink));
}

static int op_unbind(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_u32 *port = request->in;

    if (port->value >= XB_MAX_PORTS)
        return -EINVAL;
    if (XB_WORD_CONN(atomic_load(&box->tables->domain[conn->domid].port[port->value].word)) != conn->sink)
        return -ENOTCONN;
    return port_close(box, conn->domid, port->value);
}

static int op_restrict(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_u32 *domid = request->in;
    struct xb_conn *handle = &box->tables->conn[XB_CONN_SLOT(conn->sink)];

    if (domid->value == 0 || domid->value >= XB_MAX_DOMAINS)
        return -EINVAL;
    if (handle->restricted != XB_DOMID_NONE)
        return -EACCES;
    handle->restricted = domid->value;
    return 0;
}

static int op_sink(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_u32 *id = request->in;
    struct sink *sink = sink_find(box, id->value);

    if (!sink)
        return -ESRCH;
    request_send_fd(request, sink->fd);
    return 0;
}

static int op_hypercall(struct box *box, struct conn *conn, struct request *request)
{
    const size_t room = XB_MAX_PAYLOAD - sizeof(struct xb_hypercall);
    struct xb_hypercall *call = request->out;

    memcpy(request->out, request->in, request->in_size);
    if (call->size != request->in_size - sizeof(*call))
        return -EPROTO;
    hypercall_handle(box, conn->domid, call, call + 1, room);
    request->out_size = sizeof(*call) + call->size;
    return 0;
}

/*
 * A guest frame number is the frame's number: boxes are autotranslated, and nobody needs a second numbering.
 */
static int op_foreign_map(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_foreign_map *map = request->in;
    uint32_t *frames = request->out;
    int ret;

    if (map->count > (XB_MAX_PAYLOAD - sizeof(*map)) / sizeof(map->gfn[0]) ||
        request->in_size != sizeof(*map) + map->count * sizeof(map->gfn[0]))
        return -EPROTO;
    if (map->domid != conn->domid && conn->domid != 0)
        return -EPERM;
    if (!domain_find(box, map->domid))
        return -ESRCH;
    for (uint32_t i = 0; i < map->count; i++) {
        if (!frame_is_owned(box, map->gfn[i], map->domid))
            return -EINVAL;
        frames[i] = map->gfn[i];
    }
    ret = conn_hold_frames(box, conn, frames, map->count);
    if (ret == 0)
        request->out_size = map->count * sizeof(frames[0]);
    return ret;
}

static int op_foreign_unmap(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_foreign_unmap *unmap = request->in;

    if (unmap->count > XB_MAX_PAYLOAD / sizeof(unmap->frame[0]) ||
        request->in_size != sizeof(*unmap) + unmap->count * sizeof(unmap->frame[0]))
        return -EPROTO;
    conn_unhold_frames(box, conn, unmap->frame, unmap->count);
    return 0;
}

static int op_domain_create(struct box *box, struct conn *conn, struct request *request)
{
    return request_return(request, domain_create(box, request->in));
}

static int with_domain(struct box *box, struct request *request, int (*change)(struct box *, uint16_t))
{
    const struct xb_u32 *domid = request->in;

    return domid->value < XB_MAX_DOMAINS ? change(box, domid->value) : -ESRCH;
}

static int op_domain_destroy(struct box *box, struct conn *conn, struct request *request)
{
    return with_domain(box, request, domain_destroy);
}

static int op_domain_pause(struct box *box, struct conn *conn, struct request *request)
{
    return with_domain(box, request, domain_pause);
}

static int op_domain_unpause(struct box *box, struct conn *conn, struct request *request)
{
    return with_domain(box, request, domain_unpause);
}

static int op_domain_shutdown(struct box *box, struct conn *conn, struct request *request)
{
    const struct xb_domain_shutdown *shutdown = request->in;

    return shutdown->domid < XB_MAX_DOMAINS ? domain_shutdown(box, shutdown->domid, shutdown->reason)
                                            : -ESRCH;
}

static int op_poison_check(struct box *box, struct conn *conn, struct request *request)
{
    poison_check(box);
    return 0;
}

static int op_stop(struct box *box, struct conn *conn, struct request *request)
{
    box->is_stopping = true;
    box->stopper = conn;
    request->is_answered_later = true;
    return 0;
}

static int op_close(struct box *box, struct conn *conn, struct request *request)
{
    conn->is_closed = true;
    request->is_last = true;
    return 0;
}

static const struct op ops[] = {
    [XB_OP_HELLO] = { op_hello, sizeof(struct xb_hello), .kinds = 0 },
    [XB_OP_MAPTRACK] = { op_maptrack, 0, OP_FOR(XB_CONN_GNTTAB) },
    [XB_OP_RELEASED] = { op_released, sizeof(struct xb_grant_ref), OP_FOR(XB_CONN_GNTTAB),
                         .is_one_way = true },
    [XB_OP_MAP_NOTIFY] = { op_map_notify, sizeof(struct xb_map_notify), OP_FOR(XB_CONN_GNTTAB) },
    [XB_OP_UNMAP_NOTIFY] = { op_unmap_notify, sizeof(struct xb_u32), OP_FOR(XB_CONN_GNTTAB) },
    [XB_OP_DAMAGE] = { op_damage, sizeof(struct xb_damage), OP_FOR(XB_CONN_GNTTAB), .is_one_way = true },
    [XB_OP_SHARE] = { op_share, sizeof(struct xb_share), OP_FOR(XB_CONN_GNTSHR) },
    [XB_OP_UNSHARE] = { op_unshare, sizeof(struct xb_unshare), OP_FOR(XB_CONN_GNTSHR) },
    [XB_OP_SHARE_NOTIFY] = { op_share_notify, sizeof(struct xb_share_notify), OP_FOR(XB_CONN_GNTSHR) },
    [XB_OP_BIND_UNBOUND] = { op_bind_unbound, sizeof(struct xb_bind), OP_FOR(XB_CONN_EVTCHN) },
    [XB_OP_BIND_INTERDOMAIN] = { op_bind_interdomain, sizeof(struct xb_bind), OP_FOR(XB_CONN_EVTCHN) },
    [XB_OP_BIND_VIRQ] = { op_bind_virq, sizeof(struct xb_bind), OP_FOR(XB_CONN_EVTCHN) },
    [XB_OP_ADOPT_PORT] = { op_adopt_port, sizeof(struct xb_bind), OP_FOR(XB_CONN_EVTCHN) },
    [XB_OP_UNBIND] = { op_unbind, sizeof(struct xb_u32), OP_FOR(XB_CONN_EVTCHN) },
    [XB_OP_RESTRICT] = { op_restrict, sizeof(struct xb_u32), OP_FOR(XB_CONN_EVTCHN) },
    [XB_OP_SINK] = { op_sink, sizeof(struct xb_u32), OP_FOR(XB_CONN_EVTCHN) },
    [XB_OP_HYPERCALL] = { op_hypercall, sizeof(struct xb_hypercall),
                          OP_FOR(XB_CONN_CALL) | OP_FOR(XB_CONN_TOOL) },
    [XB_OP_FOREIGN_MAP] = { op_foreign_map, sizeof(struct xb_foreign_map), OP_FOR(XB_CONN_FOREIGN) },
    [XB_OP_FOREIGN_UNMAP] = { op_foreign_unmap, sizeof(struct xb_foreign_unmap), OP_FOR(XB_CONN_FOREIGN) },
    [XB_OP_DOMAIN_CREATE] = { op_domain_create, sizeof(struct xb_domain_create), OP_FOR(XB_CONN_TOOL) },
    [XB_OP_DOMAIN_DESTROY] = { op_domain_destroy, sizeof(struct xb_u32), OP_FOR(XB_CONN_TOOL) },
    [XB_OP_DOMAIN_PAUSE] = { op_domain_pause, sizeof(struct xb_u32), OP_FOR(XB_CONN_TOOL) },
    [XB_OP_DOMAIN_UNPAUSE] = { op_domain_unpause, sizeof(struct xb_u32), OP_FOR(XB_CONN_TOOL) },
    [XB_OP_DOMAIN_SHUTDOWN] = { op_domain_shutdown, sizeof(struct xb_domain_shutdown), OP_FOR(XB_CONN_TOOL) },
    [XB_OP_POISON_CHECK] = { op_poison_check, 0, OP_FOR(XB_CONN_TOOL) },
    [XB_OP_STOP] = { op_stop, 0, OP_FOR(XB_CONN_TOOL) },
    [XB_OP_CLOSE] = { op_close, 0, OP_FOR_ALL },
};

const struct op *op_find(uint32_t number)
{
    return number < sizeof(ops) / sizeof(ops[0]) && ops[number].handle ? &ops[number] : NULL;
}

bool op_is_allowed(const struct op *op, const struct conn *conn)
{
    /* Hello, and nothing else, comes before a connection has a kind. */
    if (!conn->id)
        return op->kinds == 0;
    return op->kinds & OP_FOR(conn->kind);
}
