// SPDX-License-Identifier: MIT
/*
 * check_buffer_pool.c: bounce buffers: each one once, warm ones first, and a line that keeps its order.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/disk/buffer_pool.h"

static struct buffer_pool pool;
static char woken[8];
static struct buffer_waiter nobody; /* who never waits */

static int setup(void **state)
{
    memset(woken, 0, sizeof(woken));
    return buffer_pool_init(&pool);
}

static int teardown(void **state)
{
    buffer_pool_fini(&pool);
    buffer_pool_fini(&pool);
    return 0;
}

struct named_waiter {
    struct buffer_waiter waiter;
    char name;
};

static void on_wake(struct buffer_waiter *waiter)
{
    woken[strlen(woken)] = ((struct named_waiter *)waiter)->name;
}

static void test_buffers_are_distinct_aligned_and_bounded(void **state)
{
    void *buffers[BUFFER_POOL_BUFFERS];

    for (unsigned int i = 0; i < BUFFER_POOL_BUFFERS; i++) {
        buffers[i] = buffer_pool_take(&pool, &nobody);
        assert_non_null(buffers[i]);
        assert_int_equal((uintptr_t)buffers[i] % 4096, 0);
        memcpy((char *)buffers[i] + BUFFER_BYTES - sizeof(i), &i, sizeof(i));
    }
    assert_null(buffer_pool_take(&pool, &nobody));
    for (unsigned int i = 0; i < BUFFER_POOL_BUFFERS; i++) {
        assert_memory_equal((char *)buffers[i] + BUFFER_BYTES - sizeof(i), &i, sizeof(i));
        buffer_pool_give(&pool, buffers[i]);
    }
    assert_ptr_equal(buffer_pool_take(&pool, &nobody), buffers[BUFFER_POOL_BUFFERS - 1]);
}

static void test_last_in_is_first_out(void **state)
{
    void *first = buffer_pool_take(&pool, &nobody), *second = buffer_pool_take(&pool, &nobody);

    buffer_pool_give(&pool, second);
    buffer_pool_give(&pool, first);
    assert_ptr_equal(buffer_pool_take(&pool, &nobody), first);
    assert_ptr_equal(buffer_pool_take(&pool, &nobody), second);
    assert_int_equal(pool.fresh, 2); /* nothing else was ever touched */
}

static void test_waiters_are_woken_in_order_and_may_leave(void **state)
{
    struct named_waiter a = { { .wake = on_wake }, 'a' }, b = { { .wake = on_wake }, 'b' };
    struct named_waiter c = { { .wake = on_wake }, 'c' }, d = { { .wake = on_wake }, 'd' };
    void *buffers[4];

    for (unsigned int i = 0; i < 4; i++)
        buffers[i] = buffer_pool_take(&pool, &nobody);
    buffer_pool_wait(&pool, &a.waiter);
    buffer_pool_wait(&pool, &b.waiter);
    buffer_pool_wait(&pool, &b.waiter); /* once is enough */
    buffer_pool_wait(&pool, &c.waiter);
    buffer_pool_leave(&pool, &c.waiter); /* the last one */
    buffer_pool_leave(&pool, &c.waiter);
    buffer_pool_wait(&pool, &d.waiter);
    buffer_pool_leave(&pool, &b.waiter); /* one in the middle */
    for (unsigned int i = 0; i < 4; i++)
        buffer_pool_give(&pool, buffers[i]);
    assert_string_equal(woken, "ad");
    assert_false(a.waiter.is_waiting);
}

static void test_a_buffer_is_kept_for_who_was_woken(void **state)
{
    struct named_waiter a = { { .wake = on_wake }, 'a' }, b = { { .wake = on_wake }, 'b' };
    void *last = NULL, *buffer;

    while ((buffer = buffer_pool_take(&pool, &nobody)))
        last = buffer;
    buffer_pool_wait(&pool, &a.waiter);
    buffer_pool_wait(&pool, &b.waiter);
    buffer_pool_give(&pool, last);
    assert_null(buffer_pool_take(&pool, &nobody));
    assert_null(buffer_pool_take(&pool, &b.waiter));
    buffer_pool_leave(&pool, &a.waiter); /* a needs it no more: b's turn */
    assert_string_equal(woken, "ab");
    assert_null(buffer_pool_take(&pool, &a.waiter));
    assert_ptr_equal(buffer_pool_take(&pool, &b.waiter), last);
    assert_null(buffer_pool_take(&pool, &b.waiter));
    buffer_pool_give(&pool, last);
    assert_ptr_equal(buffer_pool_take(&pool, &nobody), last);
}

static bool on_chunk(void *arg, unsigned int chunk, void *memory)
{
    assert_ptr_equal(memory, pool.memory + chunk * BUFFER_POOL_CHUNK_BYTES);
    ++*(unsigned int *)arg;
    return chunk != 1;
}

static void test_chunks_are_registered_when_first_used(void **state)
{
    unsigned int calls = 0;
    char *buffer;

    pool.on_chunk = on_chunk;
    pool.on_chunk_arg = &calls;
    buffer = buffer_pool_take(&pool, &nobody);
    assert_int_equal(calls, 1);
    assert_int_equal(buffer_pool_chunk(&pool, buffer, BUFFER_BYTES), 0);
    assert_int_equal(buffer_pool_chunk(&pool, buffer, BUFFER_POOL_CHUNK_BYTES), 0);
    assert_int_equal(buffer_pool_chunk(&pool, buffer, BUFFER_POOL_CHUNK_BYTES + 1), -1);
    assert_int_equal(buffer_pool_chunk(&pool, buffer - 1, 1), -1);
    assert_int_equal(buffer_pool_chunk(&pool, &calls, sizeof(calls)), -1);
    for (unsigned int i = 1; i < 2 * BUFFER_POOL_CHUNK_BUFFERS; i++)
        buffer = buffer_pool_take(&pool, &nobody);
    assert_int_equal(calls, 2);
    assert_int_equal(buffer_pool_chunk(&pool, buffer, BUFFER_BYTES), -1); /* refused by the kernel */
    buffer_pool_give(&pool, buffer);
    assert_ptr_equal(buffer_pool_take(&pool, &nobody), buffer);
    assert_int_equal(calls, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_buffers_are_distinct_aligned_and_bounded), TEST(test_last_in_is_first_out),
        TEST(test_waiters_are_woken_in_order_and_may_leave), TEST(test_a_buffer_is_kept_for_who_was_woken),
        TEST(test_chunks_are_registered_when_first_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
