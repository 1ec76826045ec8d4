// SPDX-License-Identifier: MIT
/*
 * proto.h: what a client and the hypervisor process of a box say to each other.
 *
 * One SOCK_SEQPACKET connection a library handle, to the socket `hv` in the box directory ($XENBOX). A
 * message is one packet: struct xb_msg and up to XB_MAX_PAYLOAD bytes. A request gets exactly one answer with
 * the same op, unless its op is one-way. `error` of an answer is 0 or a positive errno, and then nothing
 * follows the header. Descriptors travel as SCM_RIGHTS.
 *
 * What is bound to what: maps and shared pages belong to the process (the hypervisor process watches a pidfd
 * of the peer) and to the connection, whichever goes first, as a VMA and a file would. An evtchn handle is a
 * pipe: its read end is the handle's descriptor and carries 4-byte port numbers like /dev/xen/evtchn; ports
 * are bound to it for as long as any copy of the read end is open in any process.
 */
#ifndef XENBOX_HV_PROTO_H
#define XENBOX_HV_PROTO_H

#include <stdint.h>

#define XB_ENV_BOX "XENBOX" /* the box directory */
#define XB_ENV_DOMID "XENBOX_DOMID" /* decimal; unset: 0 */
#define XB_SOCKET "hv" /* in the box directory */

#define XB_MAX_PAYLOAD 65536u
#define XB_MAX_FDS 4u
#define XB_SHARE_MAX 4096u /* pages in one XB_OP_SHARE, refs in one XB_OP_UNSHARE */

enum xb_op {
    XB_OP_HELLO = 1, /* xb_hello -> xb_welcome, fds: tables, frames, and for XB_CONN_EVTCHN the read end */

    XB_OP_MAPTRACK, /* grow my maptrack by one chunk -> xb_u32: chunk index; ENOSPC at a limit */
    XB_OP_RELEASED, /* one-way, xb_grant_ref: an entry with a mark that asks for it was unlocked */
    XB_OP_MAP_NOTIFY, /* xb_map_notify: arm the notification of a live map record of mine */
    XB_OP_UNMAP_NOTIFY, /* xb_u32: map record with a notification: drop its pin, then notify; only notify
                           when I/O keeps it */
    XB_OP_DAMAGE, /* one-way, xb_damage: I have unmapped pages under I/O in a box that punishes */

    XB_OP_SHARE, /* xb_share -> xb_shared */
    XB_OP_UNSHARE, /* xb_unshare: end access to refs of this handle; those in use go when they are released */
    XB_OP_SHARE_NOTIFY, /* xb_share_notify: on the last unshare of the ref or the sharer's death */

    XB_OP_BIND_UNBOUND, /* xb_bind -> xb_u32: local port */
    XB_OP_BIND_INTERDOMAIN, /* xb_bind -> xb_u32: local port, which is set pending */
    XB_OP_BIND_VIRQ, /* xb_bind (port = virq) -> xb_u32 */
    XB_OP_ADOPT_PORT, /* xb_bind (port = an existing port of my domain that nobody listens to) */
    XB_OP_UNBIND, /* xb_u32: port */
    XB_OP_RESTRICT, /* xb_u32: domid */
    XB_OP_SINK, /* xb_u32: connection id -> fd: write end of that handle's pipe, O_NONBLOCK */

    XB_OP_HYPERCALL, /* xb_hypercall and its argument -> xb_hypercall and the argument as changed */
    XB_OP_FOREIGN_MAP, /* xb_foreign_map -> xb_u32 frames, one a gfn; each holds its frame */
    XB_OP_FOREIGN_UNMAP, /* xb_foreign_unmap: let go what FOREIGN_MAP gave */

    XB_OP_DOMAIN_CREATE, /* xb_domain_create -> xb_u32: domid; store ring, console ring and ports made */
    XB_OP_DOMAIN_DESTROY, /* xb_u32: domid; its processes are killed; a zombie until unmapped */
    XB_OP_DOMAIN_PAUSE, /* xb_u32 */
    XB_OP_DOMAIN_UNPAUSE, /* xb_u32 */
    XB_OP_DOMAIN_SHUTDOWN, /* xb_domain_shutdown */
    XB_OP_POISON_CHECK, /* look whether a free frame was written: xb_tables.stale says it then */
    XB_OP_STOP, /* end the box: kill what is connected (but XB_CONN_TOOL), answer, exit */

    XB_OP_CLOSE, /* the handle is being closed: what it owned is undone before the answer comes */
};

struct xb_msg {
    uint32_t op;
    int32_t error;
};

struct xb_u32 {
    uint32_t value;
};

struct xb_hello {
    uint32_t abi; /* XB_ABI */
    uint32_t kind; /* enum xb_conn_kind */
    uint32_t domid;
    uint32_t flags; /* XB_HELLO_* */
};
#define XB_HELLO_ADOPT 1u /* evtchn: one descriptor comes along, be a second connection to its handle */
#define XB_HELLO_FDS 2u /* send the tables' and frames' descriptors (a process needs them once) */
#define XB_HELLO_KERNEL 4u /* I play the domain's kernel: when it dies hang up on me, do not kill me */

struct xb_welcome {
    uint32_t conn; /* connection id: the journal of this connection */
    uint32_t sink; /* evtchn: id of the handle, the one in XB_WORD(); conn, unless XB_HELLO_ADOPT */
};

struct xb_grant_ref {
    uint32_t domid;
    uint32_t ref;
};

struct xb_damage {
    uint32_t domid; /* the first page's granter and ref */
    uint32_t ref;
    uint32_t pages;
};

struct xb_map_notify {
    uint32_t map; /* index of the record: chunk * XB_CHUNK_MAPS + number */
    uint32_t action; /* UNMAP_NOTIFY_* */
    uint32_t offset;
    uint32_t port; /* of the mapper's domain; stays open until it has been notified */
};

struct xb_share {
    uint32_t domid; /* who may map */
    uint32_t count; /* 1 to XB_SHARE_MAX */
    uint32_t is_writable;
};
struct xb_shared { /* count times; frames are consecutive whenever they can be */
    uint32_t ref;
    uint32_t frame;
};

struct xb_unshare {
    uint32_t count;
    uint32_t ref[];
};

struct xb_share_notify {
    uint32_t ref;
    uint32_t action; /* UNMAP_NOTIFY_* */
    uint32_t offset;
    uint32_t port;
};

struct xb_bind {
    uint32_t domid;
    uint32_t port;
};

/*
 * A hypercall whose pointer argument is one structure (and for the ones with an array, that array behind it).
 * The library copies the argument in and out; the op decides how much (hv/hypercall.h).
 */
struct xb_hypercall {
    uint32_t nr; /* __HYPERVISOR_* */
    uint32_t cmd; /* the first argument, where it is a sub-operation */
    int64_t result;
    uint32_t size; /* bytes of argument that follow */
    uint32_t reserved;
};

struct xb_foreign_map {
    uint32_t domid;
    uint32_t count;
    uint64_t gfn[];
};

struct xb_foreign_unmap {
    uint32_t count;
    uint32_t frame[];
};

struct xb_domain_create {
    uint32_t domid; /* XB_DOMID_NONE: the next free one */
    uint32_t max_pages; /* 0: no limit but the box */
    char name[64]; /* empty: "Domain-N" */
};

struct xb_domain_shutdown {
    uint32_t domid;
    uint32_t reason;
};

#endif
