// SPDX-License-Identifier: MIT
/*
 * check_grant_io.c: what becomes of data when the call that is to copy it does not do its work. The hypervisor is a
 * function here; tests/vbd/check_grant_io.c has one that copies.
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
    calls = 0;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_d05_a_call_that_fails_has_copied_nothing_in, set_up),
        cmocka_unit_test_setup(test_d05_a_call_that_fails_has_copied_nothing_out, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
