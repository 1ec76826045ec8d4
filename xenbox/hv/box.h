// SPDX-License-Identifier: MIT
/*
 * box.h: a box as its hypervisor process knows it.
 *
 * The shared tables (layout.h) and beside them what only this process needs: who is connected, who listens,
 * what is allocated. One thread; nothing here is locked. Objects that an event may still refer to are not
 * freed at once but handed to box_bury().
 */
#ifndef XENBOX_HV_BOX_H
#define XENBOX_HV_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "xenbox/hv/layout.h"
#include "xenbox/hv/proto.h"

struct box;

/* Something that epoll watches. It is the first member of its object. */
struct source {
    void (*ready)(struct box *box, struct source *source, uint32_t events); /* NULL: buried */
    STAILQ_ENTRY(source) grave;
};

struct process; /* process.h */
struct conn; /* conn.h */
struct sink; /* sink.h */
struct share_notify; /* grant_table.c */

LIST_HEAD(process_list, process);
LIST_HEAD(conn_list, conn);
LIST_HEAD(sink_list, sink);
LIST_HEAD(share_notify_list, share_notify);

enum ref_state {
    REF_FREE,
    REF_GRANTED,
    REF_REVOKED, /* ended by its owner, still mapped or locked by somebody */
};

/* What the tables do not say about a domain. */
struct domain {
    uint8_t ref_state[XB_MAX_REFS]; /* enum ref_state */
    uint32_t ref_frame[XB_MAX_REFS]; /* what the entry names, where no program can write */
    uint16_t ref_mapper[XB_MAX_REFS]; /* and whom */
    uint32_t ref_top; /* no ref from here on was ever used */
    uint32_t ref_hint; /* no ref from XB_RESERVED_REFS to here is free */
    uint32_t gntalloc_pages; /* pages that gntshr handles share now */
    struct share_notify_list notifies;

    uint16_t port_holds[XB_MAX_PORTS]; /* unmap notifications that keep the port open */
    bool port_is_kernel[XB_MAX_PORTS]; /* outlives its listener: a guest kernel's port */
    uint32_t port_top;
    unsigned conns; /* its connections, and those that still have records to be dropped */
    bool is_ended; /* dying, and the kernel's own grants have been taken back */
};

struct box {
    struct xb_tables *tables;
    int tables_fd;
    int frames_fd;
    int dir_fd; /* locked as long as the box lives */
    int listen_fd;
    int spare_fd; /* given up for a moment to hang up on a client when no descriptor is left */
    int epoll_fd;
    bool is_stopping;
    struct conn *stopper; /* whom to answer when all is down */

    uint64_t *frame_is_used; /* bitmap */
    uint32_t *frame_holds; /* foreign maps and grants of the frame; FRAME_DOOMED */
    uint32_t frame_next, frame_window;
    struct poison *poison; /* poison.c; NULL: no frame holds the pattern */

    struct domain *domain[XB_MAX_DOMAINS]; /* NULL: free */
    uint32_t domid_next;

    struct process_list processes;
    struct conn_list conns; /* connected */
    struct conn_list dying; /* gone, some records still to be dropped */
    struct sink_list sinks;
    uint16_t slot_generation[XB_MAX_CONNS];
    uint8_t slot_users[XB_MAX_CONNS];
    uint32_t slot_next;
    uint32_t slot_window; /* slots in rotation: few, so that readers touch little of the table */
    uint64_t chunk_is_used[XB_MAX_CHUNKS / 64];

    STAILQ_HEAD(, source) graveyard;
};

/*
 * Makes the memory of a box named `name` in the existing directory `dir` and takes that directory's lock.
 * -EBUSY: another hypervisor process has it. Safe to fini after a failed init.
 */
int box_init(struct box *box, const char *dir, const char *name, const struct xb_limits *limits,
             uint32_t flags);
void box_fini(struct box *box);

/* Watches fd for `events`; the source must live until box_bury(). */
int box_watch(struct box *box, int fd, uint32_t events, struct source *source);

/*
 * Stops watching and closes. Closing alone is not enough: epoll watches the open file, and clients have copies
 * of some descriptors.
 */
void box_unwatch(struct box *box, int fd);

/* Frees the object that starts with `source` once no event of this round can refer to it. */
void box_bury(struct box *box, struct source *source);
void box_empty_graveyard(struct box *box);

/* The limits that `xenbox up` starts from, and setting one by its name ("grant-frames"): -ENOENT, -ERANGE. */
void limits_init(struct xb_limits *limits);
int limits_set(struct xb_limits *limits, const char *name, const char *value);

#endif
