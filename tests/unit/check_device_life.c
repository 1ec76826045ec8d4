// SPDX-License-Identifier: MIT
/*
 * check_device_life.c: the life of devices, with a family that takes its time and asserts that it is called in order.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <event2/event.h>

#include "common/log.h"
#include "common/xenbus.h"
#include "backend/blk/vbd.h"
#include "backend/daemon.h"
#include "backend/device.h"
#include "backend/device_queue.h"
#include "backend/device_table.h"
#include "backend/domain.h"
#include "backend/toolstack.h"
#include "tests/unit/fake_store.h"

#define BACK "/local/domain/0/backend/vbd/3/51712"
#define FRONT "/local/domain/3/device/vbd/51712"
#define WATCHES_OF_A_DAEMON 3 /* backend/vbd, backend/vif and @releaseDomain: none of a device */

static struct event_base *base;

/* --- the family -------------------------------------------------------------------------------------------- */

/* What the devices (of which there is one) went through. */
static struct {
    bool is_set_up, is_connected, is_busy;
    unsigned int setups, connects, disconnects, teardowns;
    unsigned int adoptions, partings;
    int fail_setup, fail_connect; /* errors to give */
    bool is_slow; /* answer from the loop, after this many turns: */
    unsigned int turns;
    bool is_held; /* answer only when the test says so */
    struct device *device;
    struct event *answer;
    int error;
} family;

static void answer(void)
{
    struct device *device = family.device;
    const int error = family.error;

    family.is_busy = false;
    device_done(device, error, "the test wants error %d", error);
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
    answer();
}

static void finish(struct device *device, int error)
{
    const struct timeval wait = { .tv_usec = family.turns };

    family.device = device;
    family.error = error;
    if (family.is_held)
        return;
    if (family.is_slow)
        evtimer_add(family.answer, &wait);
    else
        answer();
}

static void begin(void)
{
    assert_false(family.is_busy);
    family.is_busy = true;
}

static void family_setup(struct device *device)
{
    begin();
    assert_false(family.is_connected);
    family.is_set_up = true;
    family.setups++;
    finish(device, family.fail_setup);
}

static void family_connect(struct device *device)
{
    begin();
    assert_true(family.is_set_up && !family.is_connected);
    family.is_connected = true;
    family.connects++;
    family.adoptions += device->is_adopting;
    finish(device, family.fail_connect);
}

static void family_disconnect(struct device *device)
{
    begin();
    assert_true(family.is_connected);
    family.is_connected = false;
    family.disconnects++;
    family.partings += device->is_parting;
    finish(device, 0);
}

static void family_teardown(struct device *device)
{
    begin();
    assert_true(family.is_set_up && !family.is_connected);
    family.is_set_up = false;
    family.teardowns++;
    finish(device, 0);
}

/* In the place of the block devices. */
const struct device_family_ops vbd_family_ops = {
    .name = "vbd",
    .setup = family_setup,
    .connect = family_connect,
    .disconnect = family_disconnect,
    .teardown = family_teardown,
};

/* --- what the others do ------------------------------------------------------------------------------------ */

static int set_up(void **state)
{
    memset(&family, 0, sizeof(family));
    fake_store_reset();
    fake_domain_set(3, 30);
    base = event_base_new();
    family.answer = evtimer_new(base, on_answer, NULL);
    assert_int_equal(domains_open(), 0);
    assert_int_equal(device_queue_start(base), 0);
    return toolstack_start(base);
}

static void quit_one(struct device *device, void *arg)
{
    device_quit(device, *(bool *)arg);
}

static void settle(void);

static int tear_down(void **state)
{
    bool is_parting = false;

    fake_store_cut(false);
    family.is_held = family.is_slow = false;
    toolstack_refuse();
    device_table_each(quit_one, &is_parting);
    settle();
    assert_int_equal(device_table_count(), 0);
    assert_false(family.is_set_up || family.is_connected || family.is_busy);
    toolstack_stop();
    device_queue_stop();
    domains_close();
    event_free(family.answer);
    event_base_free(base);
    return 0;
}

/* Until nothing moves any more; late looks come within 10 ms. */
static void settle(void)
{
    struct timespec start, now;
    unsigned int idle = 0;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        unsigned int before = fake_store_reads() + family.setups + family.disconnects;
        event_base_loop(base, EVLOOP_NONBLOCK);
        unsigned int after = fake_store_reads() + family.setups + family.disconnects;
        clock_gettime(CLOCK_MONOTONIC, &now);
        idle = before == after && !(family.is_busy && family.is_slow) ? idle + 1 : 0;
        if (idle > 0 && idle < 20)
            nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    } while (idle < 20 && now.tv_sec - start.tv_sec < 20);
    assert_true(idle >= 20);
}

static void write_number(const char *dir, const char *key, int value)
{
    char path[128], text[16];

    snprintf(path, sizeof(path), "%s/%s", dir, key);
    snprintf(text, sizeof(text), "%d", value);
    fake_store_write(path, text);
}

static void attach(void)
{
    write_number(FRONT, "state", XenbusStateInitialising);
    fake_store_write(BACK "/frontend", FRONT);
    write_number(BACK, "frontend-id", 3);
    write_number(BACK, "online", 1);
    write_number(BACK, "state", XenbusStateInitialising);
}

static void frontend(enum xenbus_state state)
{
    write_number(FRONT, "state", state);
}

static int own(void)
{
    const char *state = fake_store_read(BACK "/state");

    return state ? atoi(state) : -1;
}

static void connect_both(void)
{
    attach();
    settle();
    assert_int_equal(own(), XenbusStateInitWait);
    frontend(XenbusStateInitialised);
    settle();
    assert_int_equal(own(), XenbusStateConnected);
    frontend(XenbusStateConnected);
    settle();
}

static bool has_error(void)
{
    return fake_store_read("/local/domain/0/error/backend/vbd/3/51712/error") != NULL;
}

/* --- tests ------------------------------------------------------------------------------------------------- */

static void test_attach_connect_close_and_again(void **state)
{
    connect_both();
    frontend(XenbusStateClosing);
    settle();
    assert_int_equal(own(), XenbusStateClosing);
    assert_false(family.is_connected);
    frontend(XenbusStateClosed);
    settle();
    assert_int_equal(own(), XenbusStateClosed);
    frontend(XenbusStateInitialising);
    settle();
    assert_int_equal(own(), XenbusStateInitWait);
    frontend(XenbusStateInitialised);
    settle();
    assert_int_equal(own(), XenbusStateConnected);
    assert_int_equal(family.connects, 2);
    assert_false(has_error());
}

static void test_watch_fires_again_and_nothing_happens(void **state)
{
    connect_both();
    for (int i = 0; i < 3; i++) {
        frontend(XenbusStateConnected);
        write_number(BACK, "online", 1);
        settle();
    }
    assert_int_equal(family.setups, 1);
    assert_int_equal(family.connects, 1);
}

static void test_unplug_is_finished_and_forgotten(void **state)
{
    connect_both();
    write_number(BACK, "online", 0);
    write_number(BACK, "state", XenbusStateClosing);
    settle();
    assert_true(family.is_connected); /* until the frontend lets go */
    frontend(XenbusStateClosing);
    settle();
    frontend(XenbusStateClosed);
    settle();
    assert_int_equal(own(), XenbusStateClosed);
    assert_int_equal(device_table_count(), 0);
    assert_int_equal(fake_store_watches(), WATCHES_OF_A_DAEMON);
}

/* The node goes in the middle of each step: nothing of it may come back. */
static void test_removed_device_is_never_recreated(void **state)
{
    for (int at = 0; at < 4; at++) {
        family.is_held = at == 0;
        attach();
        settle();
        if (at > 0) {
            family.is_held = at == 1;
            frontend(XenbusStateInitialised);
            settle();
        }
        if (at > 1) {
            family.is_held = at == 2;
            frontend(XenbusStateClosing);
            settle();
        }
        fake_store_remove(BACK);
        fake_store_remove(FRONT);
        if (at < 3) {
            assert_true(family.is_busy);
            family.is_held = false;
            answer();
        }
        settle();
        assert_null(fake_store_read(BACK));
        assert_null(fake_store_read(BACK "/state"));
        assert_int_equal(device_table_count(), 0);
        assert_false(has_error());
    }
}

/* A device that the toolstack attaches while its namesake is still being let go of is not the one that closes. */
static void test_end_of_a_removed_device_is_not_its_successors(void **state)
{
    connect_both();
    family.is_held = true;
    fake_store_remove(BACK);
    fake_store_remove(FRONT);
    settle();
    assert_true(family.is_busy);
    attach();
    family.is_held = false;
    answer();
    assert_int_equal(own(), XenbusStateInitialising);
    settle();
    assert_int_equal(own(), XenbusStateInitWait);
    assert_int_equal(family.teardowns, 1);
}

static void test_removed_parent_takes_the_device_along(void **state)
{
    connect_both();
    fake_store_remove("/local/domain/0/backend/vbd/3");
    settle();
    assert_int_equal(device_table_count(), 0);
    assert_null(fake_store_read(BACK "/state"));
}

static void test_nonsense_state_is_ignored(void **state)
{
    connect_both();
    write_number(FRONT, "state", 99);
    fake_store_write(FRONT "/state", "four");
    fake_store_write(FRONT "/state", "");
    settle();
    assert_true(family.is_connected);
    assert_int_equal(own(), XenbusStateConnected);
    frontend(XenbusStateClosing);
    settle();
    assert_int_equal(own(), XenbusStateClosing);
}

static void test_foreign_frontend_is_refused(void **state)
{
    attach();
    fake_store_write(BACK "/frontend", "/local/domain/4/device/vbd/51712");
    settle();
    assert_int_equal(own(), XenbusStateClosing);
    assert_true(has_error());
    assert_int_equal(family.setups, 0);
    assert_int_equal(fake_store_watches(), WATCHES_OF_A_DAEMON);
    fake_store_write(BACK "/frontend", FRONT);
    write_number(BACK, "frontend-id", 4);
    settle();
    assert_int_equal(family.setups, 0);
    write_number(BACK, "frontend-id", 3);
    write_number(BACK, "state", XenbusStateInitialising);
    settle();
    assert_int_equal(own(), XenbusStateInitWait);
    assert_false(has_error());
}

static void test_failure_is_said_once_and_not_repeated(void **state)
{
    family.fail_setup = -EIO;
    attach();
    settle();
    assert_int_equal(own(), XenbusStateClosing);
    assert_true(has_error());
    assert_int_equal(family.setups, 1);
    assert_int_equal(family.teardowns, 0);
    write_number(BACK, "online", 1);
    settle();
    assert_int_equal(family.setups, 1);

    /* The frontend goes along and starts over: another try. */
    family.fail_setup = 0;
    frontend(XenbusStateClosed);
    settle();
    frontend(XenbusStateInitialising);
    settle();
    assert_int_equal(own(), XenbusStateInitWait);
    assert_false(has_error());
}

static void test_failed_connect_is_undone(void **state)
{
    family.fail_connect = -EINVAL;
    attach();
    settle();
    frontend(XenbusStateInitialised);
    settle();
    assert_int_equal(own(), XenbusStateClosing);
    assert_int_equal(family.disconnects, 1);
    assert_int_equal(family.teardowns, 0);
    assert_true(has_error());
    fake_store_remove(BACK);
    settle();
    assert_int_equal(family.teardowns, 1);
    assert_int_equal(device_table_count(), 0);
}

/* What is behind a device stays while it is attached, whatever fails: a bridge that an interface is in, for one. */
static void test_errors_leave_what_is_set_up_until_the_device_goes(void **state)
{
    connect_both();
    device_fail(family.device, "request producer is ahead by %d", 1000);
    settle();
    frontend(XenbusStateClosed);
    settle();
    family.fail_setup = -EINVAL;
    frontend(XenbusStateInitialising);
    settle();
    assert_true(has_error());
    assert_int_equal(family.setups, 2);
    assert_int_equal(family.connects, 1); /* nothing to connect to */
    frontend(XenbusStateInitialised);
    settle();
    assert_int_equal(family.connects, 1);
    assert_int_equal(family.teardowns, 0);
    fake_store_remove(BACK);
    fake_store_remove(FRONT);
    settle();
    assert_int_equal(family.teardowns, 1);
    assert_int_equal(device_table_count(), 0);
}

static void test_broken_ring_closes_the_device(void **state)
{
    connect_both();
    device_fail(family.device, "request producer is ahead by %d", 1000);
    settle();
    assert_int_equal(own(), XenbusStateClosing);
    assert_true(has_error());
    assert_false(family.is_connected);
    frontend(XenbusStateClosed);
    settle();
    frontend(XenbusStateInitialising);
    settle();
    assert_int_equal(own(), XenbusStateInitWait);
}

/* It comes while the device is being disconnected, or connected. */
static void test_failure_in_the_middle_of_a_step(void **state)
{
    connect_both();
    family.is_held = true;
    frontend(XenbusStateClosing);
    settle();
    device_fail(family.device, "too late");
    family.is_held = false;
    answer();
    settle();
    assert_int_equal(own(), XenbusStateClosing);
    frontend(XenbusStateClosed);
    settle();
    frontend(XenbusStateInitialising);
    settle();
    family.is_held = true;
    frontend(XenbusStateInitialised);
    settle();
    device_fail(family.device, "too early");
    family.is_held = false;
    answer();
    settle();
    assert_int_equal(own(), XenbusStateClosing);
    assert_false(family.is_connected);
}

static void test_death_of_the_domain_releases_the_device(void **state)
{
    connect_both();
    fake_domain_set(3, 0);
    settle();
    assert_int_equal(device_table_count(), 0);
    assert_int_equal(family.disconnects, 1);
    assert_int_equal(own(), XenbusStateClosed); /* the toolstack waits for it */
}

/* F06: the toolstack has made everything again before we looked. */
static void test_reused_domid_is_another_guest(void **state)
{
    connect_both();
    fake_store_remove(BACK);
    fake_domain_set(3, 31);
    attach();
    settle();
    assert_int_equal(family.disconnects, 1);
    assert_int_equal(family.setups, 2);
    assert_int_equal(own(), XenbusStateInitWait);
}

static void test_reused_domid_with_old_states_is_released(void **state)
{
    connect_both();
    fake_domain_set(3, 31);
    write_number(BACK, "online", 1);
    settle();
    assert_int_equal(family.disconnects, 1);
    assert_false(family.is_connected);
}

static void test_collisions_are_retried(void **state)
{
    fake_store_collide(20);
    connect_both();
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

    connect_both();
    before = fake_store_reads();
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < 20000; i++) {
        frontend(XenbusStateConnected);
        if (i % 10 == 0)
            event_base_loop(base, EVLOOP_NONBLOCK);
    }
    settle();
    /* 2,000 turns of the loop, five reads a look: a burst of looks, then one in 10 ms. */
    clock_gettime(CLOCK_MONOTONIC, &end);
    looks = 80 + ((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000) / 10;
    assert_true(fake_store_reads() - before < 5 * looks);
    frontend(XenbusStateClosing);
    settle();
    assert_int_equal(own(), XenbusStateClosing);
}

/* C09: states at random, at every speed of the family; the family asserts the order of its calls. */
static void test_random_states_never_break_the_order(void **state)
{
    unsigned int seed = 1;

    attach();
    for (int i = 0; i < 20000; i++) {
        if (i % 100 == 0) {
            family.is_slow = rand_r(&seed) % 2;
            family.turns = rand_r(&seed) % 300;
            family.fail_connect = rand_r(&seed) % 4 ? 0 : -EIO;
        }
        switch (rand_r(&seed) % 40) {
        case 0:
            fake_store_remove(BACK);
            attach();
            break;
        case 1:
            write_number(BACK, "online", rand_r(&seed) % 2);
            write_number(BACK, "state", XenbusStateClosing);
            break;
        case 2:
            attach();
            break;
        case 3:
            fake_store_remove(BACK);
            break;
        default:
            write_number(FRONT, "state", rand_r(&seed) % 10);
        }
        if (rand_r(&seed) % 3)
            event_base_loop(base, EVLOOP_NONBLOCK);
    }
    family.fail_connect = 0;
    fake_store_remove(BACK);
    settle();
    assert_int_equal(device_table_count(), 0);
    connect_both();
}

static void test_lost_store_does_not_disconnect(void **state)
{
    connect_both();
    fake_store_cut(true);
    toolstack_suspect(-EBADF);
    while (toolstack_xs())
        event_base_loop(base, EVLOOP_ONCE);
    assert_true(family.is_connected);
    frontend(XenbusStateClosing);
    settle();
    assert_true(family.is_connected);
    fake_store_cut(false);
    while (!toolstack_xs())
        event_base_loop(base, EVLOOP_ONCE);
    settle();
    assert_int_equal(own(), XenbusStateClosing);
    assert_false(family.is_connected);
}

static void test_store_that_forgot_the_device_keeps_it_served(void **state)
{
    connect_both();
    fake_store_cut(true);
    toolstack_suspect(-EBADF);
    while (toolstack_xs())
        event_base_loop(base, EVLOOP_ONCE);
    fake_store_remove("/local/domain/0");
    fake_store_remove("/local/domain/3");
    fake_store_cut(false);
    while (!toolstack_xs())
        event_base_loop(base, EVLOOP_ONCE);
    settle();
    assert_true(family.is_connected);
    assert_null(fake_store_read(BACK));
    fake_domain_set(3, 0);
    settle();
    assert_false(family.is_connected);
    assert_int_equal(device_table_count(), 0);
}

static void quit(bool is_parting)
{
    toolstack_refuse();
    device_table_each(quit_one, &is_parting);
    settle();
    assert_int_equal(device_table_count(), 0);
    assert_false(family.is_set_up);
}

static void start_again(void)
{
    toolstack_stop();
    assert_int_equal(toolstack_start(base), 0);
    settle();
}

static void test_quit_closes_and_the_next_daemon_reconnects(void **state)
{
    connect_both();
    quit(false);
    assert_int_equal(own(), XenbusStateClosed);
    frontend(XenbusStateClosed);
    start_again();
    assert_int_equal(own(), XenbusStateClosed);
    frontend(XenbusStateInitialising);
    settle();
    assert_int_equal(own(), XenbusStateInitWait);
    assert_int_equal(family.adoptions, 0);
}

static void test_keep_leaves_the_rings_to_the_next_daemon(void **state)
{
    connect_both();
    quit(true);
    assert_int_equal(own(), XenbusStateConnected);
    assert_int_equal(family.partings, 1);
    start_again();
    assert_true(family.is_connected);
    assert_int_equal(family.adoptions, 1);
    assert_int_equal(own(), XenbusStateConnected);
}

static void test_quit_in_the_middle_of_a_step(void **state)
{
    bool is_parting = false;

    attach();
    settle();
    family.is_held = true;
    frontend(XenbusStateInitialised);
    settle();
    toolstack_refuse();
    device_table_each(quit_one, &is_parting);
    family.is_held = false;
    answer();
    settle();
    assert_int_equal(device_table_count(), 0);
    assert_int_equal(own(), XenbusStateClosed);
}

static void test_half_written_directory_is_waited_for(void **state)
{
    write_number(BACK, "state", XenbusStateInitialising);
    settle();
    write_number(BACK, "online", 1);
    settle();
    write_number(BACK, "frontend-id", 3);
    settle();
    assert_int_equal(own(), XenbusStateInitialising);
    fake_store_write(BACK "/frontend", FRONT);
    settle();
    assert_int_equal(own(), XenbusStateInitWait);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_attach_connect_close_and_again),
        TEST(test_watch_fires_again_and_nothing_happens),
        TEST(test_unplug_is_finished_and_forgotten),
        TEST(test_removed_device_is_never_recreated),
        TEST(test_end_of_a_removed_device_is_not_its_successors),
        TEST(test_removed_parent_takes_the_device_along),
        TEST(test_nonsense_state_is_ignored),
        TEST(test_foreign_frontend_is_refused),
        TEST(test_failure_is_said_once_and_not_repeated),
        TEST(test_failed_connect_is_undone),
        TEST(test_errors_leave_what_is_set_up_until_the_device_goes),
        TEST(test_broken_ring_closes_the_device),
        TEST(test_failure_in_the_middle_of_a_step),
        TEST(test_death_of_the_domain_releases_the_device),
        TEST(test_reused_domid_is_another_guest),
        TEST(test_reused_domid_with_old_states_is_released),
        TEST(test_collisions_are_retried),
        TEST(test_flood_is_looked_at_now_and_then),
        TEST(test_random_states_never_break_the_order),
        TEST(test_lost_store_does_not_disconnect),
        TEST(test_store_that_forgot_the_device_keeps_it_served),
        TEST(test_quit_closes_and_the_next_daemon_reconnects),
        TEST(test_keep_leaves_the_rings_to_the_next_daemon),
        TEST(test_quit_in_the_middle_of_a_step),
        TEST(test_half_written_directory_is_waited_for),
    };

    log_init("check_device_life", LOG_LEVEL_ERROR);
    alarm(40); /* what never comes ends the test */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
