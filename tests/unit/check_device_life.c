// SPDX-License-Identifier: MIT
/* check_device_life.c: a device from attach to detach, and whatever order states come in. */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/log.h"
#include "backend/device_table.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/life.h"

static void test_attach_connect_close_and_again(void **state)
{
    life_connect();
    life_frontend(XenbusStateClosing);
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosing);
    assert_false(life_family.is_connected);
    life_frontend(XenbusStateClosed);
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosed);
    life_frontend(XenbusStateInitialising);
    life_settle();
    assert_int_equal(life_own(), XenbusStateInitWait);
    life_frontend(XenbusStateInitialised);
    life_settle();
    assert_int_equal(life_own(), XenbusStateConnected);
    assert_int_equal(life_family.connects, 2);
    assert_false(life_has_error());
}

static void test_watch_fires_again_and_nothing_happens(void **state)
{
    life_connect();
    for (int i = 0; i < 3; i++) {
        life_frontend(XenbusStateConnected);
        life_write(BACK, "online", 1);
        life_settle();
    }
    assert_int_equal(life_family.setups, 1);
    assert_int_equal(life_family.connects, 1);
}

static void test_half_written_directory_is_waited_for(void **state)
{
    life_write(BACK, "state", XenbusStateInitialising);
    life_settle();
    life_write(BACK, "online", 1);
    life_settle();
    life_write(BACK, "frontend-id", 3);
    life_settle();
    assert_int_equal(life_own(), XenbusStateInitialising);
    fake_store_write(BACK "/frontend", FRONT);
    life_settle();
    assert_int_equal(life_own(), XenbusStateInitWait);
}

static void test_unplug_is_finished_and_forgotten(void **state)
{
    life_connect();
    life_write(BACK, "online", 0);
    life_write(BACK, "state", XenbusStateClosing);
    life_settle();
    assert_true(life_family.is_connected); /* until the frontend lets go */
    life_frontend(XenbusStateClosing);
    life_settle();
    life_frontend(XenbusStateClosed);
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosed);
    assert_int_equal(device_table_count(), 0);
    assert_int_equal(fake_store_watches(), WATCHES_OF_A_DAEMON);
}

/* The node goes in the middle of each step: nothing of it may come back. */
static void test_removed_device_is_never_recreated(void **state)
{
    for (int at = 0; at < 4; at++) {
        life_family.is_held = at == 0;
        life_attach();
        life_settle();
        if (at > 0) {
            life_family.is_held = at == 1;
            life_frontend(XenbusStateInitialised);
            life_settle();
        }
        if (at > 1) {
            life_family.is_held = at == 2;
            life_frontend(XenbusStateClosing);
            life_settle();
        }
        fake_store_remove(BACK);
        fake_store_remove(FRONT);
        if (at < 3) {
            assert_true(life_family.is_busy);
            life_family.is_held = false;
            life_answer();
        }
        life_settle();
        assert_null(fake_store_read(BACK));
        assert_null(fake_store_read(BACK "/state"));
        assert_int_equal(device_table_count(), 0);
        assert_false(life_has_error());
    }
}

/* A device that the toolstack attaches while its namesake is still being let go of is not the one that closes. */
static void test_end_of_a_removed_device_is_not_its_successors(void **state)
{
    life_connect();
    life_family.is_held = true;
    fake_store_remove(BACK);
    fake_store_remove(FRONT);
    life_settle();
    assert_true(life_family.is_busy);
    life_attach();
    life_family.is_held = false;
    life_answer();
    assert_int_equal(life_own(), XenbusStateInitialising);
    life_settle();
    assert_int_equal(life_own(), XenbusStateInitWait);
    assert_int_equal(life_family.teardowns, 1);
}

static void test_removed_parent_takes_the_device_along(void **state)
{
    life_connect();
    fake_store_remove("/local/domain/0/backend/vbd/3");
    life_settle();
    assert_int_equal(device_table_count(), 0);
    assert_null(fake_store_read(BACK "/state"));
}

static void test_nonsense_state_is_ignored(void **state)
{
    life_connect();
    life_write(FRONT, "state", 99);
    fake_store_write(FRONT "/state", "four");
    fake_store_write(FRONT "/state", "");
    life_settle();
    assert_true(life_family.is_connected);
    assert_int_equal(life_own(), XenbusStateConnected);
    life_frontend(XenbusStateClosing);
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosing);
}

static void test_death_of_the_domain_releases_the_device(void **state)
{
    life_connect();
    fake_domain_set(3, 0);
    life_settle();
    assert_int_equal(device_table_count(), 0);
    assert_int_equal(life_family.disconnects, 1);
    assert_int_equal(life_own(), XenbusStateClosed); /* the toolstack waits for it */
}

/* F06: the toolstack has made everything again before we looked. */
static void test_reused_domid_is_another_guest(void **state)
{
    life_connect();
    fake_store_remove(BACK);
    fake_domain_set(3, 31);
    life_attach();
    life_settle();
    assert_int_equal(life_family.disconnects, 1);
    assert_int_equal(life_family.setups, 2);
    assert_int_equal(life_own(), XenbusStateInitWait);
}

static void test_reused_domid_with_old_states_is_released(void **state)
{
    life_connect();
    fake_domain_set(3, 31);
    life_write(BACK, "online", 1);
    life_settle();
    assert_int_equal(life_family.disconnects, 1);
    assert_false(life_family.is_connected);
}

/* C09: states at random, at every speed of the family; the family asserts the order of its calls. */
static void test_random_states_never_break_the_order(void **state)
{
    unsigned int seed = 1;

    life_attach();
    for (int i = 0; i < 20000; i++) {
        if (i % 100 == 0) {
            life_family.is_slow = rand_r(&seed) % 2;
            life_family.turns = rand_r(&seed) % 300;
            life_family.fail_connect = rand_r(&seed) % 4 ? 0 : -EIO;
        }
        switch (rand_r(&seed) % 40) {
        case 0:
            fake_store_remove(BACK);
            life_attach();
            break;
        case 1:
            life_write(BACK, "online", rand_r(&seed) % 2);
            life_write(BACK, "state", XenbusStateClosing);
            break;
        case 2:
            life_attach();
            break;
        case 3:
            fake_store_remove(BACK);
            break;
        default:
            life_write(FRONT, "state", rand_r(&seed) % 10);
        }
        if (rand_r(&seed) % 3)
            event_base_loop(life_base, EVLOOP_NONBLOCK);
    }
    life_family.fail_connect = 0;
    fake_store_remove(BACK);
    life_settle();
    assert_int_equal(device_table_count(), 0);
    life_connect();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE_TEST(test_attach_connect_close_and_again),
        LIFE_TEST(test_watch_fires_again_and_nothing_happens),
        LIFE_TEST(test_half_written_directory_is_waited_for),
        LIFE_TEST(test_unplug_is_finished_and_forgotten),
        LIFE_TEST(test_removed_device_is_never_recreated),
        LIFE_TEST(test_end_of_a_removed_device_is_not_its_successors),
        LIFE_TEST(test_removed_parent_takes_the_device_along),
        LIFE_TEST(test_nonsense_state_is_ignored),
        LIFE_TEST(test_death_of_the_domain_releases_the_device),
        LIFE_TEST(test_reused_domid_is_another_guest),
        LIFE_TEST(test_reused_domid_with_old_states_is_released),
        LIFE_TEST(test_random_states_never_break_the_order),
    };

    return LIFE_RUN("check_device_life", tests);
}
