// SPDX-License-Identifier: MIT
/*
 * check_mapped_io.c: the daemon comes up whatever becomes of the child that tries I/O on mapped pages. What the try
 * itself finds is tests/vbd/t_vbd_mapped_bugs.sh's.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/mapped_io.h"

#define PATIENCE_S 20 /* of the test: twice what the longest wait takes */

static char reason[64];

/* A child that says so much and ends with this status, or, with -1, never. Returns what was made of it. */
static int child_that(const char *says, int status)
{
    int pipes[2], error;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(2 * PATIENCE_S); /* whatever becomes of the test */
        close(pipes[0]);
        if (write(pipes[1], says, strlen(says)) != (ssize_t)strlen(says))
            _exit(9);
        while (status < 0)
            pause();
        _exit(status);
    }
    close(pipes[1]);
    alarm(PATIENCE_S);
    error = mapped_io_child_wait(child, pipes[0], reason, sizeof(reason));
    alarm(0);
    close(pipes[0]);
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return error;
}

static void test_a_child_that_ends_well_says_nothing(void **state)
{
    assert_int_equal(child_that("", 0), 0);
}

static void test_what_the_child_says_is_the_reason(void **state)
{
    assert_int_equal(child_that("other data", 1), -EIO);
    assert_string_equal(reason, "other data");
}

static void test_a_child_that_says_nothing_has_a_status(void **state)
{
    assert_int_equal(child_that("", 3), -EIO);
    assert_string_equal(reason, "trying it ended with status 3");
}

/* On Linux a process with libaio requests that never end does not end either, and no signal helps. */
static void test_a_child_that_cannot_end_is_left_alone(void **state)
{
    assert_int_equal(child_that("never done", -1), -EIO);
    assert_string_equal(reason, "never done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_that_ends_well_says_nothing),
        cmocka_unit_test(test_what_the_child_says_is_the_reason),
        cmocka_unit_test(test_a_child_that_says_nothing_has_a_status),
        cmocka_unit_test(test_a_child_that_cannot_end_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
