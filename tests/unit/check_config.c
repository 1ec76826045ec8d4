// SPDX-License-Identifier: MIT
/*
 * check_config.c: the settings: defaults, bounds, files, and that the manual page says what the table says.
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

#include "common/log.h"
#include "backend/config.h"

static char reason[768];

/* Reads text as a file named "f". */
static int read_text(struct config *config, const char *text)
{
    FILE *file = fmemopen((void *)text, strlen(text), "r");
    int error;

    assert_non_null(file);
    reason[0] = '\0';
    config_set_defaults(config);
    error = config_read(config, file, "f", reason, sizeof(reason));
    fclose(file);
    return error;
}

static void test_defaults_are_those_of_the_table(void **state)
{
    struct config config;

    config_set_defaults(&config);
    assert_int_equal(config.workers, 0);
    assert_int_equal(config.offload_threads, 4);
    assert_int_equal(config.engine, ENGINE_AUTO);
    assert_int_equal(config.direct, DIRECT_AUTO);
    assert_int_equal(config.on_exit, EXIT_CLOSE);
    assert_int_equal(config.exit_timeout_s, 30);
    assert_int_equal(config.log_level, LOG_LEVEL_INFO);
    assert_string_equal(config.run_dir, "/run/xensplit");
}

static void test_file_sets_values(void **state)
{
    struct config config;

    assert_int_equal(read_text(&config, "# comment\n\n  workers =  3 # three\nengine=libaio\n"
                                        "run-dir = /tmp/x y\nlog-level=debug\non-exit = keep"),
                     0);
    assert_int_equal(config.workers, 3);
    assert_int_equal(config.engine, ENGINE_LIBAIO);
    assert_int_equal(config.on_exit, EXIT_KEEP);
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
    assert_string_equal(config.run_dir, "/tmp/x y");
}

static void test_error_names_file_line_expected_and_found(void **state)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        { "workers = 65\n", "f:1: workers: expected a number from 0 to 64, found \"65\"" },
        { "\nworkers = -1\n", "f:2: workers: expected a number from 0 to 64, found \"-1\"" },
        { "workers = 99999999999999999999\n", "f:1: workers: expected a number from 0 to 64" },
        { "workers =\n", "f:1: workers: expected a number from 0 to 64, found \"\"" },
        { "\n\nwrokers = 1\n", "f:3: expected the name of a setting, found \"wrokers\"" },
        { "workers 1\n", "f:1: expected \"name = value\", found \"workers 1\"" },
        { "engine = io\n", "f:1: engine: expected auto|io_uring|libaio, found \"io\"" },
        { "engine = \n", "f:1: engine: expected auto|io_uring|libaio, found \"\"" },
        { "engine = auto|io_uring\n", "f:1: engine: expected auto|io_uring|libaio, found \"auto|io_uring\"" },
        { "run-dir = run\n", "f:1: run-dir: expected an absolute path of at most 95 bytes, found \"run\"" },
        { "ready-fd = 3\n", "f:1: ready-fd: expected on the command line only, found in a file" },
    };
    struct config config;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_text(&config, cases[i].text), -EINVAL);
        if (strncmp(reason, cases[i].reason, strlen(cases[i].reason)) != 0)
            fail_msg("case %zu: %s", i, reason);
    }
}

static void test_long_lines_and_paths_are_refused(void **state)
{
    struct config config;
    char text[4096];

    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(read_text(&config, text), -EINVAL);
    assert_non_null(strstr(reason, "f:1: expected at most"));
    memcpy(text, "run-dir = /", 11);
    text[11 + CONFIG_PATH_MAX] = '\0';
    assert_int_equal(read_text(&config, text), -EINVAL);
    text[11 + CONFIG_PATH_MAX - 2] = '\0';
    assert_int_equal(read_text(&config, text), 0);
}

/* The part of the manual page between the two marks is what the table prints. */
static void test_manual_page_is_up_to_date(void **state)
{
    const char *srcdir = getenv("srcdir");
    char path[4096];
    char *manual = NULL, *page;
    size_t manual_size, page_size;
    FILE *file;

    snprintf(path, sizeof(path), "%s/docs/man/xensplitd.conf.5", srcdir ? srcdir : ".");
    file = fopen(path, "r");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    page = calloc(1, 65536);
    page_size = fread(page, 1, 65535, file);
    fclose(file);
    assert_true(page_size > 0);
    file = open_memstream(&manual, &manual_size);
    config_print_manual(file);
    fclose(file);
    if (!strstr(page, manual))
        fail_msg("docs/man/xensplitd.conf.5 should have these lines:\n%s", manual);
    free(manual);
    free(page);
}

static void test_a_zero_byte_is_said(void **state)
{
    static const char *const texts[] = { "workers = 3", "workers = 3\n", "\n", "# all\nworkers = 3\n" };
    char text[64];

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const size_t length = strlen(texts[i]);
        struct config config;

        for (size_t at = 0; at <= length; at++) {
            FILE *file;

            memcpy(text, texts[i], at);
            text[at] = '\0';
            strcpy(text + at + 1, texts[i] + at);
            file = fmemopen(text, length + 1, "r");
            assert_non_null(file);
            config_set_defaults(&config);
            assert_int_equal(config_read(&config, file, "f", reason, sizeof(reason)), -EINVAL);
            assert_non_null(strstr(reason, "zero byte"));
            fclose(file);
        }
        assert_int_equal(read_text(&config, texts[i]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_zero_byte_is_said),
        cmocka_unit_test(test_defaults_are_those_of_the_table),
        cmocka_unit_test(test_file_sets_values),
        cmocka_unit_test(test_error_names_file_line_expected_and_found),
        cmocka_unit_test(test_long_lines_and_paths_are_refused),
        cmocka_unit_test(test_manual_page_is_up_to_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
