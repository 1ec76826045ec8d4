// SPDX-License-Identifier: MIT
/*
 * layout.h: the tables of a box, in memory that all its processes share.
 *
 * Two memfds make the machine. "frames" is RAM: frame number f is the 4096 bytes at offset f * 4096.
 * "tables" holds struct xb_tables. The hypervisor process creates both, hands them to every client once
 * (proto.h), and alone allocates what must be unique: domains, frames, grant refs, ports, maptrack chunks,
 * connections. The libraries do the hot operations (map, unmap, copy, notify, unmask) on the tables by
 * themselves, with atomics.
 *
 * Truth and caches. A live map record (struct xb_map, state XB_MAP_LIVE) is the truth: one is one pin. The
 * pin counts of struct xb_active and the in-use bits of the shared grant entry are functions of them, kept up
 * to date under the entry's lock. A process that dies inside an operation leaves at most one entry locked;
 * the hypervisor process then recounts that entry from all records, unlocks it, and drops the dead one's
 * records.
 *
 * Lock of a grant entry: xb_active.lock holds the connection id of its owner, 0 when free. Before a library
 * takes it, it writes the entry's address to xb_conn.held, so that the reaper knows where to look. The
 * hypervisor process never waits for the lock: it marks the entry (XB_ACTIVE_*) and tries once; whoever
 * unlocks an entry looks at the mark afterwards and reports with XB_OP_RELEASED, and only then clears `held`.
 * The mark and the lock are both accessed with sequential consistency, so one of the two always sees the
 * other.
 *
 * Every field that two processes access is atomic. Nothing here trusts a guest's programs to be correct, but
 * it is no security boundary: all processes of a box run as one user and can write all of it. The hypervisor
 * process checks every index it reads from here before it uses it.
 */
#ifndef XENBOX_HV_LAYOUT_H
#define XENBOX_HV_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#include <xen/grant_table.h>

#define XB_MAGIC 0x31786f626e6578ULL /* "xenbox1" */
#define XB_ABI 3

#define XB_FRAME_SIZE 4096u /* a frame, a page, a grant: always 4096 bytes */
#define XB_MAX_DOMAINS 2048u /* domid is the index into xb_tables.domain */
#define XB_MAX_FRAMES (4u << 20) /* 16 GiB of sparse RAM */
#define XB_MAX_REFS (64u * 512u) /* 64 grant frames of version 1 entries a domain */
#define XB_MAX_PORTS 4096u /* a domain */
#define XB_MAX_CONNS 16384u
#define XB_CHUNK_MAPS 256u /* map records in a maptrack chunk */
#define XB_MAX_CHUNKS 16384u /* in a box: 4 Mi mappings */
#define XB_CONN_CHUNKS 256u /* a handle: 65,536 mappings, as many as a process can have */

#define XB_DOMID_NONE 0xffffu
#define XB_NO_FRAME 0u /* frame 0 is never handed out */
#define XB_RESERVED_REFS 8u /* GNTTAB_NR_RESERVED_ENTRIES: refs 0 to 7 */
#define XB_REF_STORE 1u /* GNTTAB_RESERVED_XENSTORE: a guest's xenstore ring */
#define XB_REF_CONSOLE                                                                                       \
    2u /* a guest's console ring; ref 0, which a forgotten ref reads as, is never granted */

/* A connection id is unique for the life of a box: slot in the low 16 bits, generation above; never 0. */
#define XB_CONN_SLOT(id) ((uint32_t)(id)&0xffffu)
#define XB_CONN_HV 0x10000u /* the hypervisor process itself: slot 0 */

enum xb_domain_state {
    XB_DOMAIN_FREE,
    XB_DOMAIN_RUNNING,
    XB_DOMAIN_PAUSED,
    XB_DOMAIN_SHUTDOWN, /* stopped by itself or crashed; tables still there */
    XB_DOMAIN_DYING, /* destroyed; a zombie until the last foreign mapping of its frames is gone */
};

/* The hypervisor's own record of a grant entry that is in use. 32 bytes. */
struct xb_active {
    _Atomic uint32_t lock; /* connection id of the holder, 0 when free */
    _Atomic uint32_t pins_ro; /* live read-only maps; written under the lock */
    _Atomic uint32_t pins_rw; /* live writable maps; written under the lock */
    _Atomic uint32_t frame; /* while pinned: the frame that the first map recorded */
    _Atomic uint32_t mark; /* XB_ACTIVE_* */
    _Atomic uint32_t sharer; /* connection id of the gntshr handle that owns the ref, 0: the domain itself */
    _Atomic uint32_t
        granted; /* the frame that was granted: what the shared entry says is its domain's to write */
    _Atomic uint32_t overrides; /* kernel aliases that the owner itself has of it; written under the lock */
};

#define XB_ACTIVE_REVOKE 1u /* the owner wants it back: report to the hypervisor when unlocked and unpinned */
#define XB_ACTIVE_REPORT 2u /* the hypervisor found it locked: report when unlocked */

enum xb_port_type {
    XB_PORT_FREE,
    XB_PORT_UNBOUND, /* remote_domid may bind to it */
    XB_PORT_INTERDOMAIN, /* connected to remote_domid, remote_port */
    XB_PORT_VIRQ, /* remote_port holds the virq */
};

/*
 * An event channel. `link` says what it is connected to, `word` who listens and what is pending; each is one
 * 64-bit atomic so that a notifier has a consistent view without a lock. Only the hypervisor process writes
 * `link`. `word` is also changed by notify (sets PENDING or delivers) and unmask.
 */
struct xb_port {
    _Atomic uint64_t link; /* XB_LINK() */
    _Atomic uint64_t word; /* XB_WORD(): connection id of the listening evtchn handle, and flags */
};

#define XB_LINK(type, domid, port) (((uint64_t)(type) << 48) | ((uint64_t)(domid) << 32) | (uint32_t)(port))
#define XB_LINK_TYPE(link) ((enum xb_port_type)(((link) >> 48) & 0xff))
#define XB_LINK_DOMID(link) ((uint16_t)((link) >> 32))
#define XB_LINK_PORT(link) ((uint32_t)(link))

#define XB_WORD(conn, flags) (((uint64_t)(flags) << 32) | (uint32_t)(conn))
#define XB_WORD_CONN(word) ((uint32_t)(word))
#define XB_PORT_PENDING ((uint64_t)1 << 32) /* arrived while masked or with no listener, not delivered yet */
#define XB_PORT_MASKED ((uint64_t)2 << 32) /* delivered to the listener, who has not unmasked it yet */

/*
 * A map record: one page mapped by one gnttab handle (the hypervisor's maptrack and gntdev's bookkeeping in
 * one). Written only by the handle's library while its owner lives, and by the reaper afterwards. 40 bytes.
 */
enum xb_map_state {
    XB_MAP_FREE,
    XB_MAP_PREPARED, /* about to take the entry's lock: no pin yet */
    XB_MAP_LIVE, /* one pin; the page may be in an address space. All that follow are pinned, too */
    XB_MAP_LEAVING, /* unmapped, but I/O still refers to the page */
    XB_MAP_STUCK, /* unmapped under I/O in a box that punishes: pinned until the box goes down */
};

/* Whose I/O refers to a page: it matters when the process dies. */
enum xb_io_kind {
    XB_IO_AIO, /* a dying process waits for it */
    XB_IO_URING, /* it outlives the process */
    XB_IO_KINDS,
};

struct xb_map {
    _Atomic uint32_t state;
    uint16_t domid; /* of the granter */
    uint8_t is_readonly;
    uint8_t notify; /* UNMAP_NOTIFY_* of <xen/sys/gntdev.h>, 0: none */
    uint32_t ref;
    uint32_t frame;
    uint32_t notify_offset; /* byte in the page to clear */
    uint32_t notify_port; /* port of the mapper's domain to notify */
    uint64_t address; /* in the mapper's address space, for dump */
    _Atomic uint16_t io_refs[XB_IO_KINDS]; /* requests in flight on the page */
    uint32_t alias; /* XB_ALIAS() */
};

/*
 * What a map record is for: the alias of a page and, for PV modes, which placeholder that page is. A user alias
 * is its own placeholder: index of the record and of the page struct are the same.
 */
enum xb_alias {
    XB_ALIAS_USER,
    XB_ALIAS_KERNEL, /* pv: as long as the user alias */
    XB_ALIAS_TEMPORARY, /* pv32: while somebody uses it */
};
#define XB_ALIAS(kind, page) ((uint32_t)(kind) << 24 | (uint32_t)(page))
#define XB_ALIAS_KIND(alias) ((enum xb_alias)((alias) >> 24 & 3))
#define XB_ALIAS_PAGE(alias) ((alias)&0xffffffu)
#define XB_ALIAS_LOCAL (1u << 26) /* a kernel's alias of a frame of its own domain */

/* p2m values */
#define XB_P2M_INVALID 0u /* frame 0 is never handed out */
#define XB_P2M_FOREIGN                                                                                       \
    ((uint64_t)1 << 63) /* a frame of another domain, or one of our own that is mapped as a grant */
#define XB_P2M_IDENTITY ((uint64_t)1 << 62) /* no RAM: the number of the pfn itself */

enum xb_page_state {
    XB_PAGE_FREE, /* never used */
    XB_PAGE_PLACEHOLDER, /* ballooned: no frame */
    XB_PAGE_MAPPED, /* a grant is mapped in its place */
    XB_PAGE_OFFLINE, /* set aside: no placeholder */
};

/* The page struct of a placeholder, by the index of its user record. 40 bytes. */
struct xb_page {
    _Atomic uint64_t p2m; /* XB_P2M_* and a frame */
    _Atomic uint32_t state; /* enum xb_page_state */
    _Atomic uint32_t refs; /* 1 while taken from the pool, and one more for each I/O user */
    uint32_t private; /* mapped: the frame */
    uint32_t user_map; /* index + 1 of the record of the user alias; 0: none */
    uint32_t kernel_map; /* the same of the kernel alias; always 0 in pv32 */
    uint32_t own_frame; /* what it had before it was used as a placeholder, which is wrong: XB_NO_FRAME */
    uint64_t kernel_address; /* the kernel alias: fixed as long as the chunk is its owner's; 0: no arena */
};

enum xb_conn_kind {
    XB_CONN_FREE,
    XB_CONN_GNTTAB,
    XB_CONN_GNTSHR,
    XB_CONN_EVTCHN,
    XB_CONN_CALL,
    XB_CONN_FOREIGN,
    XB_CONN_TOOL, /* the xenbox command and its helpers */
};

/*
 * A connection, and for evtchn the handle that it made: the slot of an evtchn handle stays (with pid 0) until
 * the last copy of the handle's descriptor is closed.
 */
struct xb_conn {
    _Atomic uint32_t id; /* 0: slot free */
    uint32_t kind; /* enum xb_conn_kind */
    int32_t pid;
    uint16_t domid;
    uint16_t restricted; /* evtchn: only this remote domain may be bound; XB_DOMID_NONE: no restriction */
    _Atomic uint64_t held; /* XB_HELD() of the grant entry whose lock is being taken or held; 0: none */
    _Atomic uint64_t sending; /* XB_HELD() of the port that is being delivered to; 0: none */
    _Atomic uint32_t chunks; /* maptrack chunks in use */
    _Atomic uint32_t records; /* map records in use, which count towards what its domain may have */
    uint32_t scratch; /* pv: the frame that all its empty placeholders show; its canary stays whole */
    uint32_t chunk[XB_CONN_CHUNKS];
};

#define XB_HELD(domid, index) (((uint64_t)1 << 63) | ((uint64_t)(domid) << 32) | (uint32_t)(index))
#define XB_HELD_DOMID(held) ((uint16_t)((held) >> 32))
#define XB_HELD_INDEX(held) ((uint32_t)(held))

struct xb_domain {
    _Atomic uint32_t state; /* enum xb_domain_state */
    _Atomic uint32_t generation; /* counts the domains that had this domid */
    uint8_t uuid[16]; /* the handle that libxenctrl shows; new for each domain */
    uint32_t ssidref;
    uint32_t shutdown_reason; /* SHUTDOWN_* of <xen/sched.h> */
    uint32_t max_pages; /* frames that the domain may own */
    _Atomic uint32_t tot_pages; /* frames that it owns now */
    _Atomic uint32_t store_frame; /* grant ref 1: the xenstore ring */
    _Atomic uint32_t store_port;
    _Atomic uint32_t console_frame; /* grant ref 2 */
    _Atomic uint32_t console_port;
    _Atomic uint32_t damage; /* pages that it had mapped until they went away under I/O (XB_BOX_PUNISH) */
    char name[64];
    _Atomic uint32_t ref_top; /* for readers of the tables: nothing was ever used from here on */
    _Atomic uint32_t port_top;

    /* Whole pages: xenforeignmemory_map_resource() maps them. */
    _Alignas(XB_FRAME_SIZE) grant_entry_v1_t grant[XB_MAX_REFS]; /* flags and domid: one 32-bit atomic word */
    struct xb_active active[XB_MAX_REFS];
    struct xb_port port[XB_MAX_PORTS];
};

/* Per frame: owner and state, kept by the hypervisor process. */
struct xb_frame {
    _Atomic uint32_t owner; /* XB_OWNER(domid), 0 when free */
    _Atomic uint32_t grants; /* grant entries that name it */
    _Atomic uint32_t m2p; /* the pfn that the owner has it as; XB_PFN_NONE when free */
    uint32_t reserved;
};

#define XB_PFN_NONE 0xffffffffu

#define XB_OWNER(domid) ((uint32_t)(domid) + 1)

struct xb_limits { /* all configurable at `xenbox up` */
    uint32_t grant_frames; /* a domain: 64, that is 32,768 refs */
    uint32_t maptrack_frames; /* a domain's records, in chunks; 0: only XB_CONN_CHUNKS counts */
    uint32_t event_channels; /* a domain */
    uint32_t gntalloc_pages; /* a domain: 1,024, as the module's default */
    uint32_t gntdev_pages; /* one map call: 65,536 */
};

/*
 * The canary of a scratch frame: what an empty placeholder shows. It is not what any guest has in a page, so that data
 * which comes from there, or goes there, is seen.
 */
#define XB_SCRATCH_WORD(i) (0x5ca7c4a0f4a3e000ULL + (uint64_t)(i))

/* How the kernel of a domain sees a page that it maps. */
enum xb_mode {
    XB_MODE_AUTOTRANSLATED, /* PVH, HVM: one map makes all views */
    XB_MODE_PV, /* user alias, kernel alias and p2m are steps of their own */
    XB_MODE_PV32, /* the same, and a kernel alias is only made while somebody uses it */
};

#define XB_BUG_WORDS 4u

/* Writes into frames that were free (hv/poison.h): how many, and the first. */
struct xb_stale {
    _Atomic uint32_t writes;
    uint32_t frame;
    uint32_t offset;
    uint32_t domid; /* whose frame it was */
};

struct xb_tables {
    uint64_t magic;
    uint32_t abi;
    uint32_t flags; /* XB_BOX_* */
    uint32_t mode; /* enum xb_mode */
    struct xb_limits limits;
    uint64_t bugs[XB_BUG_WORDS]; /* switches of bugs.h */
    _Atomic uint32_t hv_pid; /* 0 after an orderly down */
    char name[64];
    _Atomic uint32_t conn_top; /* for readers of the tables: nothing was ever used from here on */
    _Atomic uint32_t frame_top;
    struct xb_stale stale; /* strict boxes only */

    struct xb_conn conn[XB_MAX_CONNS];
    struct xb_frame frame[XB_MAX_FRAMES];
    struct xb_map map[XB_MAX_CHUNKS][XB_CHUNK_MAPS];
    struct xb_page page[XB_MAX_CHUNKS][XB_CHUNK_MAPS];
    struct xb_domain domain[XB_MAX_DOMAINS];
};

#define XB_BOX_STRICT 1u /* --mapping=strict */
#define XB_BOX_PUNISH                                                                                        \
    2u /* --punish: a mapping that goes away under I/O breaks domain 0, as on a real machine */

_Static_assert(sizeof(struct xb_active) == 32, "one half cache line");
_Static_assert(sizeof(struct xb_map) == 40, "map record");
_Static_assert(sizeof(struct xb_page) == 40, "page struct");
_Static_assert(sizeof(grant_entry_v1_t) == 8, "version 1 entry");

#endif
