// SPDX-License-Identifier: MIT
/* check_faults.c: the plan of faults means what it says, and the same seed means the same faults. */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "xenbox/kernel/faults.h"

static void parse(struct faults *faults, const char *text)
{
    const char *bad = NULL;

    if (faults_parse(faults, text, &bad) < 0)
        fail_msg("%s: not understood: %s", text ? text : "no plan", bad ? bad : "all of it");
}

static long elapsed_us(const struct timespec *from, const struct timespec *to)
{
    return (to->tv_sec - from->tv_sec) * 1000000 + (to->tv_nsec - from->tv_nsec) / 1000;
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

/* Before the step, after it, and memory that is refused. */
static void test_time_and_memory(void **state)
{
    struct timespec from, between, to;
    struct faults faults;
    struct fault fault;

    parse(&faults, "map-user:1=delay/20000;map-user:1=late/30000;memory:2=status/-12");
    clock_gettime(CLOCK_MONOTONIC, &from);
    fault = faults_next(&faults, FAULT_MAP_USER);
    clock_gettime(CLOCK_MONOTONIC, &between);
    fault_end(&fault);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(elapsed_us(&from, &between) >= 20000);
    assert_true(elapsed_us(&between, &to) >= 30000);
    assert_false(faults_next(&faults, FAULT_MEMORY).has_status);
    assert_int_equal(faults_next(&faults, FAULT_MEMORY).status, -12);
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
        cmocka_unit_test(test_time_and_memory),
        cmocka_unit_test(test_chance_follows_the_seed),
        cmocka_unit_test(test_nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
