// SPDX-License-Identifier: MIT
/*
 * check_grant_io.c: data through grants of this very domain, good and bad ones mixed. Runs in a box (or a dom0).
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

#include "backend/grant_io.h"

#define PAGES 8u
#define UNGRANTED_REF 31000u

struct fixture {
    xengntshr_handle *gntshr;
    xengnttab_handle *gnttab;
    struct grant_io io;
    unsigned char *writable, *readonly; /* PAGES pages and one */
    uint32_t refs[PAGES], readonly_ref;
    unsigned char memory[PAGES * 4096];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->gntshr = xengntshr_open(NULL, 0);
    f->gnttab = xengnttab_open(NULL, 0);
    assert_non_null(f->gntshr);
    assert_non_null(f->gnttab);
    f->writable = xengntshr_share_pages(f->gntshr, 0, PAGES, f->refs, 1);
    f->readonly = xengntshr_share_pages(f->gntshr, 0, 1, &f->readonly_ref, 0);
    assert_non_null(f->writable);
    assert_non_null(f->readonly);
    for (unsigned int i = 0; i < PAGES * 4096; i++)
        f->writable[i] = (unsigned char)(i / 4096 * 16 + i % 13);
    *state = f;
    return grant_io_init(&f->io, f->gnttab, 0);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    grant_io_fini(&f->io);
    grant_io_fini(&f->io);
    assert_int_equal(xengntshr_unshare(f->gntshr, f->writable, PAGES), 0);
    assert_int_equal(xengntshr_unshare(f->gntshr, f->readonly, 1), 0);
    xengnttab_close(f->gnttab);
    xengntshr_close(f->gntshr);
    free(f);
    return 0;
}

static void test_get_takes_sectors_from_where_they_are(void **state)
{
    struct fixture *f = *state;
    int error = 0;

    grant_io_get(&f->io, f->refs[2], 512, 1024, f->memory + 100, &error);
    assert_int_equal(f->memory[100], 0); /* not before the run */
    grant_io_run(&f->io);
    assert_int_equal(error, 0);
    assert_memory_equal(f->memory + 100, f->writable + 2 * 4096 + 512, 1024);
    assert_int_equal(f->memory[99], 0);
    assert_int_equal(f->memory[1124], 0);
}

static void test_put_leaves_its_neighbours_alone(void **state)
{
    struct fixture *f = *state;
    unsigned char before = f->writable[4096 + 511], after = f->writable[4096 + 1024];
    int error = 0;

    memset(f->memory, 0xee, sizeof(f->memory));
    grant_io_put(&f->io, f->refs[1], 512, 512, f->memory, &error);
    grant_io_run(&f->io);
    assert_int_equal(error, 0);
    assert_int_equal(f->writable[4096 + 512], 0xee);
    assert_int_equal(f->writable[4096 + 1023], 0xee);
    assert_int_equal(f->writable[4096 + 511], before);
    assert_int_equal(f->writable[4096 + 1024], after);
}

static void test_memory_may_cross_its_own_pages(void **state)
{
    struct fixture *f = *state;
    int error = 0;

    for (unsigned int i = 0; i < PAGES - 1; i++)
        grant_io_get(&f->io, f->refs[i], 0, 4096, f->memory + 512 + i * 4096, &error);
    grant_io_run(&f->io);
    assert_int_equal(error, 0);
    assert_memory_equal(f->memory + 512, f->writable, (PAGES - 1) * 4096);
}

static void test_c05_c06_each_piece_stands_for_itself(void **state)
{
    struct fixture *f = *state;
    int errors[PAGES] = { 0 };

    for (unsigned int i = 0; i < PAGES; i++)
        grant_io_get(&f->io, i % 3 == 1 ? UNGRANTED_REF + i : f->refs[i], 0, 4096, f->memory + i * 4096,
                     &errors[i]);
    grant_io_run(&f->io);
    for (unsigned int i = 0; i < PAGES; i++) {
        assert_int_equal(errors[i], i % 3 == 1 ? -EFAULT : 0);
        if (i % 3 != 1)
            assert_memory_equal(f->memory + i * 4096, f->writable + i * 4096, 4096);
    }
}

static void test_c06_the_first_failure_stays(void **state)
{
    struct fixture *f = *state;
    int error = -ENOSPC;

    grant_io_get(&f->io, UNGRANTED_REF, 0, 512, f->memory, &error);
    grant_io_get(&f->io, f->refs[0], 0, 512, f->memory, &error);
    grant_io_run(&f->io);
    assert_int_equal(error, -ENOSPC);
    error = 0;
    grant_io_get(&f->io, UNGRANTED_REF, 0, 512, f->memory, &error);
    grant_io_get(&f->io, f->refs[0], 0, 512, f->memory, &error);
    grant_io_run(&f->io);
    assert_int_equal(error, -EFAULT); /* a success afterwards does not hide it */
}

static void test_readonly_grants_are_not_written(void **state)
{
    struct fixture *f = *state;
    int get = 0, put = 0;

    memset(f->memory, 0xee, 512);
    grant_io_put(&f->io, f->readonly_ref, 0, 512, f->memory, &put);
    grant_io_run(&f->io);
    assert_int_equal(put, -EFAULT);
    assert_int_equal(f->readonly[0], 0);
    grant_io_get(&f->io, f->readonly_ref, 0, 512, f->memory, &get);
    grant_io_run(&f->io);
    assert_int_equal(get, 0);
    assert_int_equal(f->memory[0], 0);
}

static void test_batches_may_be_longer_than_the_array(void **state)
{
    struct fixture *f = *state;
    int error = 0;

    for (unsigned int i = 0; i < 3 * GRANT_IO_PIECES + 1; i++)
        grant_io_get(&f->io, f->refs[i % PAGES], 0, 16, f->memory + i * 16, &error);
    grant_io_run(&f->io);
    grant_io_run(&f->io); /* nothing to do */
    assert_int_equal(error, 0);
    for (unsigned int i = 0; i < 3 * GRANT_IO_PIECES + 1; i++)
        assert_memory_equal(f->memory + i * 16, f->writable + i % PAGES * 4096, 16);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_get_takes_sectors_from_where_they_are), TEST(test_put_leaves_its_neighbours_alone),
        TEST(test_memory_may_cross_its_own_pages),        TEST(test_c05_c06_each_piece_stands_for_itself),
        TEST(test_c06_the_first_failure_stays),           TEST(test_readonly_grants_are_not_written),
        TEST(test_batches_may_be_longer_than_the_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
