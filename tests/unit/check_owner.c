// SPDX-License-Identifier: MIT
/*
 * check_owner.c: who uses a device: the living are told from the dead.
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

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "frontend/owner.h"

static void test_this_process_is_alive(void **state)
{
    char text[128];

    assert_int_equal(owner_print(text, sizeof(text)), 0);
    assert_int_equal(owner_pid(text), getpid());
    assert_true(owner_is_alive(text));
}

static void test_a_child_is_dead_after_its_end(void **state)
{
    int fds[2], status;
    siginfo_t info;
    char text[128] = "";
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        owner_print(text, sizeof(text));
        _exit(write(fds[1], text, sizeof(text)) != sizeof(text));
    }
    assert_int_equal(read(fds[0], text, sizeof(text)), sizeof(text));
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_false(owner_is_alive(text)); /* ended, but not waited for */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(owner_pid(text), pid);
    assert_false(owner_is_alive(text));
    close(fds[0]);
    close(fds[1]);
}

/* The same number, but another start: the process id was given out again. */
static void test_a_reused_process_id_is_dead(void **state)
{
    char text[128], other[128], boot[37];
    unsigned long long ticks;
    int pid;

    assert_int_equal(owner_print(text, sizeof(text)), 0);
    assert_int_equal(sscanf(text, "%d %llu %36s", &pid, &ticks, boot), 3);
    snprintf(other, sizeof(other), "%d %llu %s", pid, ticks + 1, boot);
    assert_false(owner_is_alive(other));
    boot[0] = boot[0] == '0' ? '1' : '0';
    snprintf(other, sizeof(other), "%d %llu %s", pid, ticks, boot);
    assert_false(owner_is_alive(other));
}

static void test_nonsense_is_dead(void **state)
{
    assert_false(owner_is_alive(""));
    assert_false(owner_is_alive("x"));
    assert_false(owner_is_alive("-1 0 x"));
    assert_false(owner_is_alive("1 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_this_process_is_alive),
        cmocka_unit_test(test_a_child_is_dead_after_its_end),
        cmocka_unit_test(test_a_reused_process_id_is_dead),
        cmocka_unit_test(test_nonsense_is_dead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
