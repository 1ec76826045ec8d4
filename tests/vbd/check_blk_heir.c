// SPDX-License-Identifier: MIT
/*
 * check_blk_heir.c: a queue that takes a ring over in the middle, from a predecessor that died or that ended in peace.
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

#include "tests/vbd/ends.h"

/* The daemon dies without a word: what it had is dropped, the file stays. */
static void die(struct ends *f)
{
    struct blk_queue *queue = &f->queue;

    inflight_close(&queue->inflight, true);
    channel_unbind(&queue->channel);
    event_del(&queue->pass_event);
    xengnttab_unmap(f->worker.gnttab, queue->page, 1);
    grant_io_fini(&queue->grants);
    f->queue = ends_queue(f);
    f->queue.is_adopting = true;
}

static void test_an_heir_does_what_was_taken_and_not_answered(void **state)
{
    struct ends *f = *state;
    uint64_t ids = 0;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_turn(f);
    ends_put(f, BLKIF_OP_READ, 0, 0);
    ends_push(f);
    ends_expect(f, 1, BLKIF_RSP_OKAY);
    /* Two requests that the predecessor took; a third that it had not seen. */
    for (unsigned int i = 1; i <= 3; i++)
        ends_put(f, BLKIF_OP_READ, i, 0);
    for (unsigned int i = 1; i <= 2; i++) {
        struct inflight_record *record = inflight_record(&f->queue.inflight, 10 + i);

        blkif_command_decode(&record->command, RING_GET_REQUEST(&f->front, i), BLKIF_ABI_NATIVE);
        inflight_take(&f->queue.inflight, record, i);
    }
    RING_PUSH_REQUESTS(&f->front);
    die(f);
    assert_int_equal(blk_queue_start(&f->queue), 0);
    assert_int_equal(f->queue.owed, 2);
    while (f->page->rsp_prod != 4)
        ends_turn(f);
    for (unsigned int i = 1; i < 4; i++) {
        assert_int_equal(RING_GET_RESPONSE(&f->front, i)->status, BLKIF_RSP_OKAY);
        ids |= 1u << RING_GET_RESPONSE(&f->front, i)->id;
    }
    assert_int_equal(ids, 1u << 1 | 1u << 2 | 1u << 3);
    ends_stop(f, false);
}

static void test_an_heir_works_with_the_segments_that_were_checked(void **state)
{
    struct ends *f = *state;
    struct inflight_record *record;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_turn(f);
    memset(f->data, 'i', 4096);
    ends_put_indirect(f, BLKIF_OP_WRITE, 0);
    record = inflight_record(&f->queue.inflight, 5);
    blkif_command_decode(&record->command, RING_GET_REQUEST(&f->front, 0), BLKIF_ABI_NATIVE);
    memcpy(record->command.seg, f->data + 3 * 4096, sizeof(record->command.seg[0]));
    inflight_take(&f->queue.inflight, record, 0);
    memset(f->data + 3 * 4096, 0xff, 4096); /* the guest may do what it likes with that page by now */
    RING_PUSH_REQUESTS(&f->front);
    die(f);
    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_expect(f, 1, BLKIF_RSP_OKAY);
    memset(f->data, 0, 4096);
    ends_put_indirect(f, BLKIF_OP_READ, 1);
    ends_push(f);
    ends_expect(f, 1, BLKIF_RSP_OKAY);
    assert_int_equal(RING_GET_RESPONSE(&f->front, 1)->operation, BLKIF_OP_READ);
    assert_int_equal(f->data[0], 'i');
    assert_int_equal(f->data[4095], 'i');
    ends_stop(f, false);
}

static void test_a_kept_ring_goes_on_where_it_was(void **state)
{
    struct ends *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    for (unsigned int i = 0; i < 5; i++)
        ends_put(f, BLKIF_OP_READ, i, 0);
    ends_push(f);
    ends_expect(f, 5, BLKIF_RSP_OKAY);
    ends_stop(f, true);
    assert_int_equal(access(f->inflight, F_OK), 0);
    f->queue.is_adopting = true;
    f->queue.idle = NULL;
    assert_int_equal(blk_queue_start(&f->queue), 0);
    assert_int_equal(f->queue.ring.native.req_cons, 5);
    ends_put(f, BLKIF_OP_READ, 5, 0);
    ends_push(f);
    ends_expect(f, 1, BLKIF_RSP_OKAY);
    ends_stop(f, false);
}

static void test_a_ring_that_moved_meanwhile_is_not_adopted(void **state)
{
    struct ends *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_turn(f);
    die(f);
    f->page->rsp_prod = 7;
    assert_int_equal(blk_queue_start(&f->queue), -EPROTO);
    assert_non_null(strstr(f->queue.reason, "as the in-flight records say"));
}

static void test_an_heir_is_quiet_after_what_it_inherited(void **state)
{
    struct inflight_record *record;
    struct ends *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_put(f, BLKIF_OP_READ, 0, 0);
    ends_put(f, BLKIF_OP_READ, 1, 0);
    record = inflight_record(&f->queue.inflight, 3);
    blkif_command_decode(&record->command, RING_GET_REQUEST(&f->front, 0), BLKIF_ABI_NATIVE);
    inflight_take(&f->queue.inflight, record, 0);
    RING_PUSH_REQUESTS(&f->front);
    die(f);
    assert_int_equal(blk_queue_start(&f->queue), 0);
    ends_quiesce(f);
    assert_int_equal(f->queue.state, BLK_QUEUE_QUIET);
    assert_true(f->page->rsp_prod >= 1);
    assert_int_equal(blk_queue_resume(&f->queue, &f->worker), 0);
    ends_expect(f, 2 - f->front.rsp_cons, BLKIF_RSP_OKAY);
    ends_stop(f, false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ends_setup, ends_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_heir_does_what_was_taken_and_not_answered),
        TEST(test_an_heir_works_with_the_segments_that_were_checked),
        TEST(test_a_kept_ring_goes_on_where_it_was),
        TEST(test_a_ring_that_moved_meanwhile_is_not_adopted),
        TEST(test_an_heir_is_quiet_after_what_it_inherited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
