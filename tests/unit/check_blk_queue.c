// SPDX-License-Identifier: MIT
/*
 * check_blk_queue.c: requests cut, put on the ring, answered by a small backend in memory, and put together again.
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

#include "frontend/blk_queue.h"

#define PAGES 32u
#define DISK (1u << 20)

static uint8_t ring_page[GRANT_SIZE] __attribute__((aligned(4096)));
static uint8_t data_pages[PAGES * GRANT_SIZE] __attribute__((aligned(4096)));
static uint8_t disk[DISK];
static uint32_t refs[PAGES], stack[PAGES];
static uint8_t list_pages[32 * GRANT_SIZE] __attribute__((aligned(4096)));
static uint32_t list_refs[32];
static const struct region lists = { .base = list_pages, .refs = list_refs, .count = 32 };
static struct pool pool;
static struct xenfront_blk_stats stats;
static struct blk_queue queue;
static blkif_back_ring_t back;
static int callbacks, last_status;

static int setup(void **state)
{
    memset(&stats, 0, sizeof(stats));
    for (uint32_t i = 0; i < PAGES; i++) {
        refs[i] = i;
        stack[i] = PAGES - 1 - i;
    }
    for (uint32_t i = 0; i < 32; i++)
        list_refs[i] = 1000 + i;
    pool = (struct pool){ .region = { .base = data_pages, .refs = refs, .count = PAGES },
                          .stack = stack,
                          .free = PAGES };
    for (size_t i = 0; i < DISK; i++)
        disk[i] = (uint8_t)(i * 7 + i / 512);
    assert_int_equal(blk_queue_init(&queue, 4, &stats), 0);
    blk_queue_connect(&queue, ring_page, &pool, 51712);
    BACK_RING_INIT(&back, (blkif_sring_t *)ring_page, GRANT_SIZE);
    callbacks = 0;
    last_status = 1;
    return 0;
}

static int teardown(void **state)
{
    blk_queue_fini(&queue);
    blk_queue_fini(&queue);
    return 0;
}

static void on_done(void *cookie, int status)
{
    callbacks++;
    last_status = status;
}

/* Serves at most max requests as an honest backend; a ref is a page number here. Status is what it answers. */
static void serve(int max, int16_t status)
{
    for (; max && back.req_cons != back.sring->req_prod; max--) {
        union blk_request request;
        struct blkif_response response;
        struct blkif_command command;
        size_t at;

        RING_COPY_REQUEST(&back, back.req_cons, &request.plain);
        blkif_command_decode(&command, &request, BLKIF_ABI_NATIVE);
        if (command.is_indirect) { /* a list's ref is its page's number and 1000 */
            assert_in_range(command.segment_count, 12, 32);
            memcpy(command.seg, list_pages + (command.indirect_ref - 1000) * GRANT_SIZE,
                   command.segment_count * sizeof(command.seg[0]));
        }
        back.req_cons++;
        at = command.sector * 512;
        for (int i = 0; i < command.segment_count && !status; i++) {
            uint8_t *page = data_pages + command.seg[i].gref * GRANT_SIZE + command.seg[i].first_sect * 512u;
            size_t bytes = (command.seg[i].last_sect - command.seg[i].first_sect + 1u) * 512;

            if (command.operation == BLKIF_OP_WRITE)
                memcpy(disk + at, page, bytes);
            else
                memcpy(page, disk + at, bytes);
            at += bytes;
        }
        memset(&response, 0, sizeof(response));
        response.id = command.id;
        response.operation = command.operation;
        response.status = status;
        *RING_GET_RESPONSE(&back, back.rsp_prod_pvt) = response;
        back.rsp_prod_pvt++;
    }
    RING_PUSH_RESPONSES(&back);
}

static int add(uint8_t operation, const struct iovec *iov, int count, uint64_t sector)
{
    struct blk_io io = {
        .operation = operation,
        .length = iov_length(iov, count),
        .sector = sector,
        .cursor = { .iov = iov },
        .fn = on_done,
    };

    return blk_queue_add(&queue, &io);
}

/* Until everything is through. */
static void settle(void)
{
    for (int i = 0; i < 100 && queue.in_flight; i++) {
        blk_queue_issue(&queue);
        blk_ring_push(&queue.ring);
        serve(-1, 0);
        assert_true(blk_queue_reap(&queue, 64) >= 0);
    }
    assert_int_equal(queue.in_flight, 0);
    assert_int_equal(pool.free, PAGES);
    assert_int_equal(queue.ring.free_count, BLK_RING_SLOTS);
}

/* In ring requests of so many bytes. */
static void write_and_read(size_t cut_bytes)
{
    size_t length = 300 * 1024 + 512;
    uint8_t *from = malloc(length), *to = malloc(length);
    struct iovec out[] = { { from, 1000 }, { from + 1000, 0 }, { from + 1000, length - 1000 } };
    struct iovec in[] = { { to, length - 3 }, { to + length - 3, 3 } };

    for (size_t i = 0; i < length; i++)
        from[i] = (uint8_t)(i * 13 + i / 4096);
    assert_int_equal(add(BLKIF_OP_WRITE, out, 3, 5), 0);
    settle();
    assert_int_equal(last_status, 0);
    assert_memory_equal(disk + 5 * 512, from, length);
    assert_int_equal(add(BLKIF_OP_READ, in, 2, 5), 0);
    settle();
    assert_memory_equal(to, from, length);
    assert_int_equal(callbacks, 2);
    assert_int_equal(stats.bytes_read, length);
    assert_int_equal(stats.ring_requests, 2 * ((length + cut_bytes - 1) / cut_bytes));
    free(from);
    free(to);
}

static void test_a_long_write_and_read_are_cut_and_put_together(void **state)
{
    write_and_read(11 * GRANT_SIZE);
}

static void test_indirect_requests_are_as_long_as_the_backend_takes(void **state)
{
    static const unsigned int offers[][2] = { { 1, 11 }, { 11, 11 }, { 12, 12 }, { 32, 32 }, { 256, 32 } };

    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        teardown(state);
        setup(state);
        blk_queue_indirect(&queue, &lists, offers[i][0]);
        write_and_read(offers[i][1] * GRANT_SIZE);
    }
}

static void test_an_indirect_request_never_has_more_than_there_is_room_for(void **state)
{
    pool.region.count = 12;
    blk_queue_indirect(&queue, &lists, 32);
    assert_int_equal(queue.most, 12);
    pool.region.count = 1000;
    blk_queue_indirect(&queue, &lists, 256);
    assert_int_equal(queue.most, 32);
}

static void test_a_backend_may_answer_to_either_operation(void **state)
{
    static uint8_t bytes[32 * GRANT_SIZE];
    struct iovec iov = { bytes, sizeof(bytes) };
    static const uint8_t answers[] = { BLKIF_OP_READ, BLKIF_OP_INDIRECT, BLKIF_OP_WRITE };

    blk_queue_indirect(&queue, &lists, 32);
    for (size_t i = 0; i < sizeof(answers); i++) {
        assert_int_equal(add(BLKIF_OP_READ, &iov, 1, 0), 0);
        blk_queue_issue(&queue);
        blk_ring_push(&queue.ring);
        serve(-1, 0);
        RING_GET_RESPONSE(&back, back.rsp_prod_pvt - 1)->operation = answers[i];
        assert_int_equal(blk_queue_reap(&queue, 64), answers[i] == BLKIF_OP_WRITE ? -EPROTO : 1);
    }
    blk_queue_abort(&queue, -EIO);
}

static void test_more_than_depth_is_refused(void **state)
{
    uint8_t byte[512];
    struct iovec iov = { byte, 512 };

    for (int i = 0; i < 4; i++)
        assert_int_equal(add(BLKIF_OP_READ, &iov, 1, 0), 0);
    assert_int_equal(add(BLKIF_OP_READ, &iov, 1, 0), -EAGAIN);
    settle();
    assert_int_equal(add(BLKIF_OP_READ, &iov, 1, 0), 0);
    settle();
}

/* E15: 32 pages are enough for two requests of 11 and part of a third; the rest waits. */
static void test_a_shortage_of_pages_waits(void **state)
{
    uint8_t *data = malloc(44 * 1024 * 4);
    struct iovec iov = { data, 44 * 1024 * 4 };

    assert_int_equal(add(BLKIF_OP_READ, &iov, 1, 0), 0);
    assert_int_equal(blk_queue_issue(&queue), 2);
    assert_int_equal(pool.free, PAGES - 22);
    settle();
    assert_memory_equal(data, disk, 44 * 1024 * 4);
    free(data);
}

static void test_one_failed_part_fails_the_request(void **state)
{
    uint8_t *data = malloc(1 << 17);
    struct iovec iov = { data, 1 << 17 };

    assert_int_equal(add(BLKIF_OP_READ, &iov, 1, 0), 0);
    blk_queue_issue(&queue);
    blk_ring_push(&queue.ring);
    serve(1, BLKIF_RSP_ERROR);
    settle();
    assert_int_equal(callbacks, 1);
    assert_int_equal(last_status, -EIO);
    assert_int_equal(stats.errors, 1);
    free(data);
}

static void test_statuses_are_errnos(void **state)
{
    static const struct {
        int16_t status;
        int expected;
    } rows[] = {
        { BLKIF_RSP_ERROR, -EIO }, { BLKIF_RSP_EOPNOTSUPP, -EOPNOTSUPP }, { 1, -EIO }, { -32768, -EIO }
    };
    uint8_t data[512];
    struct iovec iov = { data, 512 };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(add(BLKIF_OP_READ, &iov, 1, 0), 0);
        blk_queue_issue(&queue);
        blk_ring_push(&queue.ring);
        serve(1, rows[i].status);
        assert_int_equal(blk_queue_reap(&queue, 1), 1);
        assert_int_equal(last_status, rows[i].expected);
    }
}

static void test_a_flush_has_no_segments(void **state)
{
    struct blk_io io = { .operation = BLKIF_OP_FLUSH_DISKCACHE, .fn = on_done };
    struct blkif_request request;

    assert_int_equal(blk_queue_add(&queue, &io), 0);
    assert_int_equal(blk_queue_issue(&queue), 1);
    blk_ring_push(&queue.ring);
    RING_COPY_REQUEST(&back, 0, &request);
    assert_int_equal(request.operation, BLKIF_OP_FLUSH_DISKCACHE);
    assert_int_equal(request.nr_segments, 0);
    assert_int_equal(request.handle, 51712);
    settle();
    assert_int_equal(stats.flushes, 1);
}

/* The program's own granted pages: nothing is copied, first_sect is where the data starts. */
static void test_direct_data_is_not_copied(void **state)
{
    struct region region = { .base = data_pages, .refs = refs, .count = PAGES };
    uint32_t busy = 0;
    struct blk_io io = {
        .operation = BLKIF_OP_READ,
        .length = 60 * 1024,
        .sector = 3,
        .direct = &region,
        .direct_at = 1024,
        .busy = &busy,
        .fn = on_done,
    };

    assert_int_equal(blk_queue_add(&queue, &io), 0);
    assert_int_equal(busy, 1);
    blk_queue_issue(&queue);
    assert_int_equal(pool.free, PAGES);
    settle();
    assert_int_equal(busy, 0);
    assert_memory_equal(data_pages + 1024, disk + 3 * 512, 60 * 1024);
}

static void test_abort_ends_everything_once(void **state)
{
    uint8_t *data = malloc(1 << 20);
    struct iovec iov = { data, 400 * 1024 }; /* on the ring and waiting */

    for (int i = 0; i < 4; i++)
        assert_int_equal(add(BLKIF_OP_READ, &iov, 1, 0), 0);
    blk_queue_issue(&queue);
    assert_int_equal(blk_queue_abort(&queue, -ENODEV), 4);
    assert_int_equal(callbacks, 4);
    assert_int_equal(last_status, -ENODEV);
    assert_int_equal(queue.in_flight, 0);
    assert_int_equal(pool.free, PAGES);
    assert_int_equal(blk_queue_abort(&queue, -ENODEV), 0);
    blk_queue_connect(&queue, ring_page, &pool, 51712); /* and starts anew */
    BACK_RING_INIT(&back, (blkif_sring_t *)ring_page, GRANT_SIZE);
    assert_int_equal(add(BLKIF_OP_READ, &iov, 1, 0), 0);
    settle();
    free(data);
}

static void add_again(void *cookie, int status)
{
    static uint8_t data[512];
    static struct iovec iov = { data, 512 };

    if (callbacks++ == 0)
        assert_int_equal(add(BLKIF_OP_READ, &iov, 1, 0), 0);
}

static void test_a_callback_may_add(void **state)
{
    uint8_t data[512];
    struct blk_io io = {
        .operation = BLKIF_OP_READ,
        .length = 512,
        .single = { data, 512 },
        .fn = add_again,
    };

    io.cursor.iov = &io.single;
    assert_int_equal(blk_queue_add(&queue, &io), 0);
    settle();
    assert_int_equal(callbacks, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_long_write_and_read_are_cut_and_put_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_indirect_requests_are_as_long_as_the_backend_takes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_indirect_request_never_has_more_than_there_is_room_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_backend_may_answer_to_either_operation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_than_depth_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_shortage_of_pages_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_failed_part_fails_the_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statuses_are_errnos, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_flush_has_no_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_direct_data_is_not_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abort_ends_everything_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_callback_may_add, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
