// SPDX-License-Identifier: MIT
/*
 * blk_request.h: one request on its way: accepted (decoded, checked, with a place for its data), filled (a
 * write's data fetched), submitted to the disk, emptied (a read's data delivered), answered.
 *
 * Worker's thread only. What the guest asked for is in the in-flight record and nowhere else.
 */
#ifndef XENSPLIT_BACKEND_BLK_BLK_REQUEST_H
#define XENSPLIT_BACKEND_BLK_BLK_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/disk/disk.h"
#include "backend/grant_io.h"
#include "common/inflight.h"

struct blk_queue;

struct blk_request {
    struct disk_io io;
    struct iovec iov;
    struct blk_queue *queue;
    struct inflight_record *record;
    struct blk_request *next;
    void *data; /* a buffer of the pool, or the disk's window; NULL: no data */
    bool is_loan; /* the I/O goes to the guest's own pages (blk_loan.h) */
    bool is_window; /* data is the disk itself: no I/O follows */
    enum blkif_verdict verdict;
    int error; /* sticky: 0 or the first failure */
};

/* First in, first out. Zeroed is empty. */
struct blk_request_list {
    struct blk_request *first, *last;
};

static inline void blk_request_list_append(struct blk_request_list *list, struct blk_request *request)
{
    request->next = NULL;
    if (list->first)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
}

static inline struct blk_request *blk_request_list_take(struct blk_request_list *list)
{
    struct blk_request *request = list->first;

    if (request)
        list->first = request->next;
    return request;
}

/*
 * The record's command was decoded: checks it and finds a place for its data. False, and nothing has changed,
 * when the buffer pool is empty.
 */
bool blk_request_accept(struct blk_request *request);
/* A write's data: collected for the next grant_io_run. */
void blk_request_fill(struct blk_request *request, struct grant_io *grants);
/* True: the disk has it, and on_done of the queue follows. False: it is done already. */
bool blk_request_submit(struct blk_request *request);
/* A read's data: collected for the next grant_io_run. */
void blk_request_empty(struct blk_request *request, struct grant_io *grants);
/* Gives the data's place back; the status for the guest. */
int16_t blk_request_finish(struct blk_request *request);

#endif
