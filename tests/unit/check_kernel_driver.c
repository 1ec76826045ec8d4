// SPDX-License-Identifier: MIT
/* check_kernel_driver.c: finding the kernel's driver of a device in a folder that looks like sysfs. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/kernel_driver.h"

static char folder[64];

static int make_folder(void **state)
{
    char path[128];

    snprintf(folder, sizeof(folder), "/tmp/check_kernel_driver.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/vbd-3-51712", folder);
    return mkdir(path, 0700);
}

static int remove_folder(void **state)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/vbd-3-51712/driver", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/vbd-3-51712", folder);
    rmdir(path);
    return rmdir(folder);
}

static void test_device_without_driver(void **state)
{
    char name[32] = "untouched";

    assert_false(kernel_driver_find(folder, "vbd", 3, 51712, name, sizeof(name)));
    assert_string_equal(name, "untouched");
}

static void test_unknown_device(void **state)
{
    char name[32];

    assert_false(kernel_driver_find(folder, "vbd", 4, 51712, name, sizeof(name)));
    assert_false(kernel_driver_find("/no/such/folder", "vbd", 3, 51712, name, sizeof(name)));
}

static void test_device_with_driver(void **state)
{
    char path[128], name[32], tiny[3];

    snprintf(path, sizeof(path), "%s/vbd-3-51712/driver", folder);
    assert_int_equal(symlink("../../../bus/xen-backend/drivers/vbd", path), 0);
    assert_true(kernel_driver_find(folder, "vbd", 3, 51712, name, sizeof(name)));
    assert_string_equal(name, "vbd");
    assert_true(kernel_driver_find(folder, "vbd", 3, 51712, tiny, sizeof(tiny)));
    assert_string_equal(tiny, "vb");
    unlink(path);
    assert_int_equal(symlink("plain", path), 0);
    assert_true(kernel_driver_find(folder, "vbd", 3, 51712, name, sizeof(name)));
    assert_string_equal(name, "plain");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_device_without_driver, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_unknown_device, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_device_with_driver, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
