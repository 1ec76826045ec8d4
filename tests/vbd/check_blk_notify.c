// SPDX-License-Identifier: MIT
/*
 * check_blk_notify.c: who wakes whom, how often, and how long one guest may keep a worker from the others.
 */
#include <config.h>

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <event2/event.h>

#include "backend/disk/disk_kind.h"
#include "backend/disk/engine.h"
#include "tests/vbd/ends.h"

/* What the guest does when it is notified, at once, on a processor of its own. */
static void (*on_interrupt)(void);

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
    static int (*next)(xenevtchn_handle *, evtchn_port_t);

    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "xenevtchn_notify");
    if (on_interrupt)
        on_interrupt();
    return next(handle, port);
}

/* One round at depth count with both ends asleep before: whether the frontend had to kick. */
static bool sleeping_round(struct ends *f, unsigned int count)
{
    bool must_notify;

    f->front.sring->rsp_event = f->front.rsp_cons + 1; /* the frontend sleeps */
    for (unsigned int i = 0; i < count; i++)
        ends_put(f, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, i * 8);
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&f->front, must_notify);
    if (must_notify)
        assert_int_equal(xenevtchn_notify(f->evtchn, f->port), 0);
    ends_expect(f, count, BLKIF_RSP_OKAY);
    while (f->queue.owed > 0 || f->queue.is_masked)
        ends_turn(f);
    return must_notify;
}

static void test_one_kick_and_one_interrupt(void **state)
{
    struct ends *f = *state;
    const struct queue_counters *counters = &f->queue.counters;
    uint64_t received, sent;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_await_rest(f, 0); /* of the binding */
    received = counters->kicks_received;
    sent = counters->kicks_sent;
    for (unsigned int round = 1; round <= 100; round++) {
        assert_true(sleeping_round(f, 1));
        assert_int_equal(counters->kicks_received - received, round);
        assert_int_equal(counters->kicks_sent - sent, round);
    }
    /* A whole ring at a time: one kick for all, and no interrupt that nobody asked for. */
    received = counters->kicks_received;
    sent = counters->kicks_sent;
    for (unsigned int round = 1; round <= 20; round++) {
        assert_true(sleeping_round(f, BLKIF_RING_SLOTS));
        assert_int_equal(counters->kicks_received - received, round);
        assert_int_equal(counters->kicks_sent - sent, round);
    }
    ends_stop(f, false);
}

static void test_a_guest_that_is_awake_gets_no_interrupt(void **state)
{
    struct ends *f = *state;
    const struct queue_counters *counters = &f->queue.counters;
    uint64_t sent;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_await_rest(f, 0);
    sent = counters->kicks_sent;
    for (unsigned int round = 0; round < 100; round++) {
        const unsigned int count = 1 + round % BLKIF_RING_SLOTS;

        f->front.sring->rsp_event = f->front.rsp_cons; /* lies behind: none is asked for */
        for (unsigned int i = 0; i < count; i++)
            ends_put(f, BLKIF_OP_READ, i, i * 8);
        ends_push(f);
        ends_expect(f, count, BLKIF_RSP_OKAY);
    }
    assert_int_equal(counters->kicks_sent, sent);
    ends_stop(f, false);
}

static struct ends *guest;
static unsigned int needless_kicks;

static void ask_again(void)
{
    bool must_notify;

    on_interrupt = NULL;
    ends_put(guest, BLKIF_OP_READ, 1, 0);
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&guest->front, must_notify);
    needless_kicks += must_notify;
}

/* The next request comes while the worker still delivers the answer to the last one: it will look by itself. */
static void test_a_worker_that_is_awake_asks_for_no_kick(void **state)
{
    struct ends *f = guest = *state;
    char reason[64];

    needless_kicks = 0;
    /* So that the worker sleeps before there is something to answer, having asked for a kick. */
    assert_int_equal(engine_misbehave(f->worker.engine, "slow=500", reason, sizeof(reason)), 0);
    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_await_rest(f, 0);
    for (unsigned int round = 0; round < 100; round++) {
        f->front.sring->rsp_event = f->front.rsp_cons + 1;
        ends_put(f, BLKIF_OP_READ, 0, 0);
        ends_push(f);
        on_interrupt = ask_again;
        while (f->page->rsp_prod - f->front.rsp_cons < 2)
            ends_turn(f);
        ends_expect(f, 2, BLKIF_RSP_OKAY);
        while (f->queue.owed > 0 || f->queue.is_masked)
            ends_turn(f);
        assert_null(on_interrupt);
    }
    assert_int_equal(needless_kicks, 0);
    ends_stop(f, false);
}

static void switch_notification(struct blk_queue *queue)
{
    queue->is_polled = !queue->is_polled;
    assert_int_equal(blk_queue_resume(queue, queue->worker), 0);
}

static void test_a_polled_queue_asks_for_no_kick(void **state)
{
    struct ends *f = *state;
    const struct queue_counters *counters = &f->queue.counters;
    uint64_t received;

    f->queue.is_polled = true;
    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_await_rest(f, 0);
    for (unsigned int round = 0; round < 100; round++)
        assert_false(sleeping_round(f, 1 + round % BLKIF_RING_SLOTS));
    assert_int_equal(counters->kicks_received, 1);
    assert_int_equal(counters->kicks_sent, 100); /* the frontend still sleeps */

    blk_queue_quiesce(&f->queue, switch_notification);
    ends_await_rest(f, 1);
    assert_false(f->queue.poll.is_in);
    received = counters->kicks_received;
    assert_true(sleeping_round(f, 1));
    assert_int_equal(counters->kicks_received, received + 1);

    blk_queue_quiesce(&f->queue, switch_notification);
    ends_await_rest(f, received + 1);
    assert_false(sleeping_round(f, 3));
    ends_stop(f, false);
    assert_null(f->worker.poller.first);
}

static uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Catalogue G01. Seventeen events are heard at once, then one every 5 ms. */
static void test_g01_an_event_storm_is_heard_late(void **state)
{
    struct ends *f = *state;
    uint64_t began, lasted;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    event_base_loop(f->worker.base, EVLOOP_NONBLOCK);
    began = now_us();
    do {
        for (int i = 0; i < 100; i++)
            xenevtchn_notify(f->evtchn, f->port);
        event_base_loop(f->worker.base, EVLOOP_NONBLOCK);
        lasted = now_us() - began;
    } while (lasted < 100000);
    assert_true(f->queue.counters.kicks_received <= 17 + lasted / 5000 + 2);
    ends_put(f, BLKIF_OP_READ, 0, 0); /* and it is served on */
    ends_push(f);
    ends_expect(f, 1, BLKIF_RSP_OKAY);
    assert_int_equal(f->queue.idle_events, 0);
    ends_stop(f, false);
}

static RING_IDX most_held_back;

static void *counting_window(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    const RING_IDX held_back = guest->queue.ring.native.req_cons - guest->page->rsp_prod;

    if (held_back > most_held_back)
        most_held_back = held_back;
    return disk_kind_mem.window(disk, op, offset_bytes, length_bytes);
}

/* Where pages are mapped and nothing is waited for, the guest can work on the first answers while others are made. */
static void test_answers_go_out_before_the_last_request_is_taken(void **state)
{
    struct ends *f = *state;

    guest = f;
    most_held_back = 0;
    f->queue.method = GRANT_IO_PERSISTENT;
    ends_start_in_memory(f, counting_window);
    ends_await_rest(f, 0);
    for (unsigned int i = 0; i < BLKIF_RING_SLOTS; i++)
        ends_put(f, BLKIF_OP_READ, i, 0);
    ends_push(f);
    ends_expect(f, BLKIF_RING_SLOTS, BLKIF_RSP_OKAY);
    assert_in_range(most_held_back, 1, BLKIF_RING_SLOTS / 4);
    ends_stop_in_memory(f);
}

#define GREEDY_REQUESTS 20000u

/* A guest that has another request whenever one is served, as if it were on a processor of its own. */
static void *greedy_window(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    struct ends *f = guest;

    while (f->front.req_prod_pvt < GREEDY_REQUESTS &&
           f->front.req_prod_pvt - f->page->rsp_prod < BLKIF_RING_SLOTS)
        ends_put(f, BLKIF_OP_READ, f->front.req_prod_pvt, 0);
    RING_PUSH_REQUESTS(&f->front);
    return disk_kind_mem.window(disk, op, offset_bytes, length_bytes);
}

struct bystander {
    struct ends *f;
    struct event *event;
    RING_IDX before, worst;
};

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval now;
    struct bystander *other = arg;
    const RING_IDX answered = other->f->queue.ring.native.rsp_prod_pvt;

    if (answered - other->before > other->worst)
        other->worst = answered - other->before;
    other->before = answered;
    event_add(other->event, &now); /* as a queue that has more to do */
}

/* The most that is answered between two turns of somebody else on the worker, who is waiting all the time. */
static RING_IDX greedy_turn(struct ends *f)
{
    struct bystander other = { .f = f };

    guest = f;
    ends_start_in_memory(f, greedy_window);
    other.event = event_new(f->worker.base, -1, 0, on_turn, &other);
    event_active(other.event, EV_TIMEOUT, 0);
    ends_put(f, BLKIF_OP_READ, 0, 0);
    ends_push(f);
    while (f->queue.ring.native.rsp_prod_pvt < GREEDY_REQUESTS)
        event_base_loop(f->worker.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    event_free(other.event);
    ends_stop_in_memory(f);
    return other.worst;
}

static void test_a_greedy_guest_gets_a_ring_a_turn_where_others_wait(void **state)
{
    struct ends *f = *state;

    f->worker.channels++; /* another's */
    assert_in_range(greedy_turn(f), 1, 2 * BLKIF_RING_SLOTS);
    f->worker.channels--;
    assert_int_equal(f->worker.channels, 0);
}

static void test_a_greedy_guest_gets_a_bounded_batch_also_when_alone(void **state)
{
    assert_in_range(greedy_turn(*state), 2 * BLKIF_RING_SLOTS + 1, 5 * BLKIF_RING_SLOTS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ends_setup, ends_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_kick_and_one_interrupt),
        TEST(test_a_guest_that_is_awake_gets_no_interrupt),
        TEST(test_a_worker_that_is_awake_asks_for_no_kick),
        TEST(test_a_polled_queue_asks_for_no_kick),
        TEST(test_g01_an_event_storm_is_heard_late),
        TEST(test_answers_go_out_before_the_last_request_is_taken),
        TEST(test_a_greedy_guest_gets_a_ring_a_turn_where_others_wait),
        TEST(test_a_greedy_guest_gets_a_bounded_batch_also_when_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
