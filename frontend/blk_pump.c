// SPDX-License-Identifier: MIT
/*
 * blk_pump.c: progress of a vbd handle: one epoll descriptor over the store and the event channel, one
 * function that does what there is to do, and the ways to wait for it.
 *
 * An event is unmasked only when there is no work left, and late when events keep coming with nothing behind
 * them, so that a backend cannot keep the program busy with notifications (E05). One call of the pump does a
 * bounded amount of work and asks to be called again when there is more.
 */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <time.h>

#include "common/barrier.h"
#include "frontend/blkfront.h"

#define MAX_PASSES 8 /* over the ring, in one call */
#define IDLE_EVENTS 16u /* in a row, before unmasking is delayed */
#define MAX_DELAY_MS 16u
#define SPIN_CHECK 32 /* looks at the ring between two looks at the clock */
#define MAX_SPINS 64u /* before the store gets its turn */

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t blk_now_ms(void)
{
    return now_ns() / 1000000u;
}

int blk_poll_add(struct xenfront_blk *blk, int fd, uint32_t source)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = source };

    return epoll_ctl(blk->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

uint64_t blk_completed(const struct xenfront_blk *blk)
{
    return blk->stats.reads + blk->stats.writes + blk->stats.flushes;
}

uint32_t blk_push(struct xenfront_blk *blk)
{
    bool was_idle = blk_ring_outstanding(&blk->queue.ring) == 0;
    uint32_t issued = blk_queue_issue(&blk->queue);

    if (issued && was_idle && blk->options.io_timeout_ms)
        blk->progress_ms = blk_now_ms();
    if (blk_ring_push(&blk->queue.ring)) {
        blk->stats.kicks++;
        xenevtchn_notify(blk->link.evtchn, blk->link.port);
    }
    return issued;
}

int xenfront_blk_fd(const struct xenfront_blk *blk)
{
    return blk->epoll_fd;
}

unsigned int xenfront_blk_in_flight(const struct xenfront_blk *blk)
{
    return blk->queue.in_flight;
}

/* Does the ring belong to a backend? So it does while a closing device finishes what is in flight. */
static bool has_ring(const struct xenfront_blk *blk)
{
    return blk->phase == ATTACH_CONNECTED;
}

/* Will anything happen by itself? Not on an idle handle, nor on one that is broken until it is closed. */
static bool is_moving(const struct xenfront_blk *blk)
{
    return blk->state != XENFRONT_IDLE && blk->state != XENFRONT_BROKEN;
}

static uint64_t io_deadline(const struct xenfront_blk *blk)
{
    if (!blk->options.io_timeout_ms || !has_ring(blk) || !blk_ring_outstanding(&blk->queue.ring))
        return 0;
    return blk->progress_ms + blk->options.io_timeout_ms;
}

int xenfront_blk_timeout_ms(const struct xenfront_blk *blk)
{
    const uint64_t deadlines[] = { blk->deadline_ms, blk->is_masked ? blk->unmask_ms : 0, io_deadline(blk) };
    uint64_t first = 0, now;

    if (blk->is_again || (blk->is_draining && !blk->queue.in_flight))
        return 0;
    for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
        if (deadlines[i] && (!first || deadlines[i] < first))
            first = deadlines[i];
    }
    if (!first)
        return -1;
    now = blk_now_ms();
    return first <= now ? 0 : first - now > INT_MAX ? INT_MAX : (int)(first - now);
}

/* Takes one event; whether something was behind it shows in the number of responses until the next one. */
static void event_take(struct xenfront_blk *blk)
{
    xenevtchn_port_or_error_t port = xenevtchn_pending(blk->link.evtchn);

    if (port < 0)
        return;
    blk->stats.interrupts++;
    blk->is_masked = true;
    blk->unmask_ms = 0;
}

static void event_account(struct xenfront_blk *blk)
{
    uint32_t excess;

    if (blk->stats.ring_responses != blk->responses_before) {
        blk->responses_before = blk->stats.ring_responses;
        blk->idle_events = 0;
        return;
    }
    blk->stats.spurious++;
    if (blk->idle_events++ < IDLE_EVENTS)
        return;
    excess = blk->idle_events - IDLE_EVENTS;
    blk->unmask_ms = blk_now_ms() + (excess < 5 ? 1u << (excess - 1) : MAX_DELAY_MS);
}

static void event_unmask(struct xenfront_blk *blk)
{
    if (!blk->is_masked || (blk->unmask_ms && blk_now_ms() < blk->unmask_ms))
        return;
    blk->is_masked = false;
    blk->unmask_ms = 0;
    xenevtchn_unmask(blk->link.evtchn, blk->link.port);
}

/* False when the ring is broken; the device is then latched. */
static bool reap(struct xenfront_blk *blk)
{
    int done = blk_queue_reap(&blk->queue, (uint32_t)BLK_RING_SLOTS);

    if (done >= 0)
        return true;
    front_error_set(&blk->error, done, "the backend broke the ring: %s", blk->queue.ring.problem);
    blk_break(blk, done);
    blk_step(blk);
    return false;
}

static void ring_service(struct xenfront_blk *blk, bool is_event)
{
    blk->is_again = true;
    for (int pass = 0; pass < MAX_PASSES && blk->is_again; pass++) {
        if (!reap(blk))
            return;
        blk_push(blk);
        blk->is_again = blk_ring_arm(&blk->queue.ring);
    }
    if (is_event)
        event_account(blk);
    if (!blk->is_again)
        event_unmask(blk);
}

static void timers_service(struct xenfront_blk *blk)
{
    uint64_t deadline;

    if (blk->stats.ring_responses != blk->progress_responses && blk->options.io_timeout_ms) {
        blk->progress_responses = blk->stats.ring_responses;
        blk->progress_ms = blk_now_ms();
    }
    deadline = io_deadline(blk);
    if (deadline && deadline <= blk_now_ms()) {
        front_error_set(&blk->error, -ETIMEDOUT, "no response to %u requests for %u ms",
                        blk_ring_outstanding(&blk->queue.ring), blk->options.io_timeout_ms);
        blk_break(blk, -ETIMEDOUT);
        blk_step(blk);
    }
    if (blk->deadline_ms && blk->deadline_ms <= blk_now_ms())
        blk_expired(blk);
}

static void store_service(struct xenfront_blk *blk)
{
    unsigned int events = attach_take_events(&blk->attach);

    blk->is_backend_event = events & ATTACH_EVENT_BACKEND;
    if (events)
        blk_step(blk);
}

static int pump_result(const struct xenfront_blk *blk, uint64_t before)
{
    return blk->state == XENFRONT_BROKEN ? blk->cause : (int)(blk_completed(blk) - before);
}

/* Sleeps up to timeout_ms until there is something to do, and does it. */
static int service(struct xenfront_blk *blk, int timeout_ms)
{
    uint64_t before = blk_completed(blk);
    struct epoll_event events[2];
    bool is_store = false, is_event = false;
    int count;

    if (blk->is_inside)
        return -EBUSY;
    blk->is_inside = true;
    count = epoll_wait(blk->epoll_fd, events, 2, timeout_ms); /* a signal ends it early */
    for (int i = 0; i < count; i++) {
        is_store |= events[i].data.u32 == BLK_SOURCE_STORE;
        is_event |= events[i].data.u32 == BLK_SOURCE_EVENTS;
    }
    if (is_event && blk->is_linked)
        event_take(blk);
    if (has_ring(blk))
        ring_service(blk, is_event);
    if (is_store)
        store_service(blk);
    if (blk->is_draining && !blk->queue.in_flight)
        blk_drained(blk);
    timers_service(blk);
    blk->is_inside = false;
    return pump_result(blk, before);
}

int xenfront_blk_pump(struct xenfront_blk *blk)
{
    return service(blk, 0);
}

int xenfront_blk_poll(struct xenfront_blk *blk)
{
    uint64_t before = blk_completed(blk);

    if (blk->is_inside)
        return -EBUSY;
    if (!has_ring(blk))
        return pump_result(blk, before);
    blk->is_inside = true;
    if (reap(blk))
        blk_push(blk);
    blk->is_inside = false;
    return pump_result(blk, before);
}

/* True when a response came while spinning. */
static bool spin(const struct xenfront_blk *blk)
{
    uint64_t end = now_ns() + (uint64_t)blk->options.spin_us * 1000;

    do {
        for (int i = 0; i < SPIN_CHECK; i++) {
            if (blk_ring_peek(&blk->queue.ring))
                return true;
            cpu_relax();
        }
    } while (now_ns() < end);
    return false;
}

static int timeout_min(int a, int b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

int xenfront_blk_wait(struct xenfront_blk *blk, int timeout_ms)
{
    if (blk->is_inside)
        return -EBUSY;
    if (!is_moving(blk))
        return xenfront_blk_pump(blk);
    if (has_ring(blk)) {
        blk_push(blk);
        if (blk->options.spin_us && blk->spins < MAX_SPINS && blk_ring_outstanding(&blk->queue.ring) &&
            spin(blk)) {
            blk->spins++;
            return xenfront_blk_poll(blk);
        }
        blk->spins = 0;
        if (blk_ring_arm(&blk->queue.ring))
            return xenfront_blk_pump(blk);
    }
    return service(blk, timeout_min(timeout_ms, xenfront_blk_timeout_ms(blk)));
}
