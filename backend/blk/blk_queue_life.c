// SPDX-License-Identifier: MIT
/*
 * blk_queue_life.c: how a queue comes to its ring and leaves it. Whatever prefix of a start succeeded,
 * blk_queue_release lets go of exactly that; memory stays for the next start until blk_queue_fini.
 */
#include <config.h>

#include "backend/blk/blk_queue.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <event2/event.h>

#include "backend/disk/engine.h"
#include "backend/grant_unmap.h"
#include "backend/mapped_io.h"
#include "backend/worker.h"

#define CHUNK_UNSHARED 8u /* requests */

void blk_queue_say(struct blk_queue *queue, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(queue->reason, sizeof(queue->reason), fmt, args);
    va_end(args);
}

void blk_queue_clear(struct blk_queue *queue)
{
    const struct grant_io grants = queue->grants;
    const struct log_limit log_limit = queue->log_limit; /* or a guest that reconnects could say more */
    struct blk_loan *const loans = queue->loan_memory;

    memset(queue, 0, sizeof(*queue));
    queue->grants = grants;
    queue->log_limit = log_limit;
    queue->loan_memory = loans;
}

void blk_queue_fini(struct blk_queue *queue)
{
    grant_io_fini(&queue->grants);
    free(queue->loan_memory);
    queue->loan_memory = queue->loans = NULL;
}

static void on_buffer(struct buffer_waiter *waiter)
{
    struct blk_queue *queue = (struct blk_queue *)((char *)waiter - offsetof(struct blk_queue, waiter));

    event_active(&queue->pass_event, EV_TIMEOUT, 0);
}

/* Running from now on: it will be looked at, or the guest will say that there is something. */
static void queue_go(struct blk_queue *queue)
{
    queue->state = BLK_QUEUE_RUNNING;
    if (!queue->is_polled)
        return;
    blkif_ring_silence(&queue->ring);
    queue->poll.look = blk_queue_on_look;
    poller_add(&queue->worker->poller, queue->worker->base, &queue->poll);
}

/* Lets go of everything, in an order in which nothing that is still held uses what is gone. */
void blk_queue_release(struct blk_queue *queue)
{
    poller_remove(&queue->worker->poller, &queue->poll);
    channel_unbind(&queue->channel);
    if (event_initialized(&queue->pass_event))
        event_del(&queue->pass_event);
    buffer_pool_leave(engine_buffers(queue->worker->engine), &queue->waiter);
    if (queue->page)
        grant_unmap(queue->worker->gnttab, queue->page, 1, queue->label);
    queue->page = NULL;
    grant_io_release(&queue->grants);
    inflight_close(&queue->inflight, queue->is_kept);
    queue->state = BLK_QUEUE_STOPPED;
}

/* The records are of another version, and a new file cannot take their place. */
static void queue_say_foreign(struct blk_queue *queue, int error, uint32_t owed)
{
    const struct inflight *inflight = &queue->inflight;

    if (error == -ENOTSUP)
        blk_queue_say(
            queue,
            "in-flight records %s: expected version %u, found version %u with %u requests in flight, "
            "which only the xensplitd that wrote them could finish",
            queue->inflight_path, inflight_version(), inflight->foreign.version, owed);
    else
        blk_queue_say(queue, "in-flight records %s: cannot be replaced: %s", queue->inflight_path,
                      strerror(-error));
}

/*
 * Where the ring stands: at the beginning, or where the predecessor left it. One that closed before it went
 * has answered everything that it took: a frontend that stays connected all the same, as Linux' does with a
 * disk in use, goes on there.
 */
static int queue_attach(struct blk_queue *queue)
{
    const struct inflight_identity *identity = &queue->identity;
    struct inflight_replay replay = { 0 };
    bool is_replayed[BLKIF_RING_SLOTS] = { false };
    const uint32_t responses = blkif_ring_load(&((blkif_sring_t *)queue->page)->rsp_prod);
    int ret;

    if (!queue->is_adopting) {
        replay.requests = responses;
        inflight_begin(&queue->inflight, responses);
    } else {
        ret = inflight_replay(&queue->inflight, responses, &replay);
        if (ret && !queue->inflight.file) {
            queue_say_foreign(queue, ret, replay.requests - responses);
            return ret;
        }
        if (ret) {
            blk_queue_say(queue, "ring: expected %u responses owed, as the in-flight records say, found %u",
                          replay.count, replay.requests - responses);
            return ret;
        }
    }
    blkif_ring_attach(&queue->ring, queue->page, (enum blkif_abi)identity->abi, replay.requests, responses);
    for (unsigned int i = 0; i < replay.count; i++) {
        is_replayed[replay.record[i]] = true;
        blk_request_list_append(&queue->replayed, &queue->request[replay.record[i]]);
    }
    queue->owed = replay.count;
    for (unsigned int i = 0; i < BLKIF_RING_SLOTS; i++) {
        struct blk_request *request = &queue->request[i];

        request->queue = queue;
        request->record = inflight_record(&queue->inflight, i);
        if (!is_replayed[i]) {
            request->next = queue->idle;
            queue->idle = request;
        }
    }
    return 0;
}

static int queue_open_inflight(struct blk_queue *queue)
{
    int ret;

    if (queue->is_adopting)
        ret = inflight_adopt(&queue->inflight, queue->inflight_path, &queue->identity);
    else
        ret = inflight_create(&queue->inflight, queue->inflight_path, &queue->identity);
    if (ret)
        blk_queue_say(queue, "in-flight records %s: %s", queue->inflight_path,
                      ret == -ESTALE ? "they belong to another guest, ring or channel" : strerror(-ret));
    return ret;
}

/* A mapping belongs to the worker that made it. */
static int queue_map(struct blk_queue *queue, struct worker *worker, void **page)
{
    const struct inflight_identity *identity = &queue->identity;
    int ret;

    *page =
        xengnttab_map_grant_ref(worker->gnttab, identity->domid, identity->ring_ref, PROT_READ | PROT_WRITE);
    if (*page)
        return 0;
    ret = errno ? -errno : -EINVAL;
    blk_queue_say(queue,
                  "ring-ref: expected a writable grant of domain %u to this one, found that ref %u cannot be "
                  "mapped: %s",
                  identity->domid, identity->ring_ref, strerror(-ret));
    return ret;
}

static int queue_bind(struct blk_queue *queue, struct worker *worker)
{
    const struct inflight_identity *identity = &queue->identity;
    int ret =
        channel_bind(&queue->channel, worker, identity->domid, identity->remote_port, blk_queue_on_event);

    if (ret)
        blk_queue_say(
            queue,
            "event-channel: expected a port of domain %u that waits for this one, found that port %u "
            "cannot be bound: %s",
            identity->domid, identity->remote_port, strerror(-ret));
    return ret;
}

/*
 * Where requests share system calls, all that are there go together. Where each is done with a few stores, or with a
 * copy of its data, the guest gets its answers a few at a time, and works on them while the next are served.
 */
static void choose_chunks(struct blk_queue *queue)
{
    const bool is_mapped = queue->method == GRANT_IO_PERSISTENT;

    queue->answer_chunk = is_mapped && !queue->loans ? CHUNK_UNSHARED : BLKIF_RING_SLOTS;
    queue->intake_chunk =
        is_mapped && !disk_geometry(queue->disk)->is_file ? CHUNK_UNSHARED : BLKIF_RING_SLOTS;
}

/* Whether I/O may go straight to mapped pages is a question of the worker's engine too. Nothing is lent. */
static int queue_make_loans(struct blk_queue *queue, const struct worker *worker)
{
    const struct disk_geometry *geometry = disk_geometry(queue->disk);

    queue->may_borrow = mapped_io_choose(engine_name(worker->engine), queue->method, geometry->is_file,
                                         &queue->borrow_reason);
    queue->loans = NULL;
    if (!queue->may_borrow)
        return 0;
    if (!queue->loan_memory)
        queue->loan_memory = calloc(BLKIF_RING_SLOTS, sizeof(*queue->loan_memory));
    if (!queue->loan_memory)
        return -ENOMEM;
    queue->loans = queue->loan_memory;
    queue->loan_align_bytes = geometry->memory_align_bytes ? geometry->memory_align_bytes : BLKIF_GRANT_BYTES;
    return 0;
}

/* How this worker serves it. */
static int queue_choose(struct blk_queue *queue, const struct worker *worker)
{
    const int ret = queue_make_loans(queue, worker);

    choose_chunks(queue);
    return ret;
}

int blk_queue_start(struct blk_queue *queue)
{
    const struct inflight_identity *identity = &queue->identity;
    struct worker *worker = queue->worker;
    int ret;

    queue->waiter.wake = on_buffer;
    ret = queue_open_inflight(queue);
    if (ret)
        goto fail;
    event_assign(&queue->pass_event, worker->base, -1, 0, blk_queue_on_pass, queue);
    ret =
        grant_io_init(&queue->grants, worker->gnttab, (uint16_t)identity->domid, queue->method, queue->label);
    if (ret == 0)
        ret = queue_choose(queue, worker);
    if (ret) {
        blk_queue_say(queue, "no memory for a queue");
        goto fail;
    }
    ret = queue_map(queue, worker, &queue->page);
    if (ret)
        goto fail;
    ret = queue_attach(queue);
    if (ret)
        goto fail;
    ret = queue_bind(queue, worker);
    if (ret)
        goto fail;
    queue_go(queue);
    if (queue->is_adopting) {
        log_info(queue->label, "took the ring over with %u requests in flight", queue->owed);
        /* The predecessor may have died between a push and its notification, on either side. */
        channel_notify(&queue->channel);
        event_active(&queue->pass_event, EV_TIMEOUT, 0);
    }
    return 0;
fail:
    blk_queue_release(queue);
    return ret;
}

void blk_queue_stop(struct blk_queue *queue, bool is_kept)
{
    queue->is_kept = is_kept;
    queue->state = BLK_QUEUE_STOPPING;
    while (blk_request_list_take(&queue->replayed)) /* not begun: their records stay as they are */
        queue->owed--;
    blk_queue_pass(queue);
}

/* As a release, but the ring stays, and what stands in it. */
void blk_queue_park(struct blk_queue *queue)
{
    poller_remove(&queue->worker->poller, &queue->poll);
    channel_unbind(&queue->channel);
    event_del(&queue->pass_event);
    buffer_pool_leave(engine_buffers(queue->worker->engine), &queue->waiter);
    if (queue->worker->served == queue)
        queue->worker->served = NULL;
    grant_io_release(&queue->grants);
    queue->is_masked = false;
    queue->state = BLK_QUEUE_QUIET;
}

void blk_queue_quiesce(struct blk_queue *queue, void (*on_quiet)(struct blk_queue *queue))
{
    queue->on_quiet = on_quiet;
    if (queue->state == BLK_QUEUE_RUNNING)
        queue->state = BLK_QUEUE_QUIESCING;
    blk_queue_pass(queue);
}

int blk_queue_resume(struct blk_queue *queue, struct worker *worker)
{
    void *page = queue->page;
    int ret = 0;

    if (worker != queue->worker)
        ret = queue_map(queue, worker, &page);
    if (ret)
        return ret;
    ret = grant_io_init(&queue->grants, worker->gnttab, (uint16_t)queue->identity.domid, queue->method,
                        queue->label);
    if (ret == 0)
        ret = queue_choose(queue, worker);
    if (ret)
        blk_queue_say(queue, "no memory for a queue");
    else
        ret = queue_bind(queue, worker);
    if (ret) {
        grant_io_release(&queue->grants);
        if (page != queue->page)
            grant_unmap(worker->gnttab, page, 1, queue->label);
        return ret;
    }
    if (page != queue->page) {
        queue->left = queue->worker;
        queue->left_page = queue->page;
        queue->page = page;
        queue->worker = worker;
    }
    blkif_ring_attach(&queue->ring, page, (enum blkif_abi)queue->identity.abi, queue->ring.native.req_cons,
                      queue->ring.native.rsp_prod_pvt);
    event_assign(&queue->pass_event, worker->base, -1, 0, blk_queue_on_pass, queue);
    queue_go(queue);
    event_active(&queue->pass_event, EV_TIMEOUT, 0); /* requests that came meanwhile */
    return 0;
}

void blk_queue_leave(struct blk_queue *queue)
{
    if (queue->left_page)
        grant_unmap(queue->left->gnttab, queue->left_page, 1, queue->label);
    queue->left_page = NULL;
    queue->left = NULL;
}

void blk_queue_give_up(struct blk_queue *queue)
{
    queue->state = BLK_QUEUE_BROKEN;
    queue->on_broken(queue);
}
