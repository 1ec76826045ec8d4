// SPDX-License-Identifier: MIT
/*
 * check_spin.c: spinning pays or stops.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/spin.h"

#define MOST_NS 20000u

/* Ready at the look number *arg, counted down; never when it starts at 0. */
static bool countdown(void *arg)
{
    unsigned int *left = arg;

    return *left > 0 && --*left == 0;
}

static bool is_called;

static bool note_call(void *arg)
{
    is_called = true;
    return true;
}

static void test_readiness_ends_it(void **state)
{
    struct spin spin = { 0 };
    unsigned int left = 20;

    assert_true(spin_until(&spin, MOST_NS, countdown, &left));
    assert_int_equal(left, 0);
    assert_int_equal(spin.limit_ns, MOST_NS);
}

static void test_failures_wear_it_out_and_a_success_brings_it_back(void **state)
{
    struct spin spin = { 0 };
    unsigned int never = 0, tries = 0, soon;

    do {
        assert_false(spin_until(&spin, MOST_NS, countdown, &never));
        tries++;
    } while (spin.limit_ns >= 1000);
    assert_int_equal(tries, 5); /* 20, 10, 5, 2.5, 1.25 us */
    is_called = false;
    for (unsigned int i = 1; i < 64; i++)
        assert_false(spin_until(&spin, MOST_NS, note_call, NULL));
    assert_false(is_called); /* not even looked */
    soon = 1;
    assert_true(spin_until(&spin, MOST_NS, countdown, &soon));
    assert_int_equal(spin.limit_ns, MOST_NS);
}

static void test_no_time_is_no_spin(void **state)
{
    struct spin spin = { 0 };
    unsigned int never = 0;

    for (unsigned int i = 0; i < 1000; i++)
        assert_false(spin_until(&spin, 0, countdown, &never));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readiness_ends_it),
        cmocka_unit_test(test_failures_wear_it_out_and_a_success_brings_it_back),
        cmocka_unit_test(test_no_time_is_no_spin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
