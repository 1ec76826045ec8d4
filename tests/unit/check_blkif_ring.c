// SPDX-License-Identifier: MIT
/*
 * check_blkif_ring.c: the accounting of a ring on a plain page, in both layouts, against a frontend that is made
 * of the header's own macros.
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

#include "common/blkif_ring.h"

struct fixture {
    void *page;
    blkif_front_ring_t front;
    struct blkif_ring back;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->page = aligned_alloc(4096, 4096);
    memset(f->page, 0xee, 4096); /* whatever the guest had there */
    XEN_FRONT_RING_INIT(&f->front, (blkif_sring_t *)f->page, 4096);
    blkif_ring_attach(&f->back, f->page, BLKIF_ABI_NATIVE, 0, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    free(f->page);
    free(f);
    return 0;
}

static void front_request(struct fixture *f, uint64_t id)
{
    RING_GET_REQUEST(&f->front, f->front.req_prod_pvt)->id = id;
    f->front.req_prod_pvt++;
    RING_PUSH_REQUESTS(&f->front);
}

static uint64_t back_take(struct fixture *f)
{
    union blkif_slot slot;

    blkif_ring_copy(&f->back, &slot);
    blkif_ring_consume(&f->back);
    return slot.native.id;
}

static void set_producer(struct fixture *f, RING_IDX value)
{
    f->front.sring->req_prod = value;
}

static void test_fresh_ring_is_empty_and_has_32_slots(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(RING_SIZE(&f->back.native), BLKIF_RING_SLOTS);
    assert_int_equal(blkif_ring_available(&f->back), 0);
    assert_false(blkif_ring_final_check(&f->back));
}

static void test_requests_come_in_order_through_many_wraps(void **state)
{
    struct fixture *f = *state;
    uint64_t sent = 0, taken = 0;

    for (unsigned int round = 0; round < 1000; round++) {
        unsigned int batch = 1 + round % BLKIF_RING_SLOTS;

        for (unsigned int i = 0; i < batch; i++)
            front_request(f, sent++);
        assert_int_equal(blkif_ring_available(&f->back), batch);
        for (unsigned int i = 0; i < batch; i++) {
            uint64_t id = back_take(f);

            assert_true(id == taken++);
            blkif_ring_answer(&f->back, id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
        }
        blkif_ring_push(&f->back);
        for (unsigned int i = 0; i < batch; i++)
            assert_true(RING_GET_RESPONSE(&f->front, f->front.rsp_cons++)->id == sent - batch + i);
    }
}

static void test_a_full_ring_is_no_overflow(void **state)
{
    struct fixture *f = *state;

    for (unsigned int i = 0; i < BLKIF_RING_SLOTS; i++)
        front_request(f, i);
    assert_int_equal(blkif_ring_available(&f->back), BLKIF_RING_SLOTS);
    for (unsigned int i = 0; i < BLKIF_RING_SLOTS; i++)
        back_take(f);
    assert_int_equal(blkif_ring_available(&f->back), 0);
}

static void test_c11_producer_that_cannot_be_is_refused(void **state)
{
    static const RING_IDX impossible[] = { BLKIF_RING_SLOTS + 1, 64, 1u << 31, UINT32_MAX };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
        set_producer(f, impossible[i]);
        assert_int_equal(blkif_ring_available(&f->back), -EPROTO);
        assert_true(blkif_ring_final_check(&f->back));
    }
}

static void test_c11_producer_may_not_run_over_what_is_owed(void **state)
{
    struct fixture *f = *state;

    for (unsigned int i = 0; i < 10; i++)
        front_request(f, i);
    for (unsigned int i = 0; i < 10; i++)
        back_take(f);
    set_producer(f, BLKIF_RING_SLOTS);
    assert_int_equal(blkif_ring_available(&f->back), BLKIF_RING_SLOTS - 10);
    set_producer(f, BLKIF_RING_SLOTS + 1);
    assert_int_equal(blkif_ring_available(&f->back), -EPROTO);
    set_producer(f, 9); /* backwards, behind our consumer */
    assert_int_equal(blkif_ring_available(&f->back), -EPROTO);
}

static void test_indices_wrap_at_32_bits(void **state)
{
    struct fixture *f = *state;
    RING_IDX start = UINT32_MAX - 3;

    f->front.req_prod_pvt = f->front.rsp_cons = start;
    f->front.sring->req_prod = f->front.sring->rsp_prod = start;
    blkif_ring_attach(&f->back, f->page, BLKIF_ABI_NATIVE, start, start);
    for (unsigned int i = 0; i < 8; i++)
        front_request(f, 100 + i);
    assert_int_equal(blkif_ring_available(&f->back), 8);
    for (unsigned int i = 0; i < 8; i++)
        assert_true(back_take(f) == 100 + i);
    set_producer(f, start + BLKIF_RING_SLOTS + 1);
    assert_int_equal(blkif_ring_available(&f->back), -EPROTO);
}

static void test_c01_c02_slot_is_a_private_copy(void **state)
{
    struct fixture *f = *state;
    union blkif_slot slot;

    RING_GET_REQUEST(&f->front, 0)->nr_segments = 3;
    front_request(f, 7);
    blkif_ring_copy(&f->back, &slot);
    memset(RING_GET_REQUEST(&f->front, 0), 0xff, sizeof(struct blkif_request));
    assert_int_equal(slot.native.nr_segments, 3);
    assert_true(slot.native.id == 7);
}

static void test_c10_every_byte_of_a_response_is_defined(void **state)
{
    static const unsigned char native[16] = { 1, 2, 3, 4, 5, 6, 7, 0x88, 1, 0, 0xff, 0xff, 0, 0, 0, 0 };
    struct fixture *f = *state;

    memset(f->front.sring->ring, 0xee, 4096 - offsetof(blkif_sring_t, ring));
    blkif_ring_answer(&f->back, 0x8807060504030201ULL, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
    assert_memory_equal(RING_GET_RESPONSE(&f->front, 0), native, sizeof(native));
    blkif_ring_attach(&f->back, f->page, BLKIF_ABI_X86_32, 0, 0);
    memset(f->front.sring->ring, 0xee, 4096 - offsetof(blkif_sring_t, ring));
    blkif_ring_answer(&f->back, 0x8807060504030201ULL, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
    blkif_ring_answer(&f->back, 0x8807060504030201ULL, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
    assert_memory_equal((char *)f->page + 64, native, 12);
    assert_memory_equal((char *)f->page + 64 + 108, native, 12); /* the packed slot is 108 bytes long */
}

static void test_peer_is_notified_when_it_asked(void **state)
{
    struct fixture *f = *state;

    for (unsigned int i = 0; i < 4; i++) {
        front_request(f, i);
        back_take(f);
    }
    f->front.sring->rsp_event = 2; /* after the second response */
    blkif_ring_answer(&f->back, 0, 0, 0);
    assert_false(blkif_ring_push(&f->back));
    blkif_ring_answer(&f->back, 1, 0, 0);
    assert_true(blkif_ring_push(&f->back));
    blkif_ring_answer(&f->back, 2, 0, 0);
    assert_false(blkif_ring_push(&f->back));
}

static void test_final_check_asks_for_the_next_request(void **state)
{
    struct fixture *f = *state;
    bool must_notify;

    assert_false(blkif_ring_final_check(&f->back));
    f->front.req_prod_pvt++;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&f->front, must_notify);
    assert_true(must_notify);
    assert_true(blkif_ring_final_check(&f->back));
    f->front.req_prod_pvt++;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&f->front, must_notify);
    assert_false(must_notify); /* it was not armed again, since there was work */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fresh_ring_is_empty_and_has_32_slots),
        TEST(test_requests_come_in_order_through_many_wraps),
        TEST(test_a_full_ring_is_no_overflow),
        TEST(test_c11_producer_that_cannot_be_is_refused),
        TEST(test_c11_producer_may_not_run_over_what_is_owed),
        TEST(test_indices_wrap_at_32_bits),
        TEST(test_c01_c02_slot_is_a_private_copy),
        TEST(test_c10_every_byte_of_a_response_is_defined),
        TEST(test_peer_is_notified_when_it_asked),
        TEST(test_final_check_asks_for_the_next_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
