// SPDX-License-Identifier: MIT
/* check_xs_ring.c: the guest's side of a xenstore ring, and a peer that lies about its indices. */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <xen/io/xs_wire.h>

#include "xenbox/kernel/xs_ring.h"

static struct xenstore_domain_interface page;
static struct xs_ring ring;

static int setup(void **state)
{
    memset(&page, 0, sizeof(page));
    /* just before the indices wrap around, and not at the start of the array */
    page.req_cons = page.req_prod = page.rsp_cons = page.rsp_prod = UINT32_MAX - 9;
    xs_ring_init(&ring, &page);
    return 0;
}

static void test_write_fills_the_ring_and_no_more(void **state)
{
    char data[2 * XENSTORE_RING_SIZE];
    size_t done = 0;
    ssize_t step;

    memset(data, 'x', sizeof(data));
    while ((step = xs_ring_write(&ring, data + done, sizeof(data) - done)) > 0)
        done += (size_t)step;
    assert_int_equal(step, 0);
    assert_int_equal(done, XENSTORE_RING_SIZE);
    assert_int_equal(page.req_prod - page.req_cons, XENSTORE_RING_SIZE);
    page.req_cons += 3;
    assert_int_equal(xs_ring_write(&ring, data, sizeof(data)), 3);
}

static void test_bytes_arrive_in_order_across_the_end(void **state)
{
    char out[100], in[100];
    size_t done = 0;
    ssize_t step;

    for (size_t i = 0; i < sizeof(out); i++)
        page.rsp[MASK_XENSTORE_IDX(page.rsp_prod++)] = out[i] = (char)i;
    while ((step = xs_ring_read(&ring, in + done, sizeof(in) - done)) > 0)
        done += (size_t)step;
    assert_int_equal(done, sizeof(out));
    assert_memory_equal(in, out, sizeof(out));
    assert_int_equal(page.rsp_cons, page.rsp_prod);

    done = 0;
    while ((step = xs_ring_write(&ring, out + done, sizeof(out) - done)) > 0)
        done += (size_t)step;
    for (size_t i = 0; i < sizeof(out); i++)
        assert_int_equal(page.req[MASK_XENSTORE_IDX(page.req_cons + i)], out[i]);
}

static void test_full_ring_can_be_read(void **state)
{
    char in[XENSTORE_RING_SIZE];
    ssize_t first, second;

    page.rsp_prod += XENSTORE_RING_SIZE;
    first = xs_ring_read(&ring, in, sizeof(in));
    second = xs_ring_read(&ring, in, sizeof(in));
    assert_int_equal(first + second, XENSTORE_RING_SIZE);
}

static void test_impossible_indices_are_refused(void **state)
{
    static const uint32_t distances[] = { XENSTORE_RING_SIZE + 1, 0x7fffffff, 0x80000000, UINT32_MAX };
    char byte = 0;

    for (size_t i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
        page.rsp_prod = ring.rsp_cons + distances[i];
        assert_int_equal(xs_ring_read(&ring, &byte, 1), -EPROTO);
        page.req_cons = ring.req_prod - distances[i];
        assert_int_equal(xs_ring_write(&ring, &byte, 1), -EPROTO);
    }
}

static void test_own_indices_in_the_page_are_not_believed(void **state)
{
    char byte = 0;

    page.rsp_prod = ring.rsp_cons + 1;
    page.rsp_cons = 12345; /* the peer scribbles on what is ours */
    page.req_prod = 54321;
    assert_int_equal(xs_ring_read(&ring, &byte, 1), 1);
    assert_int_equal(page.rsp_cons, page.rsp_prod);
    assert_int_equal(xs_ring_write(&ring, &byte, 1), 1);
    assert_int_equal(page.req_prod, page.req_cons + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_write_fills_the_ring_and_no_more, setup),
        cmocka_unit_test_setup(test_bytes_arrive_in_order_across_the_end, setup),
        cmocka_unit_test_setup(test_full_ring_can_be_read, setup),
        cmocka_unit_test_setup(test_impossible_indices_are_refused, setup),
        cmocka_unit_test_setup(test_own_indices_in_the_page_are_not_believed, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
