// SPDX-License-Identifier: MIT
/* check_device_errors.c: failures: said once, undone, and tried again when something has changed. */
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
#include "backend/device.h"
#include "backend/device_table.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/life.h"

static void test_foreign_frontend_is_refused(void **state)
{
    life_attach();
    fake_store_write(BACK "/frontend", "/local/domain/4/device/vbd/51712");
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosing);
    assert_true(life_has_error());
    assert_int_equal(life_family.setups, 0);
    assert_int_equal(fake_store_watches(), WATCHES_OF_A_DAEMON);
    fake_store_write(BACK "/frontend", FRONT);
    life_write(BACK, "frontend-id", 4);
    life_settle();
    assert_int_equal(life_family.setups, 0);
    life_write(BACK, "frontend-id", 3);
    life_write(BACK, "state", XenbusStateInitialising);
    life_settle();
    assert_int_equal(life_own(), XenbusStateInitWait);
    assert_false(life_has_error());
}

static void test_failure_is_said_once_and_not_repeated(void **state)
{
    life_family.fail_setup = -EIO;
    life_attach();
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosing);
    assert_true(life_has_error());
    assert_int_equal(life_family.setups, 1);
    assert_int_equal(life_family.teardowns, 0);
    life_write(BACK, "online", 1);
    life_settle();
    assert_int_equal(life_family.setups, 1);

    /* The frontend goes along and starts over: another try. */
    life_family.fail_setup = 0;
    life_frontend(XenbusStateClosed);
    life_settle();
    life_frontend(XenbusStateInitialising);
    life_settle();
    assert_int_equal(life_own(), XenbusStateInitWait);
    assert_false(life_has_error());
}

static void test_failed_connect_is_undone(void **state)
{
    life_family.fail_connect = -EINVAL;
    life_attach();
    life_settle();
    life_frontend(XenbusStateInitialised);
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosing);
    assert_int_equal(life_family.disconnects, 1);
    assert_int_equal(life_family.teardowns, 0);
    assert_true(life_has_error());
    fake_store_remove(BACK);
    life_settle();
    assert_int_equal(life_family.teardowns, 1);
    assert_int_equal(device_table_count(), 0);
}

/* What is behind a device stays while it is attached, whatever fails: a bridge that an interface is in, for one. */
static void test_errors_leave_what_is_set_up_until_the_device_goes(void **state)
{
    life_connect();
    device_fail(life_family.device, "request producer is ahead by %d", 1000);
    life_settle();
    life_frontend(XenbusStateClosed);
    life_settle();
    life_family.fail_setup = -EINVAL;
    life_frontend(XenbusStateInitialising);
    life_settle();
    assert_true(life_has_error());
    assert_int_equal(life_family.setups, 2);
    assert_int_equal(life_family.connects, 1); /* nothing to connect to */
    life_frontend(XenbusStateInitialised);
    life_settle();
    assert_int_equal(life_family.connects, 1);
    assert_int_equal(life_family.teardowns, 0);
    fake_store_remove(BACK);
    fake_store_remove(FRONT);
    life_settle();
    assert_int_equal(life_family.teardowns, 1);
    assert_int_equal(device_table_count(), 0);
}

static void test_broken_ring_closes_the_device(void **state)
{
    life_connect();
    device_fail(life_family.device, "request producer is ahead by %d", 1000);
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosing);
    assert_true(life_has_error());
    assert_false(life_family.is_connected);
    life_frontend(XenbusStateClosed);
    life_settle();
    life_frontend(XenbusStateInitialising);
    life_settle();
    assert_int_equal(life_own(), XenbusStateInitWait);
}

/* It comes while the device is being disconnected, or connected. */
static void test_failure_in_the_middle_of_a_step(void **state)
{
    life_connect();
    life_family.is_held = true;
    life_frontend(XenbusStateClosing);
    life_settle();
    device_fail(life_family.device, "too late");
    life_family.is_held = false;
    life_answer();
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosing);
    life_frontend(XenbusStateClosed);
    life_settle();
    life_frontend(XenbusStateInitialising);
    life_settle();
    life_family.is_held = true;
    life_frontend(XenbusStateInitialised);
    life_settle();
    device_fail(life_family.device, "too early");
    life_family.is_held = false;
    life_answer();
    life_settle();
    assert_int_equal(life_own(), XenbusStateClosing);
    assert_false(life_family.is_connected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE_TEST(test_foreign_frontend_is_refused),
        LIFE_TEST(test_failure_is_said_once_and_not_repeated),
        LIFE_TEST(test_failed_connect_is_undone),
        LIFE_TEST(test_errors_leave_what_is_set_up_until_the_device_goes),
        LIFE_TEST(test_broken_ring_closes_the_device),
        LIFE_TEST(test_failure_in_the_middle_of_a_step),
    };

    return LIFE_RUN("check_device_errors", tests);
}
