// SPDX-License-Identifier: MIT
/*
 * check_poller.c: queues that are looked at share a worker with each other and with what the loop has to do.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <event2/event.h>

#include "backend/poller.h"

#define TURNS 20u
#define LOOK_NS 50000u /* longer than a slice */

struct queue {
    struct poller_entry entry;
    unsigned int looks;
    bool has_work;
    bool goes; /* at its next look */
};

static struct event_base *base;
static struct poller poller;
static unsigned int turns;

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool look(struct poller_entry *entry)
{
    struct queue *queue = (struct queue *)entry;
    const uint64_t began = now_ns();

    queue->looks++;
    if (queue->goes)
        poller_remove(&poller, entry);
    while (queue->has_work && now_ns() - began < LOOK_NS)
        ;
    return queue->has_work;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval now;

    if (++turns < TURNS)
        event_add(*(struct event **)arg, &now);
    else
        event_base_loopbreak(base);
}

/* Looks at the two queues while somebody else wants its turn all the time. */
static void run(struct queue *one, struct queue *other)
{
    static const struct timeval now;
    struct event *event;

    poller = (struct poller){ 0 };
    turns = 0;
    base = event_base_new();
    event = event_new(base, -1, 0, on_turn, &event);
    one->entry.look = other->entry.look = look;
    poller_add(&poller, base, &one->entry);
    poller_add(&poller, base, &other->entry);
    event_add(event, &now);
    event_base_dispatch(base);
    poller_remove(&poller, &one->entry);
    poller_remove(&poller, &other->entry);
    assert_null(poller.first);
    event_free(event);
    event_base_free(base);
}

static void test_busy_queues_have_a_pass_each_a_turn(void **state)
{
    struct queue one = { .has_work = true }, other = { .has_work = true };

    run(&one, &other);
    assert_in_range(one.looks, TURNS - 2, TURNS + 2);
    assert_int_equal(other.looks, one.looks);
}

static void test_an_idle_queue_is_looked_at_often(void **state)
{
    struct queue one = { 0 }, other = { 0 };

    run(&one, &other);
    assert_true(one.looks >= (TURNS - 2) * 16);
    assert_int_equal(other.looks, one.looks);
}

static void test_an_idle_queue_goes_on_beside_a_busy_one(void **state)
{
    struct queue one = { .has_work = true }, other = { 0 };

    run(&one, &other);
    assert_int_equal(other.looks, one.looks);
}

static void test_one_that_goes_is_not_looked_at_again(void **state)
{
    struct queue one = { .has_work = true }, other = { .goes = true };

    run(&one, &other);
    assert_int_equal(other.looks, 1);
    assert_true(one.looks >= TURNS - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_busy_queues_have_a_pass_each_a_turn),
        cmocka_unit_test(test_an_idle_queue_is_looked_at_often),
        cmocka_unit_test(test_an_idle_queue_goes_on_beside_a_busy_one),
        cmocka_unit_test(test_one_that_goes_is_not_looked_at_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
