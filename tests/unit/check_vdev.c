// SPDX-License-Identifier: MIT
/*
 * check_vdev.c: names of virtual disks against the table of xen-vbd-interface(7), at the edges of each
 * family.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenbox/cmd/vdev.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EXTENDED (1u << 28)

static void test_names_have_their_numbers(void **state)
{
    static const struct {
        const char *name;
        uint32_t number;
    } known[] = {
        { "xvda", 51712 },
        { "xvda1", 51713 },
        { "xvdb", 51728 },
        { "xvdp15", 202 << 8 | 15 << 4 | 15 },
        { "xvdq", EXTENDED | 16 << 8 }, /* the first disk that does not fit */
        { "xvda16", EXTENDED | 16 }, /* the first partition that does not fit */
        { "xvdz255", EXTENDED | 25 << 8 | 255 },
        { "xvdaa", EXTENDED | 26 << 8 },
        { "xvdtq37", EXTENDED | 536 << 8 | 37 },
        { "xvdbgqcv", EXTENDED | 1048575u << 8 },
        { "d0", 51712 },
        { "d0p0", 51712 },
        { "d1p2", 51730 },
        { "d536p37", EXTENDED | 536 << 8 | 37 },
        { "d1048575p255", EXTENDED | 1048575u << 8 | 255 },
        { "sda", 8 << 8 },
        { "sdb3", 8 << 8 | 1 << 4 | 3 },
        { "sdp15", 8 << 8 | 15 << 4 | 15 },
        { "hda", 3 << 8 },
        { "hdb63", 3 << 8 | 1 << 6 | 63 },
        { "hdc2", 22 << 8 | 2 },
        { "hdd", 22 << 8 | 1 << 6 },
        { "51712", 51712 },
        { "0xca00", 51712 },
        { "0145000", 51712 },
        { "536870911", 2 * EXTENDED - 1 },
    };

    for (size_t i = 0; i < COUNT(known); i++) {
        uint32_t number = 0;

        if (vdev_parse(known[i].name, &number) != 0 || number != known[i].number)
            fail_msg("%s: %u, expected %u", known[i].name, number, known[i].number);
    }
}

static void test_what_is_no_name_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",    "xvd", "xvd1",   "xvdA", "xvda1p", "xvda-1", "xvda 1", "xvda01", "d",
        "d0p", "dp1", "d0p1x",  "d00",  "sd",     "hd1",    "vda",    "-1",     "+1",
        " 1",  "1 ",  "51712x", "0x",   "d0x1",   "d0p01",  "xvda/",  "xvd/a",  "1e3",
    };

    for (size_t i = 0; i < COUNT(wrong); i++) {
        uint32_t number;

        if (vdev_parse(wrong[i], &number) != -EINVAL)
            fail_msg("'%s' was not refused", wrong[i]);
    }
}

static void test_what_the_family_cannot_number_is_out_of_range(void **state)
{
    static const char *const wrong[] = {
        "sdq",
        "sda16",
        "hde",
        "hda64",
        "xvda256",
        "xvdbgqcw",
        "xvdzzzzzzzzzzzzzzzzzzzz",
        "d1048576",
        "d0p256",
        "0",
        "536870912",
        "4294967295",
        "d99999999999999999999",
    };

    for (size_t i = 0; i < COUNT(wrong); i++) {
        uint32_t number;

        if (vdev_parse(wrong[i], &number) != -ERANGE)
            fail_msg("'%s' was not refused as out of range", wrong[i]);
    }
}

/* Every whole disk: its name has the number that its place says. */
static void test_every_disk_can_be_named(void **state)
{
    for (uint32_t disk = 0; disk < 1u << 20; disk++) {
        char name[VDEV_NAME_MAX];
        uint32_t number, expected = disk < 16 ? 202 << 8 | disk << 4 : EXTENDED | disk << 8;

        assert_int_equal(vdev_name(disk, name), 0);
        if (vdev_parse(name, &number) != 0 || number != expected)
            fail_msg("disk %u is called %s", disk, name);
    }
    assert_int_equal(vdev_name(1u << 20, (char[VDEV_NAME_MAX]){ 0 }), -ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_have_their_numbers),
        cmocka_unit_test(test_what_is_no_name_is_refused),
        cmocka_unit_test(test_what_the_family_cannot_number_is_out_of_range),
        cmocka_unit_test(test_every_disk_can_be_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
