// SPDX-License-Identifier: MIT
/*
 * check_blk_queue.c: the life of a queue: starts that fail half way, service, an empty buffer pool, stops with
 * requests in flight, a ring that broke, and one that was made quiet.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "backend/blk/vbd_private.h"
#include "backend/device_report.h"
#include "backend/disk/disk_kind.h"
#include "backend/disk/engine.h"
#include "tests/vbd/ends.h"

static void test_a02_starts_that_fail_hold_nothing(void **state)
{
    struct ends *f = *state;

    f->queue.inflight_path = "/nowhere/inflight";
    assert_int_equal(blk_queue_start(&f->queue), -ENOENT);
    assert_non_null(strstr(f->queue.reason, "/nowhere/inflight"));
    f->queue.inflight_path = f->inflight;
    f->queue.identity.ring_ref = UNGRANTED_REF;
    assert_true(blk_queue_start(&f->queue) < 0);
    assert_non_null(strstr(f->queue.reason, "ref 31000"));
    f->queue.identity.ring_ref = f->ring_ref;
    f->queue.identity.remote_port = f->port + 1000;
    assert_true(blk_queue_start(&f->queue) < 0);
    assert_non_null(strstr(f->queue.reason, "event-channel"));
    assert_int_equal(access(f->inflight, F_OK), -1);
    /* The ring can still be mapped, the port still be bound: each failure gave back what it had. */
    f->queue.identity.remote_port = f->port;
    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_stop(f, false);
    assert_int_equal(access(f->inflight, F_OK), -1);
    assert_int_equal(f->stopped, 1);
}

static void test_requests_are_served(void **state)
{
    struct ends *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    memset(f->data, 'w', 4096);
    ends_put(f, BLKIF_OP_WRITE, 0, 16);
    ends_push(f);
    ends_expect(f, 1, BLKIF_RSP_OKAY);
    ends_put(f, BLKIF_OP_FLUSH_DISKCACHE, 0, 0);
    ends_put(f, BLKIF_OP_READ, 1, 16);
    ends_push(f);
    ends_expect(f, 2, BLKIF_RSP_OKAY);
    assert_int_equal(f->data[4096], 'w');
    assert_int_equal(f->data[8191], 'w');
    ends_stop(f, false);
}

static void test_an_empty_pool_makes_requests_wait_in_their_place(void **state)
{
    struct buffer_pool *pool = engine_buffers(((struct ends *)*state)->worker.engine);
    struct buffer_waiter nobody = { 0 };
    struct ends *f = *state;
    void *taken[BUFFER_POOL_BUFFERS];

    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_turn(f);
    for (unsigned int i = 0; i < BUFFER_POOL_BUFFERS; i++)
        taken[i] = buffer_pool_take(pool, &nobody);
    for (unsigned int i = 0; i < 8; i++)
        ends_put(f, BLKIF_OP_READ, i, 0);
    ends_push(f);
    ends_turn(f);
    assert_true(f->queue.waiter.is_waiting);
    assert_int_equal(f->queue.owed, 0);
    assert_int_equal(f->page->rsp_prod, f->front.rsp_cons);
    buffer_pool_give(pool, taken[0]); /* one is enough for all, one after the other */
    ends_expect(f, 8, BLKIF_RSP_OKAY);
    for (unsigned int i = 0; i < 8; i++) /* and in order */
        assert_int_equal(RING_GET_RESPONSE(&f->front, i)->id, i);
    for (unsigned int i = 1; i < BUFFER_POOL_BUFFERS; i++)
        buffer_pool_give(pool, taken[i]);
    ends_stop(f, false);
}

static void test_a_stop_while_waiting_for_a_buffer_leaves_the_line(void **state)
{
    struct buffer_pool *pool = engine_buffers(((struct ends *)*state)->worker.engine);
    struct buffer_waiter nobody = { 0 };
    struct ends *f = *state;
    void *taken[BUFFER_POOL_BUFFERS];

    assert_int_equal(blk_queue_start(&f->queue), 0);
    for (unsigned int i = 0; i < BUFFER_POOL_BUFFERS; i++)
        taken[i] = buffer_pool_take(pool, &nobody);
    ends_put(f, BLKIF_OP_READ, 0, 0);
    ends_push(f);
    while (!f->queue.waiter.is_waiting)
        ends_turn(f);
    ends_stop(f, false);
    assert_false(f->queue.waiter.is_waiting);
    for (unsigned int i = 0; i < BUFFER_POOL_BUFFERS; i++)
        buffer_pool_give(pool, taken[i]);
    assert_ptr_equal(pool->first, NULL);
    assert_int_equal(pool->promised, 0);
}

static void test_c14_a_stop_drains_what_is_in_flight(void **state)
{
    struct ends *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    for (unsigned int i = 0; i < BLKIF_RING_SLOTS; i++)
        ends_put(f, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, i * 8);
    ends_push(f);
    while (f->page->rsp_prod == 0 && f->queue.owed == 0)
        ends_turn(f);
    ends_stop(f, false);
    assert_int_equal(f->page->rsp_prod, BLKIF_RING_SLOTS);
}

static void test_c11_a_broken_ring_is_left_alone_until_the_stop(void **state)
{
    struct ends *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    f->page->req_prod = 33;
    xenevtchn_notify(f->evtchn, f->port);
    while (!f->broken)
        ends_turn(f);
    assert_int_equal(f->queue.state, BLK_QUEUE_BROKEN);
    assert_non_null(strstr(f->queue.reason, "found 33"));
    f->page->req_prod = 1;
    xenevtchn_notify(f->evtchn, f->port); /* stays masked: nobody hears it */
    event_base_loop(f->worker.base, EVLOOP_NONBLOCK);
    assert_true(f->queue.is_masked);
    assert_int_equal(f->broken, 1);
    assert_int_equal(f->page->rsp_prod, 0);
    ends_stop(f, false);
}

static struct ends *guest;

/* The guest changes its mind as soon as its request was checked: what stood in the slot, and in the segments. */
static void *changing_window(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    struct ends *f = guest;

    memset(RING_GET_REQUEST(&f->front, f->front.req_prod_pvt - 1), 0xff, sizeof(blkif_request_t));
    memset(f->data + 3 * 4096, 0xff, 4096);
    return disk_kind_mem.window(disk, op, offset_bytes, length_bytes);
}

static void expect_id(struct ends *f, uint64_t id)
{
    ends_expect(f, 1, BLKIF_RSP_OKAY);
    assert_int_equal(RING_GET_RESPONSE(&f->front, f->front.rsp_cons - 1)->id, id);
}

static void test_c01_c03_what_was_checked_is_what_is_done(void **state)
{
    struct ends *f = guest = *state;

    ends_start_in_memory(f, changing_window);
    for (unsigned int round = 0; round < 3; round++) {
        memset(f->data, 'c' + (int)round, 4096);
        ends_put(f, BLKIF_OP_WRITE, 4 * round, 8); /* of page 0 */
        ends_push(f);
        expect_id(f, 4 * round);
        memset(f->data, 'i' + (int)round, 4096);
        ends_put_indirect(f, BLKIF_OP_WRITE, 77 + round);
        ends_push(f);
        expect_id(f, 77 + round);
        memset(f->data, 0, 2 * 4096);
        ends_put(f, BLKIF_OP_READ, 1, 8);
        ends_push(f);
        expect_id(f, 1);
        assert_int_equal(f->data[4096], 'i' + round);
        assert_int_equal(f->data[8191], 'i' + round);
        assert_int_equal(f->data[0], 0);
    }
    ends_stop_in_memory(f);
}

static void test_a_quiet_queue_has_answered_and_waits(void **state)
{
    struct ends *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    for (unsigned int i = 0; i < 20; i++)
        ends_put(f, BLKIF_OP_WRITE, i, i * 8);
    ends_push(f);
    while (f->page->rsp_prod == 0 && f->queue.owed == 0)
        ends_turn(f);
    ends_quiesce(f);
    assert_int_equal(f->queue.state, BLK_QUEUE_QUIET);
    assert_int_equal(f->queue.owed, 0);
    f->front.rsp_cons = f->page->rsp_prod;
    for (unsigned int i = 0; i < 5; i++)
        ends_put(f, BLKIF_OP_READ, 20 + i, 0);
    ends_push(f); /* nobody hears it */
    event_base_loop(f->worker.base, EVLOOP_NONBLOCK);
    assert_int_equal(f->page->rsp_prod, f->front.rsp_cons);
    assert_int_equal(blk_queue_resume(&f->queue, &f->worker), 0);
    ends_expect(f, f->page->req_prod - f->front.rsp_cons, BLKIF_RSP_OKAY);
    assert_int_equal(f->page->rsp_prod, 25);
    ends_quiesce(f);
    ends_stop(f, false); /* in the middle */
}

static void test_one_that_cannot_be_resumed_is_quiet_still(void **state)
{
    struct ends *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_quiesce(f);
    f->queue.identity.remote_port += 1000;
    for (unsigned int i = 0; i < 100; i++) {
        assert_true(blk_queue_resume(&f->queue, &f->worker) < 0);
        assert_int_equal(f->queue.state, BLK_QUEUE_QUIET);
    }
    assert_non_null(strstr(f->queue.reason, "event-channel"));
    blk_queue_give_up(&f->queue);
    assert_int_equal(f->broken, 1);
    ends_quiesce(f); /* says that it never will be */
    assert_int_equal(f->queue.state, BLK_QUEUE_BROKEN);
    ends_stop(f, false);
}

/*
 * A frontend whose disk is in use stays connected when its backend closes, as Linux' does, and the next daemon connects
 * to a ring that was served before.
 */
static void test_a_ring_that_was_served_before_goes_on(void **state)
{
    struct ends *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    for (unsigned int i = 0; i < 40; i++) {
        ends_put(f, BLKIF_OP_WRITE, i, i * 8);
        ends_push(f);
        ends_expect(f, 1, BLKIF_RSP_OKAY);
    }
    ends_stop(f, false);
    ends_put(f, BLKIF_OP_READ, 40, 0); /* meanwhile */
    ends_push(f);
    blk_queue_fini(&f->queue);
    f->queue = ends_queue(f);
    assert_int_equal(blk_queue_start(&f->queue), 0);
    while (f->page->rsp_prod == 40 && f->broken == 0)
        ends_turn(f);
    assert_int_equal(f->broken, 0);
    ends_expect(f, 1, BLKIF_RSP_OKAY);
    assert_int_equal(RING_GET_RESPONSE(&f->front, 40)->id, 40);
    ends_stop(f, true);
    blk_queue_fini(&f->queue);
    f->queue = ends_queue(f);
    f->queue.is_adopting = true; /* and is taken over as any other */
    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_put(f, BLKIF_OP_READ, 41, 0);
    ends_push(f);
    ends_expect(f, 1, BLKIF_RSP_OKAY);
    ends_stop(f, false);
}

static void on_report(struct device_report *report)
{
}

/* What a worker decides is not asked for while the queue is on its way there. */
static void test_a_report_reads_only_what_is_its_threads(void **state)
{
    struct ends *f = *state;
    struct vbd vbd = { .queue[0].service.worker = &f->worker };
    struct device device = { .priv = &vbd };
    struct device_report report = { .on_complete = on_report };

    vbd.queue[0].blk.may_borrow = true;
    vbd.queue[0].blk.borrow_reason = NULL;
    vbd_inspect(&device, &report);
    assert_true(report.has_queue && !report.has_mapped_io);
    assert_non_null(report.mapped_io_reason);
    assert_int_equal(blk_queue_start(&f->queue), 0);
    blk_queue_inspect(&f->queue, &report);
    assert_string_equal(report.mapped_io_reason, f->queue.borrow_reason);
    ends_stop(f, false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ends_setup, ends_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a02_starts_that_fail_hold_nothing),
        TEST(test_requests_are_served),
        TEST(test_an_empty_pool_makes_requests_wait_in_their_place),
        TEST(test_a_stop_while_waiting_for_a_buffer_leaves_the_line),
        TEST(test_c14_a_stop_drains_what_is_in_flight),
        TEST(test_c11_a_broken_ring_is_left_alone_until_the_stop),
        TEST(test_c01_c03_what_was_checked_is_what_is_done),
        TEST(test_a_quiet_queue_has_answered_and_waits),
        TEST(test_one_that_cannot_be_resumed_is_quiet_still),
        TEST(test_a_ring_that_was_served_before_goes_on),
        TEST(test_a_report_reads_only_what_is_its_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
