// SPDX-License-Identifier: MIT
/*
 * blk_queue.c: the passes over a ring, whose life is in blk_queue_life.c. A pass takes in what the guest has
 * produced, fetches the data of all writes with one grant copy, gives everything to the disk with one system call,
 * delivers the data of all finished reads with one grant copy, and pushes all responses with at most one
 * notification.
 *
 * Rules that hold throughout: a slot is copied once and the copy is what is checked and used; a response goes
 * out after the last use of the guest's page; responses are pushed before the ring is looked at again, so that
 * there is a request struct for every slot; the event channel is unmasked only when the ring is empty, and never
 * again once its accounting was found broken.
 */
#include <config.h>

#include "backend/blk/blk_queue.h"

#include <stddef.h>
#include <string.h>
#include <event2/event.h>

#include "backend/config.h"
#include "backend/disk/engine.h"
#include "backend/worker.h"

#define STORM_EVENTS 16u /* in a row with nothing behind them */
#define STORM_DELAY_US 5000

/* Requests that one pass takes before others get their turn: as many as a ring holds, or more where there are none. */
#define QUEUE_BUDGET BLKIF_RING_SLOTS
#define QUEUE_BUDGET_ALONE (4 * BLKIF_RING_SLOTS)

static void queue_break(struct blk_queue *queue)
{
    queue->state = BLK_QUEUE_BROKEN;
    queue->on_broken(queue);
}

static void queue_break_ring(struct blk_queue *queue)
{
    blk_queue_say(
        queue,
        "ring: expected a request producer at most %u ahead of the responses (%u consumed, %u answered), "
        "found %u",
        BLKIF_RING_SLOTS, queue->ring.native.req_cons, queue->ring.native.rsp_prod_pvt,
        blkif_ring_load(&queue->ring.native.sring->req_prod));
    queue_break(queue);
}

/*
 * Pages of the guest's are mapped that should not be, and it would use them for something else after an answer: it gets
 * none any more. The records stay as those of requests in flight.
 */
static void queue_keep_answers(struct blk_queue *queue)
{
    if (queue->state != BLK_QUEUE_RUNNING && queue->state != BLK_QUEUE_QUIESCING)
        return; /* broken already, or about to stop */
    blk_queue_say(queue, "a request's pages cannot be unmapped, so that nothing may be answered any more: %s",
                  strerror(-queue->grants.unmap_error));
    queue_break(queue);
}

/* Another pass, soon, but after the other queues of this worker. */
static void queue_repost(struct blk_queue *queue)
{
    static const struct timeval now;

    if (queue->poll.is_in && !queue->replayed.first) /* it gets one anyway */
        return;
    event_add(&queue->pass_event, &now);
}

/*
 * The segments of an indirect request: copied once, into the record, so that whoever takes the ring over finds
 * what was checked and not what the guest may have made of its page since.
 */
static void queue_fetch_segments(struct blk_queue *queue, struct blkif_command *command)
{
    uint32_t bytes = blkif_command_indirect_bytes(command, &queue->limits);
    int error = 0;

    if (bytes == 0)
        return;
    grant_io_get(&queue->grants, command->indirect_ref, 0, bytes, command->seg, &error);
    grant_io_run(&queue->grants);
    command->is_lost = error != 0;
}

/* The next request, of the predecessor's or copied from the ring. NULL: none, or no buffer for it. */
static struct blk_request *queue_take(struct blk_queue *queue, unsigned int *available)
{
    struct blk_request *request = queue->replayed.first;

    if (request) {
        if (!blk_request_accept(request))
            goto wait;
        return blk_request_list_take(&queue->replayed);
    }
    request = queue->idle;
    if (*available > 0 && request && queue->state == BLK_QUEUE_RUNNING) {
        union blkif_slot slot;

        blkif_ring_copy(&queue->ring, &slot);
        blkif_command_decode(&request->record->command, &slot, queue->ring.abi);
        queue_fetch_segments(queue, &request->record->command);
        if (!blk_request_accept(request))
            goto wait;
        inflight_take(&queue->inflight, request->record, queue->ring.native.req_cons);
        blkif_ring_consume(&queue->ring);
        queue->idle = request->next;
        queue->owed++;
        (*available)--;
        return request;
    }
    return NULL;
wait:
    buffer_pool_wait(engine_buffers(queue->worker->engine), &queue->waiter);
    return NULL;
}

/* How many were taken. */
static unsigned int queue_intake(struct blk_queue *queue)
{
    struct blk_request_list taken = { 0 };
    struct blk_request *request;
    unsigned int available, count = 0;
    int ret = blkif_ring_available(&queue->ring);

    if (ret < 0) {
        queue_break_ring(queue);
        return 0;
    }
    available = (unsigned int)ret < queue->intake_chunk ? (unsigned int)ret : queue->intake_chunk;
    blkif_ring_expect(&queue->ring, available);
    while ((request = queue_take(queue, &available))) {
        blk_request_fill(request, &queue->grants);
        blk_request_list_append(&taken, request);
        count++;
    }
    grant_io_run(&queue->grants);
    while ((request = blk_request_list_take(&taken)))
        if (!blk_request_submit(request))
            blk_request_list_append(&queue->done, request);
    engine_start(queue->worker->engine);
    return count;
}

/* Shows the guest the answers that are there. False: it must not see them. */
static bool queue_push(struct blk_queue *queue)
{
    if (queue->grants.unmap_error) {
        queue_keep_answers(queue);
        return false;
    }
    if (blkif_ring_push(&queue->ring)) {
        queue->counters.kicks_sent++;
        channel_notify(&queue->channel);
    }
    return true;
}

/* Answers the first of what is done, as many as are answered together. */
static void answer_chunk(struct blk_queue *queue)
{
    struct blk_request *request;
    unsigned int count = 0;
    bool is_pushed;

    for (request = queue->done.first; request && count < queue->answer_chunk;
         request = request->next, count++)
        blk_request_empty(request, &queue->grants);
    grant_io_run(&queue->grants);
    request = queue->done.first;
    for (unsigned int i = 0; i < count; i++, request = request->next) {
        const struct blkif_command *command = &request->record->command;
        RING_IDX index = queue->ring.native.rsp_prod_pvt;

        blkif_ring_answer(&queue->ring, command->id, command->operation, blk_request_finish(request));
        inflight_answer(request->record, index);
    }
    is_pushed = queue_push(queue);
    for (unsigned int i = 0; i < count; i++) {
        request = blk_request_list_take(&queue->done);
        if (is_pushed)
            inflight_free(request->record);
        request->next = queue->idle;
        queue->idle = request;
        queue->owed--;
    }
}

static void queue_answer(struct blk_queue *queue)
{
    while (queue->done.first)
        answer_chunk(queue);
}

static bool is_ready(void *arg)
{
    const struct blk_queue *queue = arg;

    return blkif_ring_has_more(&queue->ring);
}

/*
 * True: there are requests; else the guest will notify. Spins only when nothing is in flight, whose completion
 * would come from the loop, and when no other queue of this worker has had a turn since our last one.
 */
static bool queue_look(struct blk_queue *queue)
{
    bool may_spin = queue->owed == 0 && queue->worker->served == queue;

    queue->worker->served = queue;
    if (is_ready(queue))
        return true;
    if (queue->is_polled) /* the guest is not asked to notify */
        return false;
    if (may_spin && spin_until(&queue->spin, config_get()->spin_us * 1000, is_ready, queue))
        return true;
    queue->is_armed = true;
    return blkif_ring_final_check(&queue->ring);
}

/* A pass looks at the ring by itself until it has armed it again: a notification would only be in the way. */
static void queue_disarm(struct blk_queue *queue)
{
    if (queue->is_armed)
        blkif_ring_silence(&queue->ring);
    queue->is_armed = false;
}

/* One that is to be quiet does what its predecessor had begun, and no more. */
static bool can_take(const struct blk_queue *queue)
{
    if (queue->waiter.is_waiting)
        return false;
    return queue->state == BLK_QUEUE_RUNNING ||
           (queue->state == BLK_QUEUE_QUIESCING && queue->replayed.first);
}

/* Tells who waits for it that the queue is quiet, or never will be. */
static void queue_say_quiet(struct blk_queue *queue)
{
    void (*on_quiet)(struct blk_queue *) = queue->on_quiet;

    if (queue->state == BLK_QUEUE_QUIESCING)
        blk_queue_park(queue);
    queue->on_quiet = NULL;
    on_quiet(queue);
}

/*
 * A guest that goes on notifying with nothing behind it is heard late, so that its events cost the other guests of
 * this worker next to nothing. What it asks for meanwhile is found with the next look, a few milliseconds later.
 */
static void queue_unmask(struct blk_queue *queue)
{
    static const struct timeval late = { .tv_usec = STORM_DELAY_US };

    if (queue->idle_events > STORM_EVENTS) {
        queue->idle_events =
            STORM_EVENTS; /* the pass after the delay unmasks, the next such event waits again */
        event_add(&queue->pass_event, &late);
        return;
    }
    queue->is_masked = false;
    channel_unmask(&queue->channel);
}

void blk_queue_pass(struct blk_queue *queue)
{
    const unsigned int budget = queue->worker->channels > 1 ? QUEUE_BUDGET : QUEUE_BUDGET_ALONE;
    bool has_more = false;

    queue->is_passing = true;
    queue_disarm(queue);
    queue_answer(queue);
    for (unsigned int taken = 0; taken < budget && can_take(queue); taken++) {
        const unsigned int count = queue_intake(queue);

        taken += count;
        if (count > 0)
            queue->idle_events = 0;
        queue_answer(queue);
        has_more = can_take(queue) && (queue->replayed.first || queue_look(queue));
        if (!has_more)
            break;
    }
    queue->is_passing = false;
    if (queue->waiter.is_promised) /* there was no need for it */
        buffer_pool_leave(engine_buffers(queue->worker->engine), &queue->waiter);
    if (queue->state == BLK_QUEUE_STOPPING && queue->owed == 0) {
        blk_queue_release(queue);
        queue->on_stopped(queue);
    } else if (queue->on_quiet && (queue->state == BLK_QUEUE_BROKEN || queue->owed == 0)) {
        queue_say_quiet(queue);
    } else if (has_more) {
        queue_repost(queue);
    } else if (queue->is_masked && can_take(queue)) {
        queue_unmask(queue);
    }
}

void blk_queue_on_pass(evutil_socket_t fd, short what, void *arg)
{
    blk_queue_pass(arg);
}

void blk_queue_on_event(struct channel *channel)
{
    struct blk_queue *queue = (struct blk_queue *)((char *)channel - offsetof(struct blk_queue, channel));

    queue->counters.kicks_received++;
    queue->idle_events++; /* until something is taken in */
    queue->is_masked = true;
    blk_queue_pass(queue);
}

bool blk_queue_on_look(struct poller_entry *entry)
{
    struct blk_queue *queue = (struct blk_queue *)((char *)entry - offsetof(struct blk_queue, poll));

    if (queue->owed > 0)
        engine_poll(queue->worker->engine);
    if (!queue->done.first && !(is_ready(queue) && can_take(queue)))
        return false;
    blk_queue_pass(queue);
    return true;
}

void blk_queue_inspect(const struct blk_queue *queue, struct device_report *report)
{
    static const char *const states[] = {
        [BLK_QUEUE_STOPPED] = "stopped",     [BLK_QUEUE_RUNNING] = "running",
        [BLK_QUEUE_BROKEN] = "broken",       [BLK_QUEUE_STOPPING] = "stopping",
        [BLK_QUEUE_QUIESCING] = "quiescing", [BLK_QUEUE_QUIET] = "suspended",
    };

    report->has_figures = true;
    report->queue_state = states[queue->state];
    report->has_channel = queue->channel.owner != NULL;
    report->port = queue->channel.port;
    report->notification = queue->is_polled ? "polling" : "events";
    report->in_flight = queue->owed;
    report->waits_for_buffer = queue->waiter.is_waiting;
    report->spin_limit_ns = queue->spin.limit_ns;
    report->has_mapped_io = queue->may_borrow;
    report->mapped_io_reason = queue->borrow_reason;
    report->pages_mapped = queue->grants.cache.count;
    memcpy(report->mapping_refusal, queue->grants.cache.refusal, sizeof(report->mapping_refusal));
    report->counters = queue->counters;
}

void blk_queue_request_done(struct blk_queue *queue, struct blk_request *request)
{
    if (!queue->done.first && !queue->is_passing)
        event_active(&queue->pass_event, EV_TIMEOUT, 0);
    blk_request_list_append(&queue->done, request);
}
