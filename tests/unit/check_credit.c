// SPDX-License-Identifier: MIT
/*
 * check_credit.c: the rate of an interface, at every border of its arithmetic (catalogue D15).
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/net/credit.h"

static void test_text(void **state)
{
    static const char *const bad[] = { "",
                                       ",",
                                       "1",
                                       "1,",
                                       ",1",
                                       "1,2,3",
                                       "-1,2",
                                       "1,4294967296",
                                       " 1,2",
                                       "1, 2",
                                       "18446744073709551616,1",
                                       "x,y",
                                       "99999999999999999999999999,1" };
    struct credit_rate rate;

    assert_int_equal(credit_parse("125000,50000", &rate), 0);
    assert_int_equal(rate.bytes, 125000);
    assert_int_equal(rate.period_us, 50000);
    assert_int_equal(credit_parse("18446744073709551615,4294967295", &rate), 0);
    assert_true(rate.bytes == UINT64_MAX && rate.period_us == UINT32_MAX);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(credit_parse(bad[i], &rate) < 0);
}

static void test_no_period_is_no_limit(void **state)
{
    const struct credit_rate rate = { .bytes = 0, .period_us = 0 };
    struct credit credit;

    credit_set(&credit, &rate, 5);
    for (unsigned int i = 0; i < 1000; i++)
        assert_int_equal(credit_take(&credit, 65535, 5), 0);
}

static void test_so_much_a_period(void **state)
{
    const struct credit_rate rate = { .bytes = 3000, .period_us = 1000 };
    struct credit credit;

    credit_set(&credit, &rate, 100);
    assert_int_equal(credit_take(&credit, 1500, 100), 0);
    assert_int_equal(credit_take(&credit, 1500, 200), 0);
    assert_int_equal(credit_take(&credit, 1, 300), 800); /* until the next period begins */
    assert_int_equal(credit_take(&credit, 1, 1099), 1);
    assert_int_equal(credit_take(&credit, 3000, 1100), 0);
    assert_int_equal(credit_take(&credit, 3000, 1100), 1000);
    /* What was not used is kept: two periods. */
    assert_int_equal(credit_take(&credit, 6000, 3100), 0);
    assert_true(credit_take(&credit, 1, 3100) > 0);
}

static void test_largest_packet_passes_at_any_rate(void **state)
{
    const struct credit_rate rate = { .bytes = 1, .period_us = 1 };
    struct credit credit;

    credit_set(&credit, &rate, 0);
    assert_true(credit_take(&credit, 65535, 65533) > 0);
    assert_int_equal(credit_take(&credit, 65535, 65534), 0);
}

static void test_a_burst_has_an_end(void **state)
{
    const struct credit_rate rate = { .bytes = 1000, .period_us = 10 };
    struct credit credit;

    credit_set(&credit, &rate, 0);
    assert_int_equal(credit_take(&credit, 65535, 1000000000), 0);
    assert_int_equal(credit_take(&credit, 65535, 1000000000), 0);
    assert_int_equal(credit_take(&credit, 2, 1000000000), 0);
    assert_true(credit_take(&credit, 1, 1000000000) > 0);
}

static void test_nothing_wraps(void **state)
{
    static const struct credit_rate rates[] = {
        { UINT64_MAX, 1 }, { UINT64_MAX, UINT32_MAX }, { UINT64_MAX - 1, 3 }, { 1ull << 63, 2 }, { 0, 1 },
    };

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct credit credit;
        uint64_t now = 1;

        credit_set(&credit, &rates[i], now);
        for (unsigned int round = 0; round < 60; round++, now += 1ull << round) {
            const uint64_t wait = credit_take(&credit, 65535, now);

            assert_true(wait <= UINT32_MAX);
            assert_int_equal(wait == 0, rates[i].bytes > 0);
        }
    }
}

/* So long a time that what it gives does not fit into 64 bits, for a guest that has nothing left. */
static void test_a_long_sleep_gives_a_burst(void **state)
{
    const struct credit_rate rate = { .bytes = 1ull << 22, .period_us = 1 };
    struct credit credit;

    credit_set(&credit, &rate, 0);
    while (credit_take(&credit, 65535, 0) == 0)
        ;
    assert_int_equal(credit_take(&credit, 65535, 1ull << 42), 0); /* 2^64 bytes */
}

/* However short the periods are, whoever waits is woken at most once a packet and once a millisecond, and not late. */
static void test_nobody_is_woken_for_nothing(void **state)
{
    static const struct {
        struct credit_rate rate;
        uint32_t packet_bytes;
    } cases[] = { { { 1, 1 }, 64 },
                  { { 1, 1 }, 65535 },
                  { { 7, 5 }, 1500 },
                  { { 10000, 1 }, 1500 },
                  { { 3000, 2500 }, 1500 } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct credit_rate *rate = &cases[i].rate;
        uint64_t now = 0, sent = 0, packets = 0, wakes = 0, wait;
        struct credit credit;

        credit_set(&credit, rate, now);
        while (now < 1000000) {
            wait = credit_take(&credit, cases[i].packet_bytes, now);
            if (wait == 0) {
                sent += cases[i].packet_bytes;
                packets++;
            }
            now += wait;
            wakes += wait > 0;
        }
        assert_true(wakes <= packets + 1);
        assert_true(wakes <= 1000 + 1000000 / (131072 / rate->bytes * rate->period_us));
        assert_true(sent + 65535 + rate->bytes >= rate->bytes * (1000000 / rate->period_us));
        assert_true(sent <= rate->bytes * (now / rate->period_us + 1) + 131072);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_no_period_is_no_limit),
        cmocka_unit_test(test_so_much_a_period),
        cmocka_unit_test(test_largest_packet_passes_at_any_rate),
        cmocka_unit_test(test_a_burst_has_an_end),
        cmocka_unit_test(test_nothing_wraps),
        cmocka_unit_test(test_a_long_sleep_gives_a_burst),
        cmocka_unit_test(test_nobody_is_woken_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
