// SPDX-License-Identifier: MIT
/*
 * front_pump.c: progress of a handle: one epoll descriptor over the store and the event channels, one function
 * that does what there is to do, and the ways to wait for it.
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
#include "frontend/front.h"

#define MAX_PASSES 8 /* over the rings, in one call */
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

uint64_t front_now_ms(void)
{
    return now_ns() / 1000000u;
}

int front_poll_add(struct front *front, int fd, enum front_source source)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = source };

    return epoll_ctl(front->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void front_kick(struct front *front, uint32_t port)
{
    front->kicks++;
    link_notify(&front->link, port);
}

void front_sent(struct front *front, bool was_idle)
{
    if (was_idle && front->limits.io_timeout_ms)
        front->progress_ms = front_now_ms();
}

/* Do the rings belong to a backend? So they do while a closing device finishes what is in flight. */
static bool has_rings(const struct front *front)
{
    return front->phase == ATTACH_CONNECTED;
}

/* Will anything happen by itself? Not on an idle handle, nor on one that is broken until it is closed. */
static bool is_moving(const struct front *front)
{
    return front->state != XENFRONT_IDLE && front->state != XENFRONT_BROKEN;
}

static uint64_t io_deadline(const struct front *front)
{
    if (!front->limits.io_timeout_ms || !has_rings(front) || !front->ops->outstanding(front))
        return 0;
    return front->progress_ms + front->limits.io_timeout_ms;
}

int front_timeout_ms(const struct front *front)
{
    const uint64_t deadlines[] = { front->deadline_ms, link_is_masked(&front->link) ? front->unmask_ms : 0,
                                   io_deadline(front) };
    uint64_t first = 0, now;

    if (front->is_again || (front->is_draining && !front->ops->in_flight(front)))
        return 0;
    for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
        if (deadlines[i] && (!first || deadlines[i] < first))
            first = deadlines[i];
    }
    if (!first)
        return -1;
    now = front_now_ms();
    return first <= now ? 0 : first - now > INT_MAX ? INT_MAX : (int)(first - now);
}

/* Takes one event; whether something was behind it shows in the number of responses until the next one. */
static void event_take(struct front *front)
{
    if (!link_take(&front->link))
        return;
    front->interrupts++;
    front->unmask_ms = 0;
}

static void event_account(struct front *front)
{
    uint64_t responses = front->ops->responses(front);
    uint32_t excess;

    if (responses != front->responses_before) {
        front->responses_before = responses;
        front->idle_events = 0;
        return;
    }
    front->spurious++;
    if (front->idle_events++ < IDLE_EVENTS)
        return;
    excess = front->idle_events - IDLE_EVENTS;
    front->unmask_ms = front_now_ms() + (excess < 5 ? 1u << (excess - 1) : MAX_DELAY_MS);
}

static void event_unmask(struct front *front)
{
    if (!link_is_masked(&front->link) || (front->unmask_ms && front_now_ms() < front->unmask_ms))
        return;
    front->unmask_ms = 0;
    link_unmask(&front->link);
}

/* False when the ring is broken; the device is then latched. */
static bool take(struct front *front)
{
    int err = front->ops->take(front);

    if (err >= 0)
        return true;
    front_break(front, err);
    front_step(front);
    return false;
}

static void rings_service(struct front *front, bool is_event)
{
    enum front_pass pass = FRONT_PASS_MORE;

    front->is_again = true;
    for (int i = 0; i < MAX_PASSES && pass == FRONT_PASS_MORE; i++) {
        if (!take(front))
            return;
        front->ops->push(front);
        pass = front->ops->arm(front);
    }
    front->is_again = pass != FRONT_PASS_DONE;
    if (is_event && pass != FRONT_PASS_READY)
        event_account(front);
    if (!front->is_again)
        event_unmask(front);
}

void front_rest(struct front *front)
{
    if (!has_rings(front) || front->ops->arm(front) != FRONT_PASS_DONE)
        return;
    front->is_again = false;
    event_unmask(front);
}

static void timers_service(struct front *front)
{
    uint64_t deadline;

    if (front->limits.io_timeout_ms && front->ops->responses(front) != front->progress_responses) {
        front->progress_responses = front->ops->responses(front);
        front->progress_ms = front_now_ms();
    }
    deadline = io_deadline(front);
    if (deadline && deadline <= front_now_ms()) {
        front_error_set(&front->error, -ETIMEDOUT, "no response to %u requests for %u ms",
                        front->ops->outstanding(front), front->limits.io_timeout_ms);
        front_break(front, -ETIMEDOUT);
        front_step(front);
    }
    if (front->deadline_ms && front->deadline_ms <= front_now_ms())
        front_expired(front);
}

static void store_service(struct front *front)
{
    unsigned int events = attach_take_events(&front->attach);

    front->is_backend_event = events & ATTACH_EVENT_BACKEND;
    if (events)
        front_step(front);
}

static int pump_result(const struct front *front, uint64_t before)
{
    return front->state == XENFRONT_BROKEN ? front->cause : (int)(front->ops->completed(front) - before);
}

/* Sleeps up to timeout_ms until there is something to do, and does it. */
static int service(struct front *front, int timeout_ms)
{
    uint64_t before = front->ops->completed(front);
    struct epoll_event events[2];
    bool is_store = false, is_event = false;
    int count;

    if (front->is_inside)
        return -EBUSY;
    front->is_inside = true;
    count = epoll_wait(front->epoll_fd, events, 2, timeout_ms); /* a signal ends it early */
    for (int i = 0; i < count; i++) {
        is_store |= events[i].data.u32 == FRONT_SOURCE_STORE;
        is_event |= events[i].data.u32 == FRONT_SOURCE_EVENTS;
    }
    if (is_event && front->is_linked)
        event_take(front);
    if (has_rings(front))
        rings_service(front, is_event);
    if (is_store)
        store_service(front);
    if (front->is_draining && !front->ops->in_flight(front))
        front_drained(front);
    timers_service(front);
    front->is_inside = false;
    return pump_result(front, before);
}

int front_pump(struct front *front)
{
    return service(front, 0);
}

int front_poll(struct front *front)
{
    uint64_t before = front->ops->completed(front);

    if (front->is_inside)
        return -EBUSY;
    if (!has_rings(front))
        return pump_result(front, before);
    front->is_inside = true;
    if (take(front))
        front->ops->push(front);
    front->is_inside = false;
    return pump_result(front, before);
}

/* True when a response came while spinning. */
static bool spin(const struct front *front)
{
    uint64_t end = now_ns() + (uint64_t)front->limits.spin_us * 1000;

    do {
        for (int i = 0; i < SPIN_CHECK; i++) {
            if (front->ops->peek(front))
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

int front_wait(struct front *front, int timeout_ms)
{
    if (front->is_inside)
        return -EBUSY;
    if (!is_moving(front))
        return front_pump(front);
    if (has_rings(front)) {
        front->ops->push(front);
        if (front->limits.spin_us && front->spins < MAX_SPINS && front->ops->is_expecting(front) &&
            spin(front)) {
            front->spins++;
            return front_poll(front);
        }
        front->spins = 0;
        if (front->ops->arm(front) != FRONT_PASS_DONE)
            return front_pump(front);
    }
    return service(front, timeout_min(timeout_ms, front_timeout_ms(front)));
}
