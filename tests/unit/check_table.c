// SPDX-License-Identifier: MIT
/*
 * check_table.c: what people and collectors see of an answer.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/ctl/prometheus.h"
#include "backend/ctl/table.h"

static char *printed; /* the last text */

static void print(const char *json, void (*printer)(FILE *out, const json_t *value))
{
    json_t *value = json_loads(json, 0, NULL);
    size_t size;
    FILE *out;

    free(printed);
    out = open_memstream(&printed, &size);
    assert_non_null(value);
    assert_non_null(out);
    printer(out, value);
    fclose(out);
    json_decref(value);
}

static void print_rows(FILE *out, const json_t *rows)
{
    static const struct table_column columns[] = {
        { "device", "DEVICE" }, { "size_bytes", "SIZE" }, { "target", "DISK" }, { NULL, NULL }
    };

    table_print(out, rows, columns);
}

static void test_table_columns_are_as_wide_as_needed(void **state)
{
    print("[{\"device\":\"vbd 3/51712\",\"size_bytes\":67108864,\"target\":\"/a\"},"
          "{\"device\":\"vbd 3/1\",\"size_bytes\":512,\"target\":\"/bc\"}]",
          print_rows);
    assert_string_equal(printed, "DEVICE       SIZE  DISK\n"
                                 "vbd 3/51712   64M  /a\n"
                                 "vbd 3/1       512  /bc\n");
}

static void test_table_without_rows_is_its_heading(void **state)
{
    print("[]", print_rows);
    assert_string_equal(printed, "DEVICE  SIZE  DISK\n");
}

static void test_what_is_null_or_missing_is_a_dash(void **state)
{
    print("[{\"device\":null,\"target\":true}]", print_rows);
    assert_string_equal(printed, "DEVICE  SIZE  DISK\n"
                                 "-       -     yes\n");
}

static void test_control_characters_do_not_reach_the_terminal(void **state)
{
    print("[{\"device\":\"a\\u001b[31m\\nb\"}]", print_rows);
    assert_non_null(strstr(printed, "a?[31m?b"));
}

static void test_long_values_are_cut(void **state)
{
    static const char head[] = "{\"target\":\"";
    char json[1024];

    memset(json, 'x', sizeof(json));
    memcpy(json, head, sizeof(head) - 1);
    memcpy(json + 900, "\"}", 3);
    print(json, table_print_object);
    assert_int_equal(strlen(printed), strlen("target  ") + 511 + 1);
}

static void test_object_is_names_and_values(void **state)
{
    print("{\"device\":\"vbd 1/2\",\"size_bytes\":1610612736,\"is_direct\":false}", table_print_object);
    assert_string_equal(printed, "device      vbd 1/2\n"
                                 "size_bytes  1.5G\n"
                                 "is_direct   no\n");
}

static void test_prometheus_leaves_out_what_is_null(void **state)
{
    print("[{\"device\":\"vbd 3/51712\",\"reads\":7,\"errors\":0},{\"device\":\"vbd 3/1\",\"reads\":null}]",
          prometheus_print);
    assert_non_null(strstr(printed,
                           "# TYPE xensplit_requests_total counter\n"
                           "xensplit_requests_total{device=\"vbd 3/51712\",operation=\"read\"} 7\n"));
    assert_non_null(strstr(printed, "xensplit_errors_total{device=\"vbd 3/51712\"} 0\n"));
    assert_null(strstr(printed, "vbd 3/1\""));
}

static int free_printed(void **state)
{
    free(printed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_columns_are_as_wide_as_needed),
        cmocka_unit_test(test_table_without_rows_is_its_heading),
        cmocka_unit_test(test_what_is_null_or_missing_is_a_dash),
        cmocka_unit_test(test_control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_object_is_names_and_values),
        cmocka_unit_test(test_prometheus_leaves_out_what_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, free_printed);
}
