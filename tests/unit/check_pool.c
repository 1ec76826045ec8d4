// SPDX-License-Identifier: MIT
/*
 * check_pool.c: granted pages. gntshr itself is played here, so that sharing and taking back can fail.
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

#include "frontend/pool.h"

static uint8_t *shared;
static int share_errno;
static int unshare_result;
static unsigned int unshared;

void *xengntshr_share_pages(xengntshr_handle *shr, uint32_t domid, int count, uint32_t *refs, int writable)
{
    assert_int_equal(domid, 7);
    assert_int_equal(writable, 1);
    if (share_errno) {
        errno = share_errno;
        return NULL;
    }
    shared = aligned_alloc(GRANT_SIZE, (size_t)count * GRANT_SIZE);
    memset(shared, 0x5e, (size_t)count * GRANT_SIZE); /* what was in memory before */
    for (int i = 0; i < count; i++)
        refs[i] = 100 + (uint32_t)i;
    return shared;
}

int xengntshr_unshare(xengntshr_handle *shr, void *start, uint32_t count)
{
    assert_ptr_equal(start, shared);
    unshared = count;
    if (unshare_result == 0)
        free(shared);
    return unshare_result;
}

static xengntshr_handle *const handle = (xengntshr_handle *)0x1000;

static int setup(void **state)
{
    share_errno = unshare_result = 0;
    unshared = 0;
    return 0;
}

/* E03 */
static void test_pages_are_zeroed(void **state)
{
    struct pool pool;

    assert_int_equal(pool_init(&pool, handle, 7, 4), 0);
    for (size_t i = 0; i < 4 * GRANT_SIZE; i++)
        assert_int_equal(pool.region.base[i], 0);
    assert_int_equal(pool_fini(&pool), 0);
    assert_int_equal(unshared, 4);
}

static void test_last_in_is_first_out(void **state)
{
    struct pool pool;
    uint32_t a[3], b[3];

    assert_int_equal(pool_init(&pool, handle, 7, 8), 0);
    pool_take(&pool, a, 3);
    assert_int_equal(pool.free, 5);
    pool_put(&pool, a, 3);
    pool_take(&pool, b, 3);
    assert_memory_equal(a, b, sizeof(a));
    pool_put(&pool, b, 3);
    assert_int_equal(pool.free, 8);
    pool_fini(&pool);
}

static void test_every_page_is_given_out_once(void **state)
{
    struct pool pool;
    uint32_t pages[8], seen = 0;

    assert_int_equal(pool_init(&pool, handle, 7, 8), 0);
    pool_take(&pool, pages, 8);
    for (int i = 0; i < 8; i++)
        seen |= 1u << pages[i];
    assert_int_equal(seen, 0xff);
    assert_int_equal(pool.free, 0);
    pool_fini(&pool);
}

static void test_a_limit_is_reported_and_nothing_is_left(void **state)
{
    struct pool pool;

    share_errno = ENOSPC;
    assert_int_equal(pool_init(&pool, handle, 7, 2000), -ENOSPC);
    assert_int_equal(pool_fini(&pool), 0);
    assert_int_equal(unshared, 0);
}

static void test_fini_is_safe_twice(void **state)
{
    struct pool pool = { 0 };

    pool_fini(&pool);
    assert_int_equal(pool_init(&pool, handle, 7, 2), 0);
    pool_fini(&pool);
    unshared = 0;
    pool_fini(&pool);
    assert_int_equal(unshared, 0);
}

/* E02: memory that the backend may still write to is not used for anything else. */
static void test_pages_that_stay_shared_are_quarantined(void **state)
{
    struct pool pool;

    assert_int_equal(pool_init(&pool, handle, 7, 5), 0);
    unshare_result = -1;
    assert_int_equal(pool_fini(&pool), 5);
    shared[0] = 1; /* still there */
    free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_pages_are_zeroed, setup),
        cmocka_unit_test_setup(test_last_in_is_first_out, setup),
        cmocka_unit_test_setup(test_every_page_is_given_out_once, setup),
        cmocka_unit_test_setup(test_a_limit_is_reported_and_nothing_is_left, setup),
        cmocka_unit_test_setup(test_fini_is_safe_twice, setup),
        cmocka_unit_test_setup(test_pages_that_stay_shared_are_quarantined, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
