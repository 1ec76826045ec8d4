// SPDX-License-Identifier: MIT
/*
 * check_grant_budget.c: what each guest may have of the pages that are kept mapped.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/grant_budget.h"

#define BUDGET 4000u /* the last 1000 are for guests with few */

static enum grant_limit limit;

static uint32_t take(uint16_t domid, uint32_t count)
{
    return grant_budget_take(domid, count, &limit);
}

static void test_a_guest_has_its_share(void **state)
{
    grant_budget_set(BUDGET, 0);
    assert_int_equal(grant_budget_share(), 1000);
    assert_int_equal(take(1, 600), 600);
    assert_int_equal(limit, GRANT_LIMIT_NONE);
    assert_int_equal(take(1, 600), 400);
    assert_int_equal(limit, GRANT_LIMIT_GUEST);
    assert_int_equal(take(1, 1), 0);
    assert_int_equal(take(2, 1000), 1000); /* which is none of another's business */
    assert_int_equal(limit, GRANT_LIMIT_NONE);
    grant_budget_give(1, 300);
    assert_int_equal(take(1, 600), 300);
    grant_budget_give(1, 1000);
    grant_budget_give(2, 1000);
}

static void test_the_last_quarter_is_for_those_with_few(void **state)
{
    grant_budget_set(BUDGET, BUDGET);
    assert_int_equal(take(1, BUDGET), BUDGET - BUDGET / 4);
    assert_int_equal(limit, GRANT_LIMIT_ALL);
    assert_int_equal(take(1, 1), 0);
    assert_int_equal(take(2, 1000), GRANT_BUDGET_FLOOR);
    assert_int_equal(limit, GRANT_LIMIT_ALL);
    assert_int_equal(take(2, 1), 0);
    assert_int_equal(take(3, 100), 100);
    assert_int_equal(take(3, 1000), GRANT_BUDGET_FLOOR - 100);
    assert_int_equal(take(4, 1000), 1000 - 2 * GRANT_BUDGET_FLOOR); /* that was all */
    assert_int_equal(take(5, 1), 0);
    grant_budget_give(2, GRANT_BUDGET_FLOOR);
    assert_int_equal(take(5, 1), 1);
    grant_budget_give(1, BUDGET - BUDGET / 4);
    grant_budget_give(3, GRANT_BUDGET_FLOOR);
    grant_budget_give(4, 1000 - 2 * GRANT_BUDGET_FLOOR);
    grant_budget_give(5, 1);
}

static void test_a_small_budget_is_for_who_comes(void **state)
{
    grant_budget_set(3, 0);
    assert_int_equal(take(1, 5), 3);
    assert_int_equal(limit, GRANT_LIMIT_ALL);
    grant_budget_give(1, 3);
    grant_budget_set(0, 0);
    assert_int_equal(take(1, 5), 0);
}

static void test_numbers_that_no_domain_has(void **state)
{
    grant_budget_set(BUDGET, 10);
    assert_int_equal(take(UINT16_MAX, 20), 10);
    grant_budget_give(UINT16_MAX, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_guest_has_its_share),
        cmocka_unit_test(test_the_last_quarter_is_for_those_with_few),
        cmocka_unit_test(test_a_small_budget_is_for_who_comes),
        cmocka_unit_test(test_numbers_that_no_domain_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
