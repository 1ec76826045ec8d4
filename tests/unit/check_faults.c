// SPDX-License-Identifier: MIT
/* check_faults.c: the plan of faults means what it says, and the same seed means the same faults. */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "xenbox/kernel/faults.h"

static void parse(struct faults *faults, const char *text)
{
    const char *bad = NULL;

    if (faults_parse(faults, text, &bad) < 0)
        fail_msg("%s: not understood: %s", text, bad);
}

static void test_no_plan_is_no_fault(void **state)
{
    struct faults faults;

    parse(&faults, NULL);
    assert_false(faults_next(&faults, FAULT_P2M).has_status);
    parse(&faults, "");
    assert_false(faults_next(&faults, FAULT_P2M).has_status);
}

static void test_steps_count_for_themselves(void **state)
{
    struct faults faults;

    parse(&faults, "map-user:2=status/-3;map-kernel:1=again;map-user:4-5=scribble");
    assert_false(faults_next(&faults, FAULT_MAP_USER).has_status);
    assert_int_equal(faults_next(&faults, FAULT_MAP_KERNEL).status, -12);
    assert_int_equal(faults_next(&faults, FAULT_MAP_USER).status, -3);
    assert_false(faults_next(&faults, FAULT_MAP_KERNEL).has_status);
    assert_false(faults_next(&faults, FAULT_MAP_USER).scribble);
    assert_true(faults_next(&faults, FAULT_MAP_USER).scribble);
    assert_true(faults_next(&faults, FAULT_MAP_USER).scribble);
    assert_false(faults_next(&faults, FAULT_MAP_USER).scribble);
}

static void test_actions(void **state)
{
    struct faults faults;

    parse(&faults,
          "pool:*=offline;pool:2=owned;unmap-user:1=form;entry:1=frame/0xffffffff;reader;p2m:1=delay/10");
    assert_true(faults.has_reader);
    assert_true(faults_next(&faults, FAULT_POOL).is_offline);
    assert_true(faults_next(&faults, FAULT_POOL).is_owned);
    assert_true(faults_next(&faults, FAULT_UNMAP_USER).other_form);
    assert_int_equal(faults_next(&faults, FAULT_ENTRY).frame, UINT32_MAX);
    assert_false(faults_next(&faults, FAULT_P2M).has_status);
}

static void test_chance_follows_the_seed(void **state)
{
    struct faults a, b;
    unsigned hits = 0;

    parse(&a, "map-user:30%=status/-1;seed=7");
    parse(&b, "seed=7;map-user:30%=status/-1");
    for (unsigned i = 0; i < 1000; i++) {
        bool is_hit = faults_next(&a, FAULT_MAP_USER).has_status;

        assert_int_equal(is_hit, faults_next(&b, FAULT_MAP_USER).has_status);
        hits += is_hit;
    }
    assert_in_range(hits, 200, 400);
}

static void test_nonsense_is_refused(void **state)
{
    static const char *const plans[] = {
        "x",
        "map-user",
        "map-user:",
        "map-user:0=again",
        "map-user:3-2=again",
        "map-user:1",
        "map-user:1=",
        "map-user:1=status",
        "map-user:1=status/",
        "map-user:1=fly",
        "map-user:5%=again",
        "p2m:1=again,p2m:2=again",
    };
    struct faults faults;
    const char *bad;

    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        if (faults_parse(&faults, plans[i], &bad) != -EINVAL)
            fail_msg("understood: %s", plans[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_plan_is_no_fault),
        cmocka_unit_test(test_steps_count_for_themselves),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_chance_follows_the_seed),
        cmocka_unit_test(test_nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
