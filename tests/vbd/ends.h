// SPDX-License-Identifier: MIT
/*
 * ends.h: one queue with both ends of its ring in this process, so that every step can be looked at. Needs a box (or a
 * dom0): the grants and event channels are those of this very domain, and the queue's worker is the test's own thread.
 * What is not as it must be ends the test.
 */
#ifndef XENSPLIT_TESTS_VBD_ENDS_H
#define XENSPLIT_TESTS_VBD_ENDS_H

#include "backend/blk/blk_queue.h"
#include "backend/disk/disk.h"
#include "backend/worker.h"

#define PAGES 4u
#define UNGRANTED_REF 31000u

struct ends {
    struct worker worker;
    struct event *evtchn_event;
    struct disk *disk;
    struct blk_queue queue;
    char dir[64], image[96], inflight[96];
    unsigned int broken, stopped;
    /* the guest's side */
    xengntshr_handle *gntshr;
    xenevtchn_handle *evtchn;
    blkif_sring_t *page;
    blkif_front_ring_t front;
    uint32_t ring_ref, refs[PAGES];
    unsigned char *data;
    evtchn_port_t port;
};

/* For cmocka; the queue is filled in and not started. At the end nothing of it may hold on to the guest's pages. */
int ends_setup(void **state);
int ends_teardown(void **state);

/* A queue as it is before its first start, over this ring. */
struct blk_queue ends_queue(struct ends *f);
/* One turn of the worker's loop. */
void ends_turn(struct ends *f);
/* Both return when it is stopped, or quiet. */
void ends_stop(struct ends *f, bool is_kept);
void ends_quiesce(struct ends *f);

/* The guest: one request of eight sectors, with page id % PAGES; not seen before it is pushed. */
void ends_put(struct ends *f, uint8_t operation, uint64_t id, uint64_t sector);
/* Indirect, with one segment, in page 3, of page 0: eight sectors from sector 8 on. */
void ends_put_indirect(struct ends *f, uint8_t operation, uint64_t id);
/* Publishes, and notifies always. */
void ends_push(struct ends *f);
/* Until this many more responses are there, and no more; all must have this status. */
void ends_expect(struct ends *f, unsigned int count, int status);
/* Until the event of the binding was taken and the channel listens again. */
void ends_await_rest(struct ends *f, uint64_t kicks_before);

/*
 * As blk_queue_start and ends_stop, for a disk in memory that calls `window` for each request: when that was checked,
 * and before its data moves. It returns what disk_kind_mem's returns.
 */
typedef void *ends_window_fn(struct disk *disk, enum disk_op op, uint64_t offset_bytes,
                             uint64_t length_bytes);
void ends_start_in_memory(struct ends *f, ends_window_fn *window);
void ends_stop_in_memory(struct ends *f);

#endif
