// SPDX-License-Identifier: MIT
/*
 * check_grant_io.c: what becomes of data when the call that is to copy it does not do its work, and of a page that does
 * not go when it is unmapped. The hypervisor is a few functions here; tests/vbd/check_grant_io.c has a real one.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <xengnttab.h>

#include "backend/grant_io.h"

#define PIECES 40

static unsigned int calls;
static unsigned int
    done; /* so many pieces are copied well before the call fails, the others are not touched */

int xengnttab_grant_copy(xengnttab_handle *handle, uint32_t count, xengnttab_grant_copy_segment_t *pieces)
{
    calls++;
    for (uint32_t i = 0; i < count && i < done; i++)
        pieces[i].status = GNTST_okay;
    errno = ENOSPC;
    return -1;
}

static char page[4096]; /* what is mapped, whatever it is */
static unsigned int maps, unmaps_to_fail;

void *xengnttab_map_grant_ref(xengnttab_handle *handle, uint32_t domid, uint32_t ref, int prot)
{
    maps++;
    return page;
}

int xengnttab_unmap(xengnttab_handle *handle, void *address, uint32_t count)
{
    assert_ptr_equal(address, page);
    assert_int_equal(count, 1);
    if (unmaps_to_fail == 0) {
        maps--;
        return 0;
    }
    unmaps_to_fail--;
    errno = ENOMEM;
    return -1;
}

static void run(bool is_put)
{
    struct grant_io io = { 0 };
    char memory[16] = "";
    int errors[PIECES] = { 0 };

    assert_int_equal(grant_io_init(&io, NULL, 3, GRANT_IO_COPY, "vif 3/0 q0"), 0);
    for (unsigned int round = 0; round < 2; round++) { /* what stands there from the last time is no answer */
        memset(errors, 0, sizeof(errors));
        for (unsigned int i = 0; i < PIECES; i++) {
            if (is_put)
                grant_io_put(&io, 8 + i, 0, sizeof(memory), memory, &errors[i]);
            else
                grant_io_get(&io, 8 + i, 0, sizeof(memory), memory, &errors[i]);
        }
        done = round == 0 ? PIECES / 2 : 0;
        grant_io_run(&io);
        for (unsigned int i = 0; i < PIECES; i++)
            assert_int_equal(errors[i], i < done ? 0 : -ENOSPC);
    }
    assert_int_equal(calls, 2);
    grant_io_release(&io);
    grant_io_fini(&io);
}

static int set_up(void **state)
{
    calls = maps = unmaps_to_fail = 0;
    return 0;
}

static void test_d05_a_call_that_fails_has_copied_nothing_in(void **state)
{
    run(false);
}

static void test_d05_a_call_that_fails_has_copied_nothing_out(void **state)
{
    run(true);
}

/* It is known until the release, which tries again, and no other page is mapped meanwhile. */
static void test_a_page_that_does_not_go_is_kept_in_mind(void **state)
{
    struct grant_io io = { 0 };
    char memory[16] = "";
    int errors[3] = { 0 };

    assert_int_equal(grant_io_init(&io, NULL, 3, GRANT_IO_MAP, "vbd 3/0 q0"), 0);
    grant_io_get(&io, 8, 0, sizeof(memory), memory, &errors[0]);
    grant_io_run(&io);
    assert_int_equal(maps, 0);
    assert_int_equal(io.unmap_error, 0);
    unmaps_to_fail = 1;
    grant_io_put(&io, 9, 0, sizeof(memory), memory, &errors[1]);
    grant_io_run(&io);
    assert_int_equal(io.unmap_error, -ENOMEM);
    assert_int_equal(maps, 1);
    done = 1;
    grant_io_get(&io, 10, 0, sizeof(memory), memory, &errors[2]);
    grant_io_run(&io);
    assert_int_equal(maps, 1);
    assert_int_equal(io.unmap_error, -ENOMEM);
    grant_io_release(&io);
    assert_int_equal(maps, 0);
    assert_int_equal(io.unmap_error, 0);
    grant_io_fini(&io);
    grant_io_fini(&io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_d05_a_call_that_fails_has_copied_nothing_in, set_up),
        cmocka_unit_test_setup(test_d05_a_call_that_fails_has_copied_nothing_out, set_up),
        cmocka_unit_test_setup(test_a_page_that_does_not_go_is_kept_in_mind, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
