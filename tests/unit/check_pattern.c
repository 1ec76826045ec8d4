// SPDX-License-Identifier: MIT
/*
 * check_pattern.c: sectors that describe themselves: every way to be wrong is seen and told apart.
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

#include "frontend/tools/pattern.h"

static void test_what_was_filled_is_found(void **state)
{
    uint8_t data[PATTERN_SECTOR];
    struct pattern_found found;

    pattern_fill(data, 1, 1234567, 89);
    assert_true(pattern_check(data, 1, 1234567, 89, &found));
    assert_true(pattern_check_any(data, 1, 1234567, &found));
}

static void test_every_flipped_bit_is_seen_at_its_place(void **state)
{
    uint8_t data[PATTERN_SECTOR];
    struct pattern_found found;

    pattern_fill(data, 3, 77, 5);
    for (size_t bit = 0; bit < PATTERN_SECTOR * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(pattern_check(data, 3, 77, 5, &found));
        assert_int_equal(found.at, bit / 8);
        assert_int_equal(found.expected ^ found.found, 1 << bit % 8);
        assert_false(found.is_pattern);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_a_lost_write_says_which_one_is_there(void **state)
{
    uint8_t data[PATTERN_SECTOR];
    struct pattern_found found;

    pattern_fill(data, 1, 77, 5);
    assert_false(pattern_check(data, 1, 77, 6, &found));
    assert_true(found.is_pattern);
    assert_int_equal(found.sequence, 5);
    assert_int_equal(found.sector, 77);
}

static void test_a_misplaced_sector_says_where_it_belongs(void **state)
{
    uint8_t data[PATTERN_SECTOR];
    struct pattern_found found;

    pattern_fill(data, 1, 78, 5);
    assert_false(pattern_check(data, 1, 77, 5, &found));
    assert_true(found.is_pattern);
    assert_int_equal(found.sector, 78);
    assert_false(pattern_check_any(data, 1, 77, &found));
    assert_false(pattern_check_any(data, 2, 78, &found));
}

static void test_neighbours_and_seeds_differ(void **state)
{
    uint8_t a[PATTERN_SECTOR], b[PATTERN_SECTOR];

    pattern_fill(a, 1, 10, 1);
    pattern_fill(b, 1, 11, 1);
    assert_memory_not_equal(a + 32, b + 32, 8);
    pattern_fill(b, 1, 10, 2);
    assert_memory_not_equal(a + 32, b + 32, 8);
    pattern_fill(b, 2, 10, 1);
    assert_memory_not_equal(a + 32, b + 32, 8);
}

static void test_random_numbers_stay_below_and_repeat(void **state)
{
    uint64_t a = 42, b = 42, seen = 0;

    for (int i = 0; i < 1000; i++) {
        uint64_t number = random_below(&a, 7);

        assert_in_range(number, 0, 6);
        seen |= 1u << number;
        assert_int_equal(number, random_below(&b, 7));
    }
    assert_int_equal(seen, 0x7f);
    assert_int_equal(random_below(&a, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_filled_is_found),
        cmocka_unit_test(test_every_flipped_bit_is_seen_at_its_place),
        cmocka_unit_test(test_a_lost_write_says_which_one_is_there),
        cmocka_unit_test(test_a_misplaced_sector_says_where_it_belongs),
        cmocka_unit_test(test_neighbours_and_seeds_differ),
        cmocka_unit_test(test_random_numbers_stay_below_and_repeat),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
