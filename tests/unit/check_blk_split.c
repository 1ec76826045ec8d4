// SPDX-License-Identifier: MIT
/*
 * check_blk_split.c: cutting requests into segments, and walking vectors.
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

#include "frontend/blk_split.h"
#include "frontend/iov.h"
#include "frontend/pool.h"
#include "frontend/xenfront.h"

/* The pieces of a cut follow each other without a gap, within pages, and cover what it says. */
static void cut_check(size_t at, size_t length, unsigned int most)
{
    struct blk_cut cut;
    size_t expected = at;

    blk_split(at, length, most, &cut);
    assert_in_range(cut.count, 1, most);
    for (unsigned int i = 0; i < cut.count; i++) {
        const struct blk_piece *piece = &cut.piece[i];

        assert_true(piece->first_sector <= piece->last_sector && piece->last_sector < 8);
        assert_int_equal(piece->page * GRANT_SIZE + piece->first_sector * XENFRONT_SECTOR_SIZE, expected);
        expected += (piece->last_sector - piece->first_sector + 1u) * XENFRONT_SECTOR_SIZE;
    }
    assert_int_equal(expected - at, cut.bytes);
    assert_true(cut.bytes <= length);
    if (cut.bytes < length)
        assert_int_equal(cut.count, most);
}

static void test_every_start_and_length(void **state)
{
    for (size_t at = 0; at < 3 * GRANT_SIZE; at += XENFRONT_SECTOR_SIZE)
        for (size_t length = XENFRONT_SECTOR_SIZE; length <= 36 * GRANT_SIZE;
             length += XENFRONT_SECTOR_SIZE) {
            cut_check(at, length, BLKIF_MAX_SEGMENTS_PER_REQUEST);
            cut_check(at, length, BLKIF_SEGMENTS_MAX);
        }
}

static void test_eleven_full_pages_are_one_request(void **state)
{
    struct blk_cut cut;

    blk_split(0, 11 * GRANT_SIZE, 11, &cut);
    assert_int_equal(cut.bytes, 11 * GRANT_SIZE);
    blk_split(512, 11 * GRANT_SIZE, 11, &cut);
    assert_int_equal(cut.bytes, 11 * GRANT_SIZE - 512);
}

static void test_nothing_has_no_pieces(void **state)
{
    struct blk_cut cut;

    blk_split(0, 0, 11, &cut);
    assert_int_equal(cut.count, 0);
    assert_int_equal(cut.bytes, 0);
}

static void test_a_vector_is_walked_over_odd_and_empty_entries(void **state)
{
    char a[3] = "abc", c[1] = "d", d[5] = "efghi", out[16] = "";
    struct iovec iov[] = { { a, 3 }, { NULL, 0 }, { c, 1 }, { NULL, 0 }, { d, 5 } };
    struct iov_cursor cursor = { .iov = iov };

    iov_copy_out(&cursor, out, 2);
    iov_copy_out(&cursor, out + 2, 5);
    iov_copy_out(&cursor, out + 7, 2);
    assert_string_equal(out, "abcdefghi");

    cursor = (struct iov_cursor){ .iov = iov };
    iov_skip(&cursor, 2);
    iov_copy_in(&cursor, "XYZ", 3);
    assert_memory_equal(a, "abX", 3);
    assert_memory_equal(c, "Y", 1);
    assert_memory_equal(d, "Zfghi", 5);
}

static void test_a_length_that_does_not_fit_is_the_largest(void **state)
{
    struct iovec iov[] = { { NULL, SIZE_MAX - 10 }, { NULL, 20 } };

    assert_int_equal(iov_length(iov, 2), SIZE_MAX);
    assert_int_equal(iov_length(iov, 1), SIZE_MAX - 10);
    assert_int_equal(iov_length(iov, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_start_and_length),
        cmocka_unit_test(test_eleven_full_pages_are_one_request),
        cmocka_unit_test(test_nothing_has_no_pieces),
        cmocka_unit_test(test_a_vector_is_walked_over_odd_and_empty_entries),
        cmocka_unit_test(test_a_length_that_does_not_fit_is_the_largest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
