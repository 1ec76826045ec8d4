// SPDX-License-Identifier: MIT
/*
 * check_ctl_request.c: what a client of the control socket may say, and everything else.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/ctl/commands.h"
#include "backend/ctl/ctl_request.h"

static char reason[256];

static int parse(struct ctl_request *request, const char *line)
{
    reason[0] = '\0';
    return ctl_request_parse(request, line, strlen(line), reason, sizeof(reason));
}

static void test_command_alone_means_all_devices(void **state)
{
    struct ctl_request request;

    assert_int_equal(parse(&request, "{\"command\": \"list\"}"), 0);
    assert_string_equal(request.command, "list");
    assert_false(request.has_device);
    assert_true(ctl_request_selects(&request, "vbd", 1, 51712));
}

static void test_numbers_of_a_move(void **state)
{
    struct ctl_request request;

    assert_int_equal(parse(&request, "{\"command\": \"move\", \"device\": \"3/1\", \"worker\": 7}"), 0);
    assert_true(request.has_worker);
    assert_int_equal(request.worker, 7);
    assert_int_equal(request.queue, 0);
    assert_int_equal(parse(&request, "{\"command\": \"move\", \"queue\": 2}"), 0);
    assert_false(request.has_worker);
    assert_int_equal(request.queue, 2);
    assert_int_equal(parse(&request, "{\"command\": \"move\", \"worker\": -1}"), -EINVAL);
    assert_int_equal(parse(&request, "{\"command\": \"move\", \"worker\": 65536}"), -EINVAL);
    assert_int_equal(parse(&request, "{\"command\": \"move\", \"worker\": 1.5}"), -EINVAL);
    assert_int_equal(parse(&request, "{\"command\": \"move\", \"queue\": \"1\"}"), -EINVAL);
    assert_non_null(strstr(reason, "expected numbers"));
}

static void test_device_with_and_without_family(void **state)
{
    struct ctl_request request;

    assert_int_equal(parse(&request, "{\"command\":\"show\",\"device\":\"vbd 3/51712\"}"), 0);
    assert_true(ctl_request_selects(&request, "vbd", 3, 51712));
    assert_false(ctl_request_selects(&request, "vif", 3, 51712));
    assert_false(ctl_request_selects(&request, "vbd", 4, 51712));
    assert_false(ctl_request_selects(&request, "vbd", 3, 51713));
    assert_int_equal(parse(&request, "{\"command\":\"show\",\"device\":\"3/51712\"}"), 0);
    assert_true(ctl_request_selects(&request, "vif", 3, 51712));
}

static void test_wrong_devices_are_refused(void **state)
{
    static const char *const devices[] = {
        "\"\"",
        "\"vbd\"",
        "\"3\"",
        "\"3/\"",
        "\"/51712\"",
        "\"65536/1\"",
        "\"-1/1\"",
        "\"3/4294967296\"",
        "\"3/51712x\"",
        "\" 3/51712\"",
        "\"vbd  3/1\"",
        "\"3/0x10\"",
        "\"3/1/2\"",
        "51712",
        "null",
        "[]",
        "\"averyveryverylongfamily 3/1\"",
    };
    struct ctl_request request;
    char line[128];

    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        snprintf(line, sizeof(line), "{\"command\":\"show\",\"device\":%s}", devices[i]);
        assert_int_equal(parse(&request, line), -EINVAL);
        assert_non_null(strstr(reason, "device: expected DOMID/DEVID"));
    }
}

static void test_garbage_is_refused_with_a_reason(void **state)
{
    static const char *const lines[] = {
        "",
        "hello",
        "{",
        "[]",
        "[\"list\"]",
        "1",
        "{}",
        "{\"command\":1}",
        "{\"command\":null}",
        "{\"command\":\"a\",\"command\":\"b\"}",
        "{\"command\":\"list\"} x",
        "\xff\xfe",
        "{\"command\":\"\xff\"}",
        "{\"command\":\"0123456789012345678901234567890123456789\"}",
    };
    struct ctl_request request;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(parse(&request, lines[i]), -EINVAL);
        assert_non_null(strstr(reason, "expected"));
    }
}

static void test_bytes_of_zero_and_deep_nesting_are_refused(void **state)
{
    static const char with_zero[] = "{\"command\":\"li\0st\"}";
    struct ctl_request request;
    char deep[CTL_REQUEST_MAX];

    assert_int_equal(ctl_request_parse(&request, with_zero, sizeof(with_zero) - 1, reason, sizeof(reason)),
                     -EINVAL);
    memset(deep, '[', sizeof(deep));
    assert_int_equal(ctl_request_parse(&request, deep, sizeof(deep), reason, sizeof(reason)), -EINVAL);
}

static void test_commands_are_found_by_their_whole_name(void **state)
{
    assert_non_null(command_find("list"));
    assert_true(command_find("show")->needs_device);
    assert_null(command_find("lis"));
    assert_null(command_find("listing"));
    assert_null(command_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_alone_means_all_devices),
        cmocka_unit_test(test_numbers_of_a_move),
        cmocka_unit_test(test_device_with_and_without_family),
        cmocka_unit_test(test_wrong_devices_are_refused),
        cmocka_unit_test(test_garbage_is_refused_with_a_reason),
        cmocka_unit_test(test_bytes_of_zero_and_deep_nesting_are_refused),
        cmocka_unit_test(test_commands_are_found_by_their_whole_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
