// SPDX-License-Identifier: MIT
/*
 * check_blk_ring.c: the frontend's half of a blkif ring against a backend that is right and one that is not.
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

#include "frontend/blk_ring.h"

static union {
    uint8_t page[GRANT_SIZE];
    blkif_sring_t shared;
} memory;
static struct blk_ring ring;
static blkif_back_ring_t back;

static int setup(void **state)
{
    memset(&memory, 0xee, sizeof(memory));
    blk_ring_init(&ring, memory.page);
    BACK_RING_INIT(&back, &memory.shared, GRANT_SIZE);
    return 0;
}

static uint64_t put(uint8_t operation)
{
    union blk_request request = { .plain = { .operation = operation } };

    blk_ring_put(&ring, &request);
    return request.plain.id;
}

/* The backend's answer, anything at all. */
static void answer(uint64_t id, uint8_t operation, int16_t status)
{
    struct blkif_response response = { .id = id, .operation = operation, .status = status };

    *RING_GET_RESPONSE(&back, back.rsp_prod_pvt) = response;
    back.rsp_prod_pvt++;
    RING_PUSH_RESPONSES(&back);
}

static void expect_broken(const char *word)
{
    struct blk_answer taken;

    assert_int_equal(blk_ring_take(&ring, &taken), -EPROTO);
    assert_non_null(strstr(ring.problem, word));
    assert_int_equal(blk_ring_take(&ring, &taken), -EPROTO);
}

static void test_a_page_has_32_slots(void **state)
{
    assert_int_equal(BLK_RING_SLOTS, 32);
    assert_int_equal(RING_SIZE(&ring.front), BLK_RING_SLOTS);
}

static void test_answers_come_back_in_any_order(void **state)
{
    struct blk_answer taken;
    uint64_t ids[BLK_RING_SLOTS];

    for (int lap = 0; lap < 5; lap++) {
        for (unsigned int i = 0; i < BLK_RING_SLOTS; i++)
            ids[i] = put(i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ);
        assert_int_equal(ring.free_count, 0);
        blk_ring_push(&ring);
        assert_int_equal(memory.shared.req_prod, (lap + 1) * BLK_RING_SLOTS);
        for (unsigned int i = BLK_RING_SLOTS; i--;)
            answer(ids[i], i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, BLKIF_RSP_OKAY);
        for (unsigned int i = BLK_RING_SLOTS; i--;) {
            assert_int_equal(blk_ring_take(&ring, &taken), 1);
            assert_int_equal(taken.slot, (uint32_t)ids[i]);
            assert_int_equal(taken.status, BLKIF_RSP_OKAY);
        }
        assert_int_equal(blk_ring_take(&ring, &taken), 0);
        assert_int_equal(blk_ring_outstanding(&ring), 0);
    }
}

static void test_push_notifies_only_when_asked(void **state)
{
    put(BLKIF_OP_READ);
    assert_true(blk_ring_push(&ring));
    assert_false(blk_ring_push(&ring));
    put(BLKIF_OP_READ);
    assert_false(blk_ring_push(&ring)); /* the backend is still busy: req_event is not ahead */
    memory.shared.req_event = 3;
    put(BLKIF_OP_READ);
    put(BLKIF_OP_READ);
    assert_true(blk_ring_push(&ring)); /* one notification for both */
}

static void test_arm_asks_for_the_next_response(void **state)
{
    uint64_t id = put(BLKIF_OP_READ);
    struct blk_answer taken;

    blk_ring_push(&ring);
    assert_false(blk_ring_arm(&ring));
    assert_int_equal(memory.shared.rsp_event, 1);
    assert_false(blk_ring_peek(&ring));
    answer(id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_true(blk_ring_peek(&ring));
    assert_true(blk_ring_arm(&ring));
    assert_int_equal(blk_ring_take(&ring, &taken), 1);
    assert_false(blk_ring_arm(&ring));
    assert_int_equal(memory.shared.rsp_event, 2);
}

static void test_indices_wrap(void **state)
{
    struct blk_answer taken;

    ring.front.req_prod_pvt = ring.front.rsp_cons = ring.published = ring.seen = UINT32_MAX - 2;
    memory.shared.req_prod = memory.shared.rsp_prod = UINT32_MAX - 2;
    back.rsp_prod_pvt = back.req_cons = UINT32_MAX - 2;
    for (int i = 0; i < 10; i++) {
        uint64_t id = put(BLKIF_OP_READ);

        blk_ring_push(&ring);
        answer(id, BLKIF_OP_READ, BLKIF_RSP_ERROR);
        assert_int_equal(blk_ring_take(&ring, &taken), 1);
        assert_int_equal(taken.status, BLKIF_RSP_ERROR);
    }
}

/* C22, E06 */
static void test_take_rejects_producer_overflow(void **state)
{
    static const RING_IDX lies[] = { 2, 33, 0x80000000u, UINT32_MAX };

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        setup(state);
        put(BLKIF_OP_READ);
        blk_ring_push(&ring);
        memory.shared.rsp_prod = lies[i];
        expect_broken("at most 1 responses expected");
    }
}

/* What is on the ring but not published yet cannot have been answered. */
static void test_take_rejects_answers_to_what_was_not_published(void **state)
{
    uint64_t id = put(BLKIF_OP_READ);

    answer(id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    expect_broken("at most 0 responses expected");
}

/* E07 */
static void test_take_rejects_a_duplicate_id(void **state)
{
    struct blk_answer taken;
    uint64_t id = put(BLKIF_OP_READ);

    put(BLKIF_OP_READ);
    blk_ring_push(&ring);
    answer(id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    answer(id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(blk_ring_take(&ring, &taken), 1);
    expect_broken("answered before");
}

/* E07: the slot is in use again, but by another request. */
static void test_take_rejects_a_late_duplicate(void **state)
{
    struct blk_answer taken;
    uint64_t old = put(BLKIF_OP_READ);

    blk_ring_push(&ring);
    answer(old, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(blk_ring_take(&ring, &taken), 1);
    assert_int_equal((uint32_t)put(BLKIF_OP_READ), (uint32_t)old);
    blk_ring_push(&ring);
    answer(old, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    expect_broken("expected in slot");
}

/* E07 */
static void test_take_rejects_an_unknown_id(void **state)
{
    static const uint64_t ids[] = { 32, 33, UINT32_MAX, UINT64_MAX, (uint64_t)1 << 63 | 32 };

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        setup(state);
        put(BLKIF_OP_READ);
        blk_ring_push(&ring);
        answer(ids[i], BLKIF_OP_READ, BLKIF_RSP_OKAY);
        expect_broken("a slot below 32 expected");
    }
}

/* E07 */
static void test_take_rejects_an_idle_slot(void **state)
{
    put(BLKIF_OP_READ);
    blk_ring_push(&ring);
    answer(31, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    expect_broken("a request in flight expected");
}

/* E07 */
static void test_take_rejects_another_operation(void **state)
{
    uint64_t id = put(BLKIF_OP_READ);

    blk_ring_push(&ring);
    answer(id, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
    expect_broken("operation 0 expected, found 1");
}

/* E06: what is checked is a private copy. */
static void test_taken_answer_does_not_change_with_the_ring(void **state)
{
    struct blk_answer taken;
    uint64_t id = put(BLKIF_OP_READ);

    blk_ring_push(&ring);
    answer(id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(blk_ring_take(&ring, &taken), 1);
    memset(memory.shared.ring, 0xff, sizeof(memory) - offsetof(blkif_sring_t, ring));
    assert_int_equal(taken.status, BLKIF_RSP_OKAY);
    assert_int_equal(taken.slot, (uint32_t)id);
}

/* Our own indices are private: a backend that overwrites the shared ones only confuses itself. */
static void test_shared_request_index_is_not_believed(void **state)
{
    struct blk_answer taken;
    uint64_t id = put(BLKIF_OP_READ);

    blk_ring_push(&ring);
    memory.shared.req_prod = 77;
    answer(id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(blk_ring_take(&ring, &taken), 1);
    put(BLKIF_OP_WRITE);
    blk_ring_push(&ring);
    assert_int_equal(memory.shared.req_prod, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_page_has_32_slots, setup),
        cmocka_unit_test_setup(test_answers_come_back_in_any_order, setup),
        cmocka_unit_test_setup(test_push_notifies_only_when_asked, setup),
        cmocka_unit_test_setup(test_arm_asks_for_the_next_response, setup),
        cmocka_unit_test_setup(test_indices_wrap, setup),
        cmocka_unit_test_setup(test_take_rejects_producer_overflow, setup),
        cmocka_unit_test_setup(test_take_rejects_answers_to_what_was_not_published, setup),
        cmocka_unit_test_setup(test_take_rejects_a_duplicate_id, setup),
        cmocka_unit_test_setup(test_take_rejects_a_late_duplicate, setup),
        cmocka_unit_test_setup(test_take_rejects_an_unknown_id, setup),
        cmocka_unit_test_setup(test_take_rejects_an_idle_slot, setup),
        cmocka_unit_test_setup(test_take_rejects_another_operation, setup),
        cmocka_unit_test_setup(test_taken_answer_does_not_change_with_the_ring, setup),
        cmocka_unit_test_setup(test_shared_request_index_is_not_believed, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
