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

#include "backend/grant_budget.h"
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
    return grant_io_init(&f->io, f->gnttab, 0, GRANT_IO_COPY, "test");
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

static void use_method(struct fixture *f, enum grant_io_method method)
{
    grant_io_release(&f->io);
    assert_int_equal(grant_io_init(&f->io, f->gnttab, 0, method, "test"), 0);
}

static int get(struct fixture *f, uint32_t ref, uint32_t offset, void *to)
{
    int error = 0;

    grant_io_get(&f->io, ref, offset, 512, to, &error);
    grant_io_run(&f->io);
    return error;
}

static int put(struct fixture *f, uint32_t ref, uint32_t offset, const void *from)
{
    int error = 0;

    grant_io_put(&f->io, ref, offset, 512, from, &error);
    grant_io_run(&f->io);
    return error;
}

/* Catalogue H11: one workload, good and bad grants, gives the same data and the same errors whichever way it moves. */
static void test_h11_all_methods_agree(void **state)
{
    static const enum grant_io_method methods[] = { GRANT_IO_COPY, GRANT_IO_PERSISTENT, GRANT_IO_MAP };
    static unsigned char first[sizeof(((struct fixture *)0)->memory)], first_pages[PAGES * 4096];
    static int first_errors[2048];
    struct fixture *f = *state;
    unsigned char *initial = malloc(PAGES * 4096);

    memcpy(initial, f->writable, PAGES * 4096);
    for (unsigned int m = 0; m < 3; m++) {
        uint64_t random = 88172645463325252u;
        int errors[2048];

        memcpy(f->writable, initial, PAGES * 4096);
        memset(f->memory, 0, sizeof(f->memory));
        use_method(f, methods[m]);
        for (unsigned int i = 0; i < 2048; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint32_t kind = random >> 60, page = (random >> 40) % PAGES, sector = (random >> 33) % 8;
            uint32_t ref = kind == 0 ? UNGRANTED_REF : kind == 1 ? f->readonly_ref : f->refs[page];
            unsigned char *own = f->memory + (random >> 20) % (PAGES * 8) * 512;

            errors[i] = random >> 59 & 1 ? get(f, ref, sector * 512, own) : put(f, ref, sector * 512, own);
        }
        if (m == 0) {
            memcpy(first, f->memory, sizeof(first));
            memcpy(first_pages, f->writable, sizeof(first_pages));
            memcpy(first_errors, errors, sizeof(errors));
        }
        assert_memory_equal(first, f->memory, sizeof(first));
        assert_memory_equal(first_pages, f->writable, sizeof(first_pages));
        assert_memory_equal(first_errors, errors, sizeof(errors));
    }
    free(initial);
}

static void test_persistent_maps_what_was_used_once(void **state)
{
    struct fixture *f = *state;

    use_method(f, GRANT_IO_PERSISTENT);
    assert_null(grant_cache_find(&f->io.cache, f->refs[0]));
    for (unsigned int round = 0; round < 3; round++)
        for (unsigned int i = 0; i < PAGES; i++)
            assert_int_equal(get(f, f->refs[i], 512, f->memory), 0);
    assert_int_equal(f->io.cache.count, PAGES);
    assert_memory_equal(grant_cache_find(&f->io.cache, f->refs[3]), f->writable + 3 * 4096, 4096);
    memset(f->memory, 0x5a, 512);
    assert_int_equal(put(f, f->refs[3], 0, f->memory), 0);
    assert_int_equal(f->writable[3 * 4096 + 511], 0x5a);
    grant_io_release(&f->io); /* catalogue C08, C17: the teardown finds every page given back */
    assert_int_equal(f->io.cache.count, 0);
    assert_null(grant_cache_find(&f->io.cache, f->refs[3]));
    assert_int_equal(grant_io_init(&f->io, f->gnttab, 0, GRANT_IO_PERSISTENT, "test"), 0);
    assert_int_equal(get(f, f->refs[3], 0, f->memory), 0);
}

/* One call maps them all, and each is its own page. */
static void test_persistent_maps_a_batch(void **state)
{
    struct fixture *f = *state;
    int error = 0;

    use_method(f, GRANT_IO_PERSISTENT);
    for (unsigned int round = 0; round < 2; round++) {
        memset(f->memory, 0, sizeof(f->memory));
        for (unsigned int i = 0; i < PAGES; i++)
            grant_io_get(&f->io, f->refs[i], 0, 4096, f->memory + i * 4096, &error);
        grant_io_get(&f->io, f->refs[0], 0, 512, f->memory, &error);
        grant_io_run(&f->io);
        assert_int_equal(error, 0);
        assert_memory_equal(f->memory, f->writable, PAGES * 4096);
        assert_int_equal(f->io.cache.count, PAGES);
        assert_int_equal(f->io.cache.extent_count, 1);
    }
}

static void test_persistent_maps_no_grant_that_failed(void **state)
{
    struct fixture *f = *state;
    int error = 0;

    use_method(f, GRANT_IO_PERSISTENT);
    for (unsigned int i = 0; i < 100; i++) {
        assert_int_equal(get(f, UNGRANTED_REF + i, 0, f->memory), -EFAULT);
        assert_int_equal(put(f, f->readonly_ref, 0, f->memory), -EFAULT);
    }
    assert_int_equal(f->io.cache.failures, 0);
    grant_io_touch(&f->io, UNGRANTED_REF, &error);
    grant_io_touch(&f->io, f->refs[5], &error);
    grant_io_run(&f->io);
    assert_int_equal(error, -EFAULT);
    assert_non_null(grant_cache_find(&f->io.cache, f->refs[5])); /* its own piece was good */
}

/* Readable, so it can be copied from; but what is kept is mapped writable, and that it is not. */
static void test_a_grant_that_cannot_be_mapped_is_copied(void **state)
{
    struct fixture *f = *state;

    use_method(f, GRANT_IO_PERSISTENT);
    for (unsigned int i = 0; i < 100; i++)
        assert_int_equal(get(f, f->readonly_ref, 0, f->memory), 0);
    assert_int_equal(f->io.cache.count, 0);
    assert_string_not_equal(f->io.cache.refusal, ""); /* it is not tried for ever */
    assert_int_equal(get(f, f->refs[0], 0, f->memory), 0);
}

static void test_the_budget_refuses_and_says_so(void **state)
{
    struct fixture *f = *state;

    use_method(f, GRANT_IO_PERSISTENT);
    grant_budget_set(3, 0);
    for (unsigned int i = 0; i < PAGES; i++)
        assert_int_equal(get(f, f->refs[i], 0, f->memory + i * 512), 0);
    assert_int_equal(f->io.cache.count, 3);
    assert_non_null(strstr(f->io.cache.refusal, "3 pages of all devices"));
    assert_memory_equal(f->memory + 7 * 512, f->writable + 7 * 4096, 512);
    use_method(f, GRANT_IO_COPY);
    assert_string_equal(f->io.cache.refusal, ""); /* of a connection that is over */
    use_method(f, GRANT_IO_PERSISTENT); /* the release gave them back */
    for (unsigned int i = 0; i < 3; i++)
        assert_int_equal(get(f, f->refs[i], 0, f->memory), 0);
    assert_int_equal(f->io.cache.count, 3);
    assert_string_equal(f->io.cache.refusal, "");
    grant_budget_set(GRANT_BUDGET_PAGES, 0);
}

static void test_a_ring_has_its_own_limit(void **state)
{
    const uint32_t count = GRANT_CACHE_REFS + 40;
    uint32_t *refs = calloc(count, sizeof(*refs));
    struct fixture *f = *state;
    uint32_t *pages;

    pages = xengntshr_share_pages(f->gntshr, 0, (int)count, refs, 1);
    assert_non_null(pages);
    use_method(f, GRANT_IO_PERSISTENT);
    for (uint32_t i = 0; i < count; i++)
        pages[i * 1024] = i;
    for (unsigned int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(get(f, refs[i], 0, f->memory), 0);
            assert_int_equal(*(uint32_t *)f->memory, i);
        }
    assert_int_equal(f->io.cache.count, GRANT_CACHE_REFS);
    assert_non_null(strstr(f->io.cache.refusal, "a ring"));
    grant_io_release(&f->io);
    assert_int_equal(xengntshr_unshare(f->gntshr, pages, count), 0);
    free(refs);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_get_takes_sectors_from_where_they_are), TEST(test_put_leaves_its_neighbours_alone),
        TEST(test_memory_may_cross_its_own_pages),        TEST(test_c05_c06_each_piece_stands_for_itself),
        TEST(test_c06_the_first_failure_stays),           TEST(test_readonly_grants_are_not_written),
        TEST(test_batches_may_be_longer_than_the_array),
        TEST(test_h11_all_methods_agree),
        TEST(test_persistent_maps_what_was_used_once),
        TEST(test_persistent_maps_a_batch),
        TEST(test_persistent_maps_no_grant_that_failed),
        TEST(test_a_grant_that_cannot_be_mapped_is_copied),
        TEST(test_the_budget_refuses_and_says_so),
        TEST(test_a_ring_has_its_own_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
