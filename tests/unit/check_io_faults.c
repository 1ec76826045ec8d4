// SPDX-License-Identifier: MIT
/* check_io_faults.c: what $XENBOX_IO can say. */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenbox/kernel/io_faults.h"

static void test_parse_takes_each_word(void **state)
{
    struct io_faults faults;

    assert_true(io_faults_parse(&faults, "delay=20ms,short=3,error=EIO/7,extra-ref=5us"));
    assert_int_equal(faults.delay_us, 20000);
    assert_int_equal(faults.short_every, 3);
    assert_int_equal(faults.error, EIO);
    assert_int_equal(faults.error_every, 7);
    assert_int_equal(faults.extra_ref_us, 5);
    assert_true(io_faults_parse(&faults, "short,error=EAGAIN,extra-ref,delay=2s"));
    assert_int_equal(faults.short_every, 1);
    assert_int_equal(faults.error, EAGAIN);
    assert_int_equal(faults.error_every, 1);
    assert_int_equal(faults.extra_ref_us, 20000);
    assert_int_equal(faults.delay_us, 2000000);
    /* For those who map. */
    assert_true(io_faults_parse(&faults, "dma"));
    assert_true(io_faults_parse(&faults, "cpu,delay=1ms"));
    assert_int_equal(faults.delay_us, 1000);
}

static void test_parse_refuses_the_rest(void **state)
{
    static const char *const bad[] = {
        "",
        ",",
        "delay",
        "delay=",
        "delay=20",
        "delay=0ms",
        "delay=-1ms",
        "delay=1h",
        "delay=ms",
        "delay=1ms ",
        "short=0",
        "short=x",
        "short=3x",
        "error",
        "error=EIO/",
        "error=EIO/0",
        "error=EWHAT",
        "extra-ref=",
        "late=1ms",
        "delay=1ms,,dma",
        "delay=3601s",
        "delay=99999999999999999999us",
    };
    struct io_faults faults;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (io_faults_parse(&faults, bad[i]))
            fail_msg("taken: \"%s\"", bad[i]);
        assert_int_equal(faults.delay_us + faults.extra_ref_us + faults.short_every + faults.error_every, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_takes_each_word),
        cmocka_unit_test(test_parse_refuses_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
