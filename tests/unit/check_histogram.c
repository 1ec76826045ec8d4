// SPDX-License-Identifier: MIT
/*
 * check_histogram.c: percentiles within the promised error, at the edges of the buckets too.
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

#include <cmocka.h>

#include "frontend/tools/histogram.h"

static struct histogram histogram;

static int setup(void **state)
{
    memset(&histogram, 0, sizeof(histogram));
    return 0;
}

static void test_nothing_is_zero(void **state)
{
    assert_int_equal(histogram_percentile(&histogram, 50), 0);
    assert_true(histogram_mean(&histogram) == 0);
}

static void test_one_value_is_every_percentile(void **state)
{
    histogram_add(&histogram, 123456);
    assert_int_equal(histogram_percentile(&histogram, 0), 123456);
    assert_int_equal(histogram_percentile(&histogram, 50), 123456);
    assert_int_equal(histogram_percentile(&histogram, 100), 123456);
}

/* Each value alone, around every power of two: never too low, and too high by 1.6 percent at most. */
static void test_every_magnitude_is_within_the_error(void **state)
{
    for (int bit = 0; bit < HISTOGRAM_MAX_BITS; bit++)
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = ((uint64_t)1 << bit) + (uint64_t)delta, found;

            setup(state);
            histogram_add(&histogram, value);
            histogram_add(&histogram, UINT64_MAX >> 20); /* so that the maximum does not bound the answer */
            found = histogram_percentile(&histogram, 50);
            assert_true(found >= value);
            assert_true((double)found <= (double)value * 1.016 + 1);
        }
}

static void test_percentiles_of_a_range(void **state)
{
    for (uint64_t i = 1; i <= 100000; i++)
        histogram_add(&histogram, i);
    assert_in_range(histogram_percentile(&histogram, 50), 50000, 50800);
    assert_in_range(histogram_percentile(&histogram, 99), 99000, 100000);
    assert_int_equal(histogram_percentile(&histogram, 100), 100000);
    assert_int_equal(histogram.min, 1);
    assert_int_equal(histogram.max, 100000);
    assert_true(histogram_mean(&histogram) == 50000.5);
}

static void test_huge_values_count_as_the_longest(void **state)
{
    histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(histogram.bucket[HISTOGRAM_BUCKETS - 1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_is_zero, setup),
        cmocka_unit_test_setup(test_one_value_is_every_percentile, setup),
        cmocka_unit_test_setup(test_every_magnitude_is_within_the_error, setup),
        cmocka_unit_test_setup(test_percentiles_of_a_range, setup),
        cmocka_unit_test_setup(test_huge_values_count_as_the_longest, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
