// SPDX-License-Identifier: MIT
/*
 * check_blkif_request.c: decoding in both layouts and every border of the check.
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

#include "common/blkif_request.h"

#define DISK_SECTORS 1024u

static const struct blkif_limits plain = { .sectors = DISK_SECTORS, .sector_bytes = 512, .can_flush = true };
static const struct blkif_limits readonly = {
    .sectors = DISK_SECTORS, .sector_bytes = 512, .can_flush = true, .is_readonly = true
};
static const struct blkif_limits large_sector = { .sectors = DISK_SECTORS,
                                                  .sector_bytes = 4096,
                                                  .can_flush = true };
static const struct blkif_limits indirect = {
    .sectors = DISK_SECTORS, .sector_bytes = 512, .can_flush = true, .indirect_segments = BLKIF_SEGMENTS_MAX
};
static const struct blkif_limits discarding = {
    .sectors = DISK_SECTORS, .sector_bytes = 512, .can_flush = true, .can_discard = true
};
static const struct blkif_limits no_flush = { .sectors = DISK_SECTORS, .sector_bytes = 512 };

static struct blkif_command transfer(uint8_t operation, uint64_t sector, uint16_t count)
{
    struct blkif_command command = { .operation = operation, .sector = sector, .segment_count = count };

    for (unsigned int i = 0; i < BLKIF_SEGMENTS_MAX; i++)
        command.seg[i] = (struct blkif_request_segment){ .gref = 100 + i, .first_sect = 0, .last_sect = 7 };
    return command;
}

/* As it is after its segments were fetched. */
static struct blkif_command indirect_transfer(uint8_t operation, uint64_t sector, uint16_t count)
{
    struct blkif_command command = transfer(operation, sector, count);

    command.is_indirect = true;
    return command;
}

static enum blkif_verdict check(struct blkif_command command, const struct blkif_limits *limits)
{
    return blkif_command_check(&command, limits);
}

static void test_decode_takes_every_field_in_both_layouts(void **state)
{
    struct blkif_request native = {
        .operation = 1, .nr_segments = 3, .id = ~0ULL, .sector_number = 1ULL << 40
    };
    struct blkif_x86_32_request packed = {
        .operation = 1, .nr_segments = 3, .id = ~0ULL, .sector_number = 1ULL << 40
    };
    struct blkif_command from_native, from_packed;

    for (unsigned int i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
        native.seg[i] = packed.seg[i] =
            (struct blkif_request_segment){ .gref = 0xfffffff0u + i, .first_sect = i, .last_sect = 255 - i };
    memset(&from_native, 0xaa, sizeof(from_native));
    memset(&from_packed, 0x55, sizeof(from_packed));
    blkif_command_decode(&from_native, &native, BLKIF_ABI_NATIVE);
    blkif_command_decode(&from_packed, &packed, BLKIF_ABI_X86_32);
    assert_int_equal(from_native.operation, 1);
    assert_int_equal(from_native.segment_count, 3);
    assert_true(from_native.id == ~0ULL); /* catalogue C16: all 64 bits */
    assert_true(from_native.sector == 1ULL << 40);
    assert_int_equal(from_native.sectors, 0);
    assert_memory_equal(from_native.seg, native.seg, sizeof(native.seg));
    assert_true(from_packed.id == from_native.id && from_packed.sector == from_native.sector);
    assert_int_equal(from_packed.segment_count, 3);
    assert_memory_equal(from_packed.seg, native.seg, sizeof(native.seg));
}

static void test_decode_takes_an_indirect_request_in_both_layouts(void **state)
{
    struct blkif_request_indirect native = { .operation = BLKIF_OP_INDIRECT,
                                             .indirect_op = BLKIF_OP_WRITE,
                                             .nr_segments = 0x1234,
                                             .id = ~0ULL,
                                             .sector_number = 1ULL << 40,
                                             .handle = 0xbeef,
                                             .indirect_grefs = { 0xfffffff1u, 2 } };
    struct blkif_x86_32_request_indirect packed = { .operation = BLKIF_OP_INDIRECT,
                                                    .indirect_op = BLKIF_OP_WRITE,
                                                    .nr_segments = 0x1234,
                                                    .id = ~0ULL,
                                                    .sector_number = 1ULL << 40,
                                                    .handle = 0xbeef,
                                                    .indirect_grefs = { 0xfffffff1u, 2 } };
    const void *const slots[] = { [BLKIF_ABI_NATIVE] = &native, [BLKIF_ABI_X86_32] = &packed };

    for (unsigned int abi = BLKIF_ABI_NATIVE; abi <= BLKIF_ABI_X86_32; abi++) {
        struct blkif_command command;

        memset(&command, 0x5a, sizeof(command));
        blkif_command_decode(&command, slots[abi], (enum blkif_abi)abi);
        assert_true(command.is_indirect && !command.is_lost);
        assert_int_equal(command.operation, BLKIF_OP_WRITE);
        assert_int_equal(command.segment_count, 0x1234);
        assert_true(command.id == ~0ULL && command.sector == 1ULL << 40);
        assert_int_equal(command.indirect_ref, 0xfffffff1u);
        assert_int_equal(command.sectors, 0);
    }
}

static void test_decode_takes_a_discard_in_both_layouts(void **state)
{
    struct blkif_request_discard native = { .operation = BLKIF_OP_DISCARD,
                                            .flag = BLKIF_DISCARD_SECURE,
                                            .handle = 0xbeef,
                                            .id = ~0ULL,
                                            .sector_number = 1ULL << 40,
                                            .nr_sectors = 1ULL << 41 };
    struct blkif_x86_32_request_discard packed = { .operation = BLKIF_OP_DISCARD,
                                                   .flag = BLKIF_DISCARD_SECURE,
                                                   .handle = 0xbeef,
                                                   .id = ~0ULL,
                                                   .sector_number = 1ULL << 40,
                                                   .nr_sectors = 1ULL << 41 };
    const void *const requests[] = { [BLKIF_ABI_NATIVE] = &native, [BLKIF_ABI_X86_32] = &packed };
    const size_t sizes[] = { [BLKIF_ABI_NATIVE] = sizeof(native), [BLKIF_ABI_X86_32] = sizeof(packed) };

    for (unsigned int abi = BLKIF_ABI_NATIVE; abi <= BLKIF_ABI_X86_32; abi++) {
        unsigned char slot[sizeof(struct blkif_request)] = { 0 };
        struct blkif_command command;

        memset(&command, 0x5a, sizeof(command));
        memcpy(slot, requests[abi], sizes[abi]);
        blkif_command_decode(&command, slot, (enum blkif_abi)abi);
        assert_int_equal(command.operation, BLKIF_OP_DISCARD);
        assert_true(command.id == ~0ULL && command.sector == 1ULL << 40);
        assert_true(command.discard_sectors == 1ULL << 41);
        assert_false(command.is_indirect || command.is_lost);
    }
}

static void test_indirect_segments_are_fetched_only_where_they_can_be_served(void **state)
{
    struct blkif_command command = indirect_transfer(BLKIF_OP_READ, 0, 1);

    assert_int_equal(blkif_command_indirect_bytes(&command, &indirect), 8);
    assert_int_equal(blkif_command_indirect_bytes(&command, &plain), 0); /* was not offered */
    command.segment_count = BLKIF_SEGMENTS_MAX;
    assert_int_equal(blkif_command_indirect_bytes(&command, &indirect), sizeof(command.seg));
    command.segment_count = BLKIF_SEGMENTS_MAX + 1;
    assert_int_equal(blkif_command_indirect_bytes(&command, &indirect), 0);
    command.segment_count = 0;
    assert_int_equal(blkif_command_indirect_bytes(&command, &indirect), 0);
    command = transfer(BLKIF_OP_READ, 0, 11);
    assert_int_equal(blkif_command_indirect_bytes(&command, &indirect), 0);
}

static void test_indirect_requests_have_borders_of_their_own(void **state)
{
    struct blkif_command command = indirect_transfer(BLKIF_OP_READ, 0, BLKIF_SEGMENTS_MAX);

    assert_int_equal(blkif_command_check(&command, &indirect), BLKIF_VERDICT_OK);
    assert_int_equal(command.sectors, BLKIF_SEGMENTS_MAX * 8);
    assert_int_equal(check(indirect_transfer(BLKIF_OP_READ, 0, 1), &indirect), BLKIF_VERDICT_OK);
    assert_int_equal(check(indirect_transfer(BLKIF_OP_READ, 0, 0), &indirect), BLKIF_VERDICT_INDIRECT_COUNT);
    assert_int_equal(check(indirect_transfer(BLKIF_OP_READ, 0, BLKIF_SEGMENTS_MAX + 1), &indirect),
                     BLKIF_VERDICT_INDIRECT_COUNT);
    assert_int_equal(check(indirect_transfer(BLKIF_OP_READ, 0, 0x8001), &indirect),
                     BLKIF_VERDICT_INDIRECT_COUNT);
    assert_int_equal(check(indirect_transfer(BLKIF_OP_READ, 0, 1), &plain), BLKIF_VERDICT_UNKNOWN_OPERATION);
    assert_int_equal(check(indirect_transfer(BLKIF_OP_WRITE, DISK_SECTORS - 255, 32), &indirect),
                     BLKIF_VERDICT_BEYOND_END);
    command = indirect_transfer(BLKIF_OP_WRITE, 0, BLKIF_SEGMENTS_MAX);
    command.seg[BLKIF_SEGMENTS_MAX - 1].first_sect = 8;
    assert_int_equal(blkif_command_check(&command, &indirect), BLKIF_VERDICT_SEGMENT_RANGE);
    command = indirect_transfer(BLKIF_OP_WRITE, 0, 1);
    command.is_lost = true;
    assert_int_equal(blkif_command_check(&command, &indirect), BLKIF_VERDICT_INDIRECT_PAGE);
    /* More segments than a slot holds do not become good because indirect ones are offered. */
    assert_int_equal(check(transfer(BLKIF_OP_READ, 0, 12), &indirect), BLKIF_VERDICT_SEGMENT_COUNT);
}

static void test_c12_an_indirect_request_has_the_permission_of_its_inner_operation(void **state)
{
    struct blkif_limits readonly_indirect = indirect;

    readonly_indirect.is_readonly = true;
    for (unsigned int operation = 0; operation < 256; operation++) {
        struct blkif_command command = indirect_transfer((uint8_t)operation, 0, 1);
        enum blkif_verdict verdict = check(command, &readonly_indirect);

        assert_int_equal(verdict, operation == BLKIF_OP_READ    ? BLKIF_VERDICT_OK
                                  : operation == BLKIF_OP_WRITE ? BLKIF_VERDICT_READONLY
                                                                : BLKIF_VERDICT_INDIRECT_OPERATION);
    }
}

static void test_layouts_differ_where_the_compilers_do(void **state)
{
    unsigned char slot[112] = { 0 };
    struct blkif_command command;

    slot[4] = 0x11; /* id in the packed layout, padding in the native one */
    slot[8] = 0x22; /* upper half of the packed id, native id */
    blkif_command_decode(&command, slot, BLKIF_ABI_X86_32);
    assert_true(command.id == 0x2200000011ULL);
    blkif_command_decode(&command, slot, BLKIF_ABI_NATIVE);
    assert_true(command.id == 0x22);
}

static void test_random_bytes_never_pass_what_the_disk_cannot_do(void **state)
{
    union {
        struct blkif_request native;
        unsigned char bytes[sizeof(struct blkif_request)];
    } slot;

    srandom(20);
    for (unsigned int round = 0; round < 200000; round++) {
        struct blkif_command command;

        for (size_t i = 0; i < sizeof(slot.bytes); i++)
            slot.bytes[i] = (unsigned char)random();
        if (round % 2) { /* near enough to good ones that some pass */
            slot.native.operation %= 8;
            slot.native.nr_segments %= 13;
            slot.native.sector_number %= DISK_SECTORS + 8;
            for (unsigned int i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++) {
                slot.native.seg[i].first_sect %= 3;
                slot.native.seg[i].last_sect %= 9;
            }
        }
        blkif_command_decode(&command, slot.bytes, round % 3 ? BLKIF_ABI_NATIVE : BLKIF_ABI_X86_32);
        if (blkif_command_check(&command, &discarding) != BLKIF_VERDICT_OK)
            continue;
        if (command.operation == BLKIF_OP_FLUSH_DISKCACHE) {
            assert_int_equal(command.segment_count, 0);
            continue;
        }
        if (command.operation == BLKIF_OP_DISCARD) {
            assert_in_range(command.discard_sectors, 1, DISK_SECTORS);
            assert_true(command.sector + command.discard_sectors <= DISK_SECTORS && command.sector < DISK_SECTORS);
            continue;
        }
        assert_in_range(command.operation, BLKIF_OP_READ, BLKIF_OP_WRITE);
        assert_in_range(command.segment_count, 1, BLKIF_MAX_SEGMENTS_PER_REQUEST);
        assert_in_range(command.sectors, 1, 88);
        assert_true(command.sector + command.sectors <= DISK_SECTORS && command.sector < DISK_SECTORS);
        for (unsigned int i = 0; i < command.segment_count; i++)
            assert_in_range(command.seg[i].last_sect, command.seg[i].first_sect, 7);
    }
}

static void test_segment_count_has_borders_at_1_and_11(void **state)
{
    static const uint8_t bad[] = { 0, 12, 32, 128, 255 };

    assert_int_equal(check(transfer(BLKIF_OP_READ, 0, 1), &plain), BLKIF_VERDICT_OK);
    assert_int_equal(check(transfer(BLKIF_OP_READ, 0, 11), &plain), BLKIF_VERDICT_OK);
    for (size_t i = 0; i < sizeof(bad); i++)
        assert_int_equal(check(transfer(BLKIF_OP_READ, 0, bad[i]), &plain), BLKIF_VERDICT_SEGMENT_COUNT);
}

static void test_c04_segment_must_be_ordered_and_inside_its_page(void **state)
{
    for (unsigned int first = 0; first < 256; first++) {
        for (unsigned int last = 0; last < 256; last++) {
            struct blkif_command command = transfer(BLKIF_OP_WRITE, 0, 2);

            command.seg[1].first_sect = (uint8_t)first;
            command.seg[1].last_sect = (uint8_t)last;
            assert_int_equal(check(command, &plain),
                             first <= last && last <= 7 ? BLKIF_VERDICT_OK : BLKIF_VERDICT_SEGMENT_RANGE);
        }
    }
}

static void test_segments_beyond_the_count_do_not_matter(void **state)
{
    struct blkif_command command = transfer(BLKIF_OP_READ, 0, 1);

    command.seg[1].first_sect = 200;
    assert_int_equal(check(command, &plain), BLKIF_VERDICT_OK);
}

static void test_range_ends_with_the_disk_and_does_not_wrap(void **state)
{
    static const struct {
        uint64_t sector;
        enum blkif_verdict verdict;
    } cases[] = {
        { 0, BLKIF_VERDICT_OK },
        { DISK_SECTORS - 8, BLKIF_VERDICT_OK },
        { DISK_SECTORS - 7, BLKIF_VERDICT_BEYOND_END },
        { DISK_SECTORS, BLKIF_VERDICT_BEYOND_END },
        { UINT64_MAX, BLKIF_VERDICT_BEYOND_END },
        { UINT64_MAX - 7, BLKIF_VERDICT_BEYOND_END },
        { UINT64_MAX / 512 + 1, BLKIF_VERDICT_BEYOND_END },
        { 1ULL << 63, BLKIF_VERDICT_BEYOND_END },
    };
    struct blkif_limits tiny = plain;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(check(transfer(BLKIF_OP_READ, cases[i].sector, 1), &plain), cases[i].verdict);
        assert_int_equal(check(transfer(BLKIF_OP_WRITE, cases[i].sector, 1), &plain), cases[i].verdict);
    }
    tiny.sectors = 7;
    assert_int_equal(check(transfer(BLKIF_OP_READ, 0, 1), &tiny), BLKIF_VERDICT_BEYOND_END);
}

static void test_sectors_are_summed(void **state)
{
    struct blkif_command command = transfer(BLKIF_OP_READ, 16, 3);

    command.seg[0].first_sect = 7;
    command.seg[2].last_sect = 2;
    assert_int_equal(blkif_command_check(&command, &plain), BLKIF_VERDICT_OK);
    assert_int_equal(command.sectors, 1 + 8 + 3);
}

static void test_large_sectors_must_be_whole(void **state)
{
    struct blkif_command command = transfer(BLKIF_OP_READ, 8, 2);

    assert_int_equal(check(command, &large_sector), BLKIF_VERDICT_OK);
    command.sector = 4;
    assert_int_equal(check(command, &large_sector), BLKIF_VERDICT_ALIGNMENT);
    command.sector = 8;
    command.seg[1].last_sect = 3;
    assert_int_equal(check(command, &large_sector), BLKIF_VERDICT_ALIGNMENT);
    command.seg[1].last_sect = 7;
    command.seg[1].first_sect = 4;
    assert_int_equal(check(command, &large_sector), BLKIF_VERDICT_ALIGNMENT);
}

static void test_c12_every_opcode_has_a_permission(void **state)
{
    for (unsigned int operation = 0; operation < 256; operation++) {
        struct blkif_command command = transfer((uint8_t)operation, 0, 1);
        enum blkif_verdict on_plain = check(command, &plain), on_readonly = check(command, &readonly);

        switch (operation) {
        case BLKIF_OP_READ:
        case BLKIF_OP_FLUSH_DISKCACHE:
            assert_int_equal(on_plain, BLKIF_VERDICT_OK);
            assert_int_equal(on_readonly, BLKIF_VERDICT_OK);
            break;
        case BLKIF_OP_WRITE:
            assert_int_equal(on_plain, BLKIF_VERDICT_OK);
            assert_int_equal(on_readonly, BLKIF_VERDICT_READONLY);
            break;
        default:
            assert_int_equal(on_plain, BLKIF_VERDICT_UNKNOWN_OPERATION);
            assert_int_equal(on_readonly, BLKIF_VERDICT_UNKNOWN_OPERATION);
        }
        assert_non_null(blkif_operation_name((uint8_t)operation));
    }
    assert_int_equal(check(transfer(BLKIF_OP_FLUSH_DISKCACHE, 0, 0), &no_flush),
                     BLKIF_VERDICT_UNKNOWN_OPERATION);
}

static struct blkif_command discard(uint64_t sector, uint64_t sectors)
{
    return (struct blkif_command){
        .operation = BLKIF_OP_DISCARD, .sector = sector, .discard_sectors = sectors, .segment_count = 255
    };
}

static void test_c12_a_discard_needs_an_offer_and_a_writable_disk(void **state)
{
    struct blkif_limits limits = discarding;

    assert_int_equal(check(discard(0, 8), &plain), BLKIF_VERDICT_UNKNOWN_OPERATION);
    assert_int_equal(check(discard(0, 8), &discarding), BLKIF_VERDICT_OK);
    limits.is_readonly = true;
    assert_int_equal(check(discard(0, 8), &limits), BLKIF_VERDICT_READONLY);
}

static void test_discard_ends_with_the_disk_and_does_not_wrap(void **state)
{
    struct blkif_command command = discard(8, 16);
    struct blkif_limits large = discarding;

    assert_int_equal(blkif_command_check(&command, &discarding), BLKIF_VERDICT_OK);
    assert_int_equal(command.segment_count, 0);
    assert_int_equal(command.sectors, 0); /* no data is moved */
    assert_int_equal(check(discard(0, DISK_SECTORS), &discarding), BLKIF_VERDICT_OK);
    assert_int_equal(check(discard(DISK_SECTORS - 1, 1), &discarding), BLKIF_VERDICT_OK);
    assert_int_equal(check(discard(0, 0), &discarding), BLKIF_VERDICT_EMPTY);
    assert_int_equal(check(discard(DISK_SECTORS - 1, 2), &discarding), BLKIF_VERDICT_BEYOND_END);
    assert_int_equal(check(discard(DISK_SECTORS, 1), &discarding), BLKIF_VERDICT_BEYOND_END);
    assert_int_equal(check(discard(0, UINT64_MAX), &discarding), BLKIF_VERDICT_BEYOND_END);
    assert_int_equal(check(discard(8, UINT64_MAX - 7), &discarding), BLKIF_VERDICT_BEYOND_END);
    assert_int_equal(check(discard(UINT64_MAX, 2), &discarding), BLKIF_VERDICT_BEYOND_END);
    assert_int_equal(check(discard(0, 1ULL << 55), &discarding), BLKIF_VERDICT_BEYOND_END); /* 2^64 bytes */
    large.sector_bytes = 4096;
    assert_int_equal(check(discard(8, 8), &large), BLKIF_VERDICT_OK);
    assert_int_equal(check(discard(4, 8), &large), BLKIF_VERDICT_ALIGNMENT);
    assert_int_equal(check(discard(8, 4), &large), BLKIF_VERDICT_ALIGNMENT);
}

static void test_flush_needs_no_segments_and_no_range(void **state)
{
    assert_int_equal(check(transfer(BLKIF_OP_FLUSH_DISKCACHE, UINT64_MAX, 0), &plain), BLKIF_VERDICT_OK);
    assert_int_equal(check(transfer(BLKIF_OP_FLUSH_DISKCACHE, 0, 255), &plain), BLKIF_VERDICT_OK);
}

static void test_verdicts_have_status_and_words(void **state)
{
    for (unsigned int verdict = 0; verdict < BLKIF_VERDICTS; verdict++) {
        assert_non_null(blkif_verdict_text(verdict));
        assert_int_equal(blkif_verdict_status(verdict), verdict == BLKIF_VERDICT_OK ? BLKIF_RSP_OKAY
                                                        : verdict == BLKIF_VERDICT_UNKNOWN_OPERATION
                                                            ? BLKIF_RSP_EOPNOTSUPP
                                                            : BLKIF_RSP_ERROR);
    }
}

static void test_protocol_names(void **state)
{
    enum blkif_abi abi;

    assert_int_equal(blkif_abi_parse(NULL, &abi), 0);
    assert_int_equal(abi, BLKIF_ABI_NATIVE);
    assert_int_equal(blkif_abi_parse("x86_64-abi", &abi), 0);
    assert_int_equal(abi, BLKIF_ABI_NATIVE);
    assert_int_equal(blkif_abi_parse("x86_32-abi", &abi), 0);
    assert_int_equal(abi, BLKIF_ABI_X86_32);
    assert_int_equal(blkif_abi_parse("", &abi), -EINVAL);
    assert_int_equal(blkif_abi_parse("arm-abi", &abi), -EINVAL);
    assert_int_equal(blkif_abi_parse("x86_64-abi ", &abi), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_takes_every_field_in_both_layouts),
        cmocka_unit_test(test_decode_takes_an_indirect_request_in_both_layouts),
        cmocka_unit_test(test_decode_takes_a_discard_in_both_layouts),
        cmocka_unit_test(test_indirect_segments_are_fetched_only_where_they_can_be_served),
        cmocka_unit_test(test_indirect_requests_have_borders_of_their_own),
        cmocka_unit_test(test_c12_an_indirect_request_has_the_permission_of_its_inner_operation),
        cmocka_unit_test(test_layouts_differ_where_the_compilers_do),
        cmocka_unit_test(test_random_bytes_never_pass_what_the_disk_cannot_do),
        cmocka_unit_test(test_segment_count_has_borders_at_1_and_11),
        cmocka_unit_test(test_c04_segment_must_be_ordered_and_inside_its_page),
        cmocka_unit_test(test_segments_beyond_the_count_do_not_matter),
        cmocka_unit_test(test_range_ends_with_the_disk_and_does_not_wrap),
        cmocka_unit_test(test_sectors_are_summed),
        cmocka_unit_test(test_large_sectors_must_be_whole),
        cmocka_unit_test(test_c12_every_opcode_has_a_permission),
        cmocka_unit_test(test_c12_a_discard_needs_an_offer_and_a_writable_disk),
        cmocka_unit_test(test_discard_ends_with_the_disk_and_does_not_wrap),
        cmocka_unit_test(test_flush_needs_no_segments_and_no_range),
        cmocka_unit_test(test_verdicts_have_status_and_words),
        cmocka_unit_test(test_protocol_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
