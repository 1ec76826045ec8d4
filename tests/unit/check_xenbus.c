// SPDX-License-Identifier: MIT
/*
 * check_xenbus.c: the pure parts of reading the store: numbers, flags, states, paths, names of devices.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/log.h"
#include "common/xenbus.h"
#include "backend/claim.h"
#include "backend/device_nodes.h"
#include "backend/toolstack.h"

static int parse(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    return xenbus_parse_u64(text, strlen(text), min, max, value);
}

static void test_number_takes_digits_only(void **state)
{
    static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x10", "1.0", "1\n", "one", "1e3" };
    uint64_t value = 77;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse(bad[i], 0, UINT64_MAX, &value), -EINVAL);
    assert_int_equal(xenbus_parse_u64("12\0"
                                      "3",
                                      4, 0, UINT64_MAX, &value),
                     -EINVAL);
    assert_int_equal(value, 77);
    assert_int_equal(parse("007", 0, 10, &value), 0);
    assert_int_equal(value, 7);
}

static void test_number_is_bounded(void **state)
{
    uint64_t value;

    assert_int_equal(parse("18446744073709551615", 0, UINT64_MAX, &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(parse("18446744073709551616", 0, UINT64_MAX, &value), -ERANGE);
    assert_int_equal(parse("99999999999999999999999", 0, UINT64_MAX, &value), -ERANGE);
    assert_int_equal(parse("4", 5, 9, &value), -ERANGE);
    assert_int_equal(parse("5", 5, 9, &value), 0);
    assert_int_equal(parse("9", 5, 9, &value), 0);
    assert_int_equal(parse("10", 5, 9, &value), -ERANGE);
}

static void test_bool_is_0_or_1(void **state)
{
    bool value;

    assert_int_equal(xenbus_parse_bool("1", 1, &value), 0);
    assert_true(value);
    assert_int_equal(xenbus_parse_bool("0", 1, &value), 0);
    assert_false(value);
    assert_int_equal(xenbus_parse_bool("2", 1, &value), -EINVAL);
    assert_int_equal(xenbus_parse_bool("", 0, &value), -EINVAL);
    assert_int_equal(xenbus_parse_bool("01", 2, &value), -EINVAL);
}

static void test_state_is_in_the_enumeration(void **state)
{
    enum xenbus_state s = XenbusStateClosed;

    assert_int_equal(xenbus_parse_state("4", 1, &s), 0);
    assert_int_equal(s, XenbusStateConnected);
    assert_int_equal(xenbus_parse_state("8", 1, &s), 0);
    assert_int_equal(xenbus_parse_state("9", 1, &s), -EINVAL);
    assert_int_equal(xenbus_parse_state("99", 2, &s), -EINVAL);
    assert_int_equal(xenbus_parse_state("", 0, &s), -EINVAL);
    assert_int_equal(s, XenbusStateReconfigured);
    assert_string_equal(xenbus_state_name(XenbusStateInitWait), "InitWait");
    assert_string_equal(xenbus_state_name(99), "?");
}

static void test_path_is_joined_within_its_room(void **state)
{
    char path[8];

    assert_int_equal(xenbus_join(path, sizeof(path), "abc", "def"), 0);
    assert_string_equal(path, "abc/def");
    assert_int_equal(xenbus_join(path, sizeof(path), "abc", "defg"), -ENAMETOOLONG);
    assert_int_equal(xenbus_join(path, sizeof(path), "abc", ""), 0);
    assert_string_equal(path, "abc");
}

static void test_no_store_is_an_error_and_no_crash(void **state)
{
    enum xenbus_state s;
    char text[4];

    assert_null(xenbus_read(NULL, XBT_NULL, "backend", "state"));
    assert_int_equal(errno, ENOTCONN);
    assert_int_equal(xenbus_read_state(NULL, XBT_NULL, "backend", &s), -ENOTCONN);
    assert_int_equal(xenbus_read_string(NULL, XBT_NULL, "backend", "x", text, sizeof(text)), -ENOTCONN);
    assert_int_equal(xenbus_write(NULL, XBT_NULL, "backend", "x", "1"), -ENOTCONN);
    assert_int_equal(xenbus_switch_state(NULL, "backend", XenbusStateClosed), -ENOTCONN);
    assert_int_equal(xenbus_write_error(NULL, "backend", "why"), -ENOTCONN);
    xenbus_clear_error(NULL, "backend");
}

static void test_device_name_is_parsed_whole(void **state)
{
    static const char *const bad[] = {
        "backend",
        "backend/",
        "backend/vbd",
        "backend/vbd/",
        "backend/vbd/1",
        "backend/vbd/1/",
        "backend//1/2",
        "backend/vbd/x/2",
        "backend/vbd/1/-2",
        "backend/vbd/65536/1",
        "backend/vbd/1/4294967296",
        "backend/averyveryverylongkind/1/2",
        "device/vbd/1/2",
        "/local/domain/backend/vbd/1/2",
        "/local/domain/0",
        "error/backend/vbd/1/2",
        "@releaseDomain",
        "",
    };
    static const char *const good[] = {
        "backend/vbd/3/51712",
        "backend/vbd/3/51712/",
        "backend/vbd/3/51712/state",
        "/local/domain/0/backend/vbd/3/51712/queue-0/x",
    };
    struct toolstack_name name;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (toolstack_parse(bad[i], &name))
            fail_msg("\"%s\" was taken for a device", bad[i]);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        memset(&name, 0, sizeof(name));
        assert_true(toolstack_parse(good[i], &name));
        assert_string_equal(name.kind, "vbd");
        assert_int_equal(name.domid, 3);
        assert_int_equal(name.devid, 51712);
    }
    assert_true(toolstack_parse("backend/vif/65535/4294967295", &name));
    assert_int_equal(name.domid, 65535);
    assert_true(name.devid == UINT32_MAX);
}

/* F24: where the toolstack says the frontend is must be the frontend's own. */
static void test_frontend_path_belongs_to_the_domain(void **state)
{
    assert_true(device_nodes_path_is_good("/local/domain/3/device/vbd/51712", 3));
    assert_false(device_nodes_path_is_good("/local/domain/4/device/vbd/51712", 3));
    assert_false(device_nodes_path_is_good("/local/domain/33/device/vbd/51712", 3));
    assert_false(device_nodes_path_is_good("/local/domain/3/", 3));
    assert_false(device_nodes_path_is_good("/local/domain/3", 3));
    assert_false(device_nodes_path_is_good("/local/domain/3/device/", 3));
    assert_false(device_nodes_path_is_good("/local/domain/3//device", 3));
    assert_false(device_nodes_path_is_good("device/vbd/51712", 3));
    assert_false(device_nodes_path_is_good("", 3));
}

static void test_start_time_is_found_behind_any_name(void **state)
{
    assert_int_equal(claim_parse_stat("7 (a) b) S 1 7 7 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 4711 99 1"), 4711);
    assert_int_equal(claim_parse_stat("7 (sh) S 1 7"), 0);
    assert_int_equal(claim_parse_stat(""), 0);
}

static void test_dead_process_holds_no_claim(void **state)
{
    assert_int_equal(claim_parse_stat("7 (sh) Z 1 7 7 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 4711 0 0"), 0);
    assert_int_equal(claim_parse_stat("7 (sh) X 1 7 7 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 4711 0 0"), 0);
    assert_int_equal(claim_parse_stat("7 (a) Z) S 1 7 7 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 4711 0 0"), 4711);
}

static void test_log_limit_lets_a_few_through(void **state)
{
    struct log_limit limit = { 0 };
    int passed = 0;

    for (int i = 0; i < 1000; i++)
        passed += log_limit_pass(&limit, "test");
    assert_in_range(passed, 1, 20); /* twice as many where a window ended meanwhile */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_takes_digits_only),
        cmocka_unit_test(test_number_is_bounded),
        cmocka_unit_test(test_bool_is_0_or_1),
        cmocka_unit_test(test_state_is_in_the_enumeration),
        cmocka_unit_test(test_path_is_joined_within_its_room),
        cmocka_unit_test(test_no_store_is_an_error_and_no_crash),
        cmocka_unit_test(test_device_name_is_parsed_whole),
        cmocka_unit_test(test_frontend_path_belongs_to_the_domain),
        cmocka_unit_test(test_start_time_is_found_behind_any_name),
        cmocka_unit_test(test_dead_process_holds_no_claim),
        cmocka_unit_test(test_log_limit_lets_a_few_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
