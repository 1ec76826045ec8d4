// SPDX-License-Identifier: MIT
/*
 * check_vbd_name.c: names and numbers of virtual block devices.
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

#include "frontend/xenfront.h"

static const struct {
    const char *name;
    uint32_t devid;
} rows[] = {
    { "xvda", 51712 },     { "xvda1", 51713 },      { "xvdb", 51728 },     { "xvdp15", 51967 },
    { "xvdq", 268439552 }, { "xvda16", 268435472 }, { "xvdz", 268441856 }, { "xvdaa", 268442112 },
    { "hda", 768 },        { "hdb", 832 },          { "hdc", 5632 },       { "hdd1", 5697 },
    { "sda", 2048 },       { "sdp15", 2303 },
};

static void test_names_have_their_numbers_and_back(void **state)
{
    char name[32];
    uint32_t devid;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(xenfront_vdev_parse(rows[i].name, &devid), 0);
        assert_int_equal(devid, rows[i].devid);
        assert_string_equal(xenfront_vdev_name(devid, name, sizeof(name)), rows[i].name);
    }
}

static void test_neutral_names_and_numbers(void **state)
{
    uint32_t devid;

    assert_int_equal(xenfront_vdev_parse("d0", &devid), 0);
    assert_int_equal(devid, 51712);
    assert_int_equal(xenfront_vdev_parse("d1p2", &devid), 0);
    assert_int_equal(devid, 51730);
    assert_int_equal(xenfront_vdev_parse("d16", &devid), 0);
    assert_int_equal(devid, 268439552);
    assert_int_equal(xenfront_vdev_parse("0", &devid), 0);
    assert_int_equal(devid, 0);
    assert_int_equal(xenfront_vdev_parse("51760", &devid), 0);
    assert_int_equal(devid, 51760);
}

static void test_nonsense_is_refused(void **state)
{
    static const char *const names[] = {
        "",         "xvd",         "xvd1",  "xvda-1", "xvda1x", "sdq", "sda16",  "hde", "hda64",
        "xvda256",  "99999999999", "-1",    "d",      "dp1",    "d0p", "d0p256", "vda", "xvdzzzzzzzzzzzzzzz",
        "d9999999", "51712 ",      " 51712"
    };
    uint32_t devid;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (xenfront_vdev_parse(names[i], &devid) != -EINVAL)
            fail_msg("'%s' is taken for %u", names[i], devid);
}

static void test_a_number_without_name_is_its_own(void **state)
{
    char name[32];

    assert_string_equal(xenfront_vdev_name(12345678, name, sizeof(name)), "12345678");
    assert_string_equal(xenfront_vdev_name(0, name, sizeof(name)), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_have_their_numbers_and_back),
        cmocka_unit_test(test_neutral_names_and_numbers),
        cmocka_unit_test(test_nonsense_is_refused),
        cmocka_unit_test(test_a_number_without_name_is_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
