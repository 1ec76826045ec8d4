// SPDX-License-Identifier: MIT
/* check_device_store.c: a store that collides, is flooded, is lost and comes back, and a daemon that ends. */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/log.h"
#include "common/xenbus.h"
#include "backend/device.h"
#include "backend/device_table.h"
#include "backend/toolstack.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/life.h"

static void test_collisions_are_retried(void **state)
{
    fake_store_collide(20);
    life_connect();
    fake_store_collide(20);
    assert_int_equal(xenbus_switch_state(toolstack_xs(), "backend/vbd/3/51712", XenbusStateClosing), 0);
    /* But not for ever. */
    fake_store_collide(100000);
    assert_int_equal(xenbus_switch_state(toolstack_xs(), "backend/vbd/3/51712", XenbusStateClosed), -EAGAIN);
    fake_store_collide(0);
}

static void test_flood_is_looked_at_now_and_then(void **state)
{
    struct timespec start, end;
    unsigned int before, looks;

    life_connect();
    before = fake_store_reads();
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < 20000; i++) {
        life_frontend(XenbusStateConnected);
        if (i % 10 == 0)
            event_base_loop(life_base, EVLOOP_NONBLOCK);
    }
    life_settle();
    /* 2,000 turns of the loop, five reads a look: a burst of looks, then one in 10 ms. */
    clock_gettime(CLOCK_MONOTONIC, &end);
    looks = 80 + ((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000) / 10;
    assert_true(fake_store_reads() - before < 5 * looks);
    life_frontend(XenbusStateClosing);
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosing);
}

static void test_lost_store_does_not_disconnect(void **state)
{
    life_connect();
    fake_store_cut(true);
    toolstack_suspect(-EBADF);
    while (toolstack_xs())
        event_base_loop(life_base, EVLOOP_ONCE);
    assert_true(life_family.is_connected);
    life_frontend(XenbusStateClosing);
    life_settle();
    assert_true(life_family.is_connected);
    fake_store_cut(false);
    while (!toolstack_xs())
        event_base_loop(life_base, EVLOOP_ONCE);
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosing);
    assert_false(life_family.is_connected);
}

static void lose_store(void)
{
    fake_store_cut(true);
    toolstack_suspect(-EBADF);
    while (toolstack_xs())
        event_base_loop(life_base, EVLOOP_ONCE);
}

static void find_store(void)
{
    fake_store_cut(false);
    while (!toolstack_xs())
        event_base_loop(life_base, EVLOOP_ONCE);
    life_settle();
}

/* Or the guest would wait for ever for a device that nobody serves. */
static void test_what_broke_while_the_store_was_away_is_closed(void **state)
{
    life_connect();
    lose_store();
    device_fail(life_family.device, "the test wants it");
    life_settle();
    assert_false(life_family.is_connected);
    find_store();
    assert_int_equal(life_own(), XenbusStateClosing);
    assert_true(life_has_error());
    life_frontend(XenbusStateClosed);
    life_settle();
    life_frontend(XenbusStateInitialising);
    life_settle();
    assert_int_equal(life_own(), XenbusStateInitWait);
}

static void test_what_failed_while_the_store_was_away_is_said(void **state)
{
    life_family.is_held = true;
    life_family.fail_setup = -EIO;
    life_attach();
    life_settle();
    assert_int_equal(life_family.setups, 1);
    lose_store();
    life_family.is_held = false;
    life_answer();
    life_settle();
    find_store();
    assert_int_equal(life_own(), XenbusStateClosing);
    assert_true(life_has_error());
}

static void test_store_that_forgot_the_device_keeps_it_served(void **state)
{
    life_connect();
    fake_store_cut(true);
    toolstack_suspect(-EBADF);
    while (toolstack_xs())
        event_base_loop(life_base, EVLOOP_ONCE);
    fake_store_remove("/local/domain/0");
    fake_store_remove("/local/domain/3");
    fake_store_cut(false);
    while (!toolstack_xs())
        event_base_loop(life_base, EVLOOP_ONCE);
    life_settle();
    assert_true(life_family.is_connected);
    assert_null(fake_store_read(BACK));
    fake_domain_set(3, 0);
    life_settle();
    assert_false(life_family.is_connected);
    assert_int_equal(device_table_count(), 0);
}

static void quit(bool is_parting)
{
    toolstack_refuse();
    device_table_each(life_quit_one, &is_parting);
    life_settle();
    assert_int_equal(device_table_count(), 0);
    assert_false(life_family.is_set_up);
}

static void start_again(void)
{
    toolstack_stop();
    assert_int_equal(toolstack_start(life_base), 0);
    life_settle();
}

static void test_quit_closes_and_the_next_daemon_reconnects(void **state)
{
    life_connect();
    quit(false);
    assert_int_equal(life_own(), XenbusStateClosed);
    life_frontend(XenbusStateClosed);
    start_again();
    assert_int_equal(life_own(), XenbusStateClosed);
    life_frontend(XenbusStateInitialising);
    life_settle();
    assert_int_equal(life_own(), XenbusStateInitWait);
    assert_int_equal(life_family.adoptions, 0);
}

static void test_keep_leaves_the_rings_to_the_next_daemon(void **state)
{
    life_connect();
    quit(true);
    assert_int_equal(life_own(), XenbusStateConnected);
    assert_int_equal(life_family.partings, 1);
    start_again();
    assert_true(life_family.is_connected);
    assert_int_equal(life_family.adoptions, 1);
    assert_int_equal(life_own(), XenbusStateConnected);
}

static void test_quit_in_the_middle_of_a_step(void **state)
{
    bool is_parting = false;

    life_attach();
    life_settle();
    life_family.is_held = true;
    life_frontend(XenbusStateInitialised);
    life_settle();
    toolstack_refuse();
    device_table_each(life_quit_one, &is_parting);
    life_family.is_held = false;
    life_answer();
    life_settle();
    assert_int_equal(device_table_count(), 0);
    assert_int_equal(life_own(), XenbusStateClosed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE_TEST(test_collisions_are_retried),
        LIFE_TEST(test_flood_is_looked_at_now_and_then),
        LIFE_TEST(test_lost_store_does_not_disconnect),
        LIFE_TEST(test_what_broke_while_the_store_was_away_is_closed),
        LIFE_TEST(test_what_failed_while_the_store_was_away_is_said),
        LIFE_TEST(test_store_that_forgot_the_device_keeps_it_served),
        LIFE_TEST(test_quit_closes_and_the_next_daemon_reconnects),
        LIFE_TEST(test_keep_leaves_the_rings_to_the_next_daemon),
        LIFE_TEST(test_quit_in_the_middle_of_a_step),
    };

    return LIFE_RUN("check_device_store", tests);
}
