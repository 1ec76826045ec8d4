// SPDX-License-Identifier: MIT
/*
 * check_options.c: sizes, and the command line of the xenfront command.
 */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frontend/tools/options.h"

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = { { "0", 0 },        { "4096", 4096 },      { "4k", 4096 },       { "4KiB", 4096 },
                 { "1M", 1 << 20 }, { "2GB", 2ull << 30 }, { "3T", 3ull << 40 }, { "1p", 1ull << 50 } };
    static const char *const wrong[] = { "",      "k",   "-1",   "4x",
                                         "4kk",   "4 k", "0x10", "99999999999999999999",
                                         "16384P" };
    uint64_t bytes;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(size_parse(rows[i].text, &bytes), 0);
        assert_int_equal(bytes, rows[i].bytes);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (size_parse(wrong[i], &bytes) == 0)
            fail_msg("'%s' is taken for %llu", wrong[i], (unsigned long long)bytes);
}

static int parse(enum tool_command command, struct settings *settings, char **argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    optind = 0; /* glibc: start anew */
    return settings_parse(settings, command, "test", argc, argv);
}

static void test_defaults_options_and_device(void **state)
{
    char *argv[] = { "bench", "-d", "32", "xvdb", "--block-size=128K", "--poll", "--json", NULL };
    struct settings settings;

    assert_int_equal(parse(TOOL_BENCH, &settings, argv), TOOL_OK);
    assert_int_equal(settings.depth, 32);
    assert_int_equal(settings.block_size, 128 << 10);
    assert_true(settings.is_polling && settings.is_json && !settings.is_direct);
    assert_string_equal(settings.device, "xvdb");
    assert_string_equal(settings.pattern, "randread");
    assert_int_equal(settings.seconds, 5);
}

static void test_a_device_may_follow_two_dashes(void **state)
{
    char *argv[] = { "info", "--json", "--", "xvdc", NULL };
    struct settings settings;

    assert_int_equal(parse(TOOL_INFO, &settings, argv), TOOL_OK);
    assert_string_equal(settings.device, "xvdc");
}

static void test_an_option_of_another_command_is_refused(void **state)
{
    char *argv[] = { "info", "--poll", NULL };
    struct settings settings;

    assert_int_equal(parse(TOOL_INFO, &settings, argv), TOOL_USAGE);
}

static void test_two_devices_and_wrong_numbers_are_refused(void **state)
{
    char *two[] = { "info", "xvda", "xvdb", NULL };
    char *number[] = { "bench", "--depth=many", NULL };
    char *bound[] = { "bench", "--depth=99999", NULL };
    char *nothing[] = { "verify", "--size=0", NULL };
    char *none[] = { "verify", "--depth=0", NULL };
    struct settings settings;

    assert_int_equal(parse(TOOL_INFO, &settings, two), TOOL_USAGE);
    assert_int_equal(parse(TOOL_BENCH, &settings, number), TOOL_USAGE);
    assert_int_equal(parse(TOOL_BENCH, &settings, bound), TOOL_USAGE);
    assert_int_equal(parse(TOOL_VERIFY, &settings, nothing), TOOL_USAGE); /* not: "as much as by default" */
    assert_int_equal(parse(TOOL_VERIFY, &settings, none), TOOL_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_defaults_options_and_device),
        cmocka_unit_test(test_a_device_may_follow_two_dashes),
        cmocka_unit_test(test_an_option_of_another_command_is_refused),
        cmocka_unit_test(test_two_devices_and_wrong_numbers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
