// SPDX-License-Identifier: MIT
/*
 * check_queue_service.c: the queues of a device start, break and stop as one, however many they are: the device has one
 * answer to each step, and no queue keeps its worker when the start of another fails. Main thread and workers are one
 * thread here, whose mailboxes are emptied in turn.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "backend/daemon.h"
#include "backend/device.h"
#include "backend/queue_service.h"
#include "backend/worker.h"

#define QUEUES 3u

struct queue {
    struct queue_service service;
    int start_error;
    bool is_running;
    bool breaks_at_once; /* in its start */
    char reason[32];
};

static struct event_base *base;
static struct mailbox main_mailbox;
static struct worker worker;
static unsigned int workers_taken;
static struct device device;
static struct queue_services all;
static struct queue queues[QUEUES];
static unsigned int done_count, fail_count;
static int done_error;
static char said[256];

/* What queue_service.c calls. */

struct mailbox *daemon_mailbox(void)
{
    return &main_mailbox;
}

struct worker *worker_take_queue(void)
{
    workers_taken++;
    return &worker;
}

void worker_drop_queue(struct worker *dropped)
{
    assert_ptr_equal(dropped, &worker);
    workers_taken--;
}

void device_done(struct device *done, int error, const char *reason_fmt, ...)
{
    va_list args;

    assert_ptr_equal(done, &device);
    done_count++;
    done_error = error;
    said[0] = '\0';
    if (!reason_fmt)
        return;
    va_start(args, reason_fmt);
    vsnprintf(said, sizeof(said), reason_fmt, args);
    va_end(args);
}

void device_fail(struct device *failed, const char *reason_fmt, ...)
{
    va_list args;

    assert_ptr_equal(failed, &device);
    fail_count++;
    va_start(args, reason_fmt);
    vsnprintf(said, sizeof(said), reason_fmt, args);
    va_end(args);
}

/* A family of devices. */

static struct queue *queue_of(const struct queue_service *service)
{
    return (struct queue *)((uintptr_t)service - offsetof(struct queue, service));
}

static int start(struct queue_service *service)
{
    struct queue *queue = queue_of(service);

    assert_false(queue->is_running);
    queue->is_running = queue->start_error == 0;
    if (queue->breaks_at_once)
        queue_service_broke(service);
    return queue->start_error;
}

static void stop(struct queue_service *service)
{
    assert_true(queue_of(service)->is_running);
    queue_of(service)->is_running = false;
    queue_service_stopped(service);
}

static const char *reason(const struct queue_service *service)
{
    return queue_of(service)->reason;
}

static const struct queue_service_ops ops = { .start = start, .stop = stop, .reason = reason };

static int set_up(void **state)
{
    memset(queues, 0, sizeof(queues));
    for (unsigned int i = 0; i < QUEUES; i++)
        snprintf(queues[i].reason, sizeof(queues[i].reason), "reason of %u", i);
    done_count = fail_count = workers_taken = 0;
    base = event_base_new();
    assert_non_null(base);
    assert_int_equal(mailbox_init(&main_mailbox, base), 0);
    assert_int_equal(mailbox_init(&worker.mailbox, base), 0);
    queue_services_init(&all, &device, &ops);
    return 0;
}

static int tear_down(void **state)
{
    mailbox_fini(&worker.mailbox);
    mailbox_fini(&main_mailbox);
    event_base_free(base);
    return 0;
}

static void deliver_all(void)
{
    for (unsigned int i = 0; i < 4; i++) {
        mailbox_deliver(&worker.mailbox);
        mailbox_deliver(&main_mailbox);
    }
}

static void start_all(void)
{
    for (unsigned int i = 0; i < QUEUES; i++)
        assert_ptr_equal(queue_service_take(&all, &queues[i].service), &worker);
    queue_services_start(&all);
    assert_int_equal(done_count, 0);
    deliver_all();
    assert_int_equal(done_count, 1);
}

static void expect_nothing_held(void)
{
    for (unsigned int i = 0; i < QUEUES; i++) {
        assert_false(queues[i].is_running);
        assert_null(queues[i].service.worker);
    }
    assert_int_equal(workers_taken, 0);
    assert_false(all.is_connected);
    assert_false(queue_services_any(&all));
}

static void stop_all(void)
{
    done_count = 0;
    queue_services_stop(&all);
    assert_false(all.is_connected);
    deliver_all();
    assert_int_equal(done_count, 1);
    assert_int_equal(done_error, 0);
    expect_nothing_held();
}

static void test_one_answer_for_all_queues(void **state)
{
    for (unsigned int round = 0; round < 3; round++) {
        done_count = 0;
        start_all();
        assert_int_equal(done_error, 0);
        assert_true(all.is_connected);
        assert_int_equal(workers_taken, QUEUES);
        stop_all();
    }
}

static void test_a_stop_without_queues_is_done_at_once(void **state)
{
    queue_services_stop(&all);
    assert_int_equal(done_count, 1);
    assert_int_equal(done_error, 0);
}

/* Whichever it is; the first that says so is the reason. */
static void test_one_that_cannot_start_stops_the_others(void **state)
{
    for (unsigned int bad = 0; bad < QUEUES; bad++) {
        done_count = 0;
        queues[bad].start_error = -EPROTO;
        start_all();
        assert_int_equal(done_error, -EPROTO);
        assert_string_equal(said, queues[bad].reason);
        expect_nothing_held();
        queues[bad].start_error = 0;
    }
    done_count = 0;
    for (unsigned int i = 0; i < QUEUES; i++)
        queues[i].start_error = -ENOMEM;
    start_all();
    assert_int_equal(done_error, -ENOMEM);
    expect_nothing_held();
    queue_services_stop(&all); /* as a device does after a failure */
    assert_int_equal(done_count, 2);
}

static void test_one_that_breaks_fails_the_device(void **state)
{
    start_all();
    queue_service_broke(&queues[1].service);
    deliver_all();
    assert_int_equal(fail_count, 1);
    assert_string_equal(said, "reason of 1");
    stop_all();
    assert_int_equal(fail_count, 1);
}

/* Its complaint arrives before the others have started. */
static void test_one_that_breaks_while_others_start(void **state)
{
    queues[2].breaks_at_once = true;
    start_all();
    assert_int_equal(fail_count, 0);
    assert_int_equal(done_error, -EIO);
    assert_string_equal(said, "reason of 2");
    expect_nothing_held();
}

static void test_a_break_that_comes_after_the_stop_is_nothing(void **state)
{
    start_all();
    queue_service_broke(&queues[0].service);
    stop_all();
    assert_int_equal(fail_count, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_answer_for_all_queues),
        TEST(test_a_stop_without_queues_is_done_at_once),
        TEST(test_one_that_cannot_start_stops_the_others),
        TEST(test_one_that_breaks_fails_the_device),
        TEST(test_one_that_breaks_while_others_start),
        TEST(test_a_break_that_comes_after_the_stop_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
