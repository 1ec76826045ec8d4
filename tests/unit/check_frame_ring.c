// SPDX-License-Identifier: MIT
/*
 * check_frame_ring.c: batches of reads and writes come out as plain calls would: in their order, each with its own
 * result, and nothing is waited for. Each test is run with io_uring, where there is one, and with plain calls.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/port/frame_ring.h"

/* Datagrams: each is one frame. */
struct cable {
    struct frame_ring *ring;
    int fd[2];
};

static struct cable cable;

static int set_up(void **state)
{
    const bool is_plain = *state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, cable.fd), 0);
    cable.ring = frame_ring_get();
    assert_non_null(cable.ring);
    if (is_plain)
        frame_ring_use_plain_calls(cable.ring);
    return 0;
}

static int tear_down(void **state)
{
    frame_ring_put();
    close(cable.fd[0]);
    close(cable.fd[1]);
    return 0;
}

static void test_frames_keep_their_order(void **state)
{
    char out[8][16], in[8][16];
    const int32_t *result;

    for (unsigned int i = 0; i < 8; i++) {
        snprintf(out[i], sizeof(out[i]), "frame %u", i);
        frame_ring_write(cable.ring, cable.fd[0], out[i], i + 8);
    }
    assert_int_equal(frame_ring_count(cable.ring), 8);
    result = frame_ring_run(cable.ring);
    assert_int_equal(frame_ring_count(cable.ring), 0);
    for (unsigned int i = 0; i < 8; i++)
        assert_int_equal(result[i], i + 8);
    for (unsigned int i = 0; i < 8; i++)
        frame_ring_read(cable.ring, cable.fd[1], in[i], sizeof(in[i]));
    result = frame_ring_run(cable.ring);
    for (unsigned int i = 0; i < 8; i++) {
        assert_int_equal(result[i], i + 8);
        assert_string_equal(in[i], out[i]);
    }
}

static void test_what_would_wait_does_not(void **state)
{
    char in[4][16];
    const int32_t *result;

    assert_int_equal(write(cable.fd[0], "one", 4), 4);
    for (unsigned int i = 0; i < 4; i++)
        frame_ring_read(cable.ring, cable.fd[1], in[i], sizeof(in[i]));
    result = frame_ring_run(cable.ring);
    assert_int_equal(result[0], 4);
    for (unsigned int i = 1; i < 4; i++)
        assert_int_equal(result[i], -EAGAIN);
    /* Nothing has stayed behind that takes a frame which comes later. */
    assert_int_equal(write(cable.fd[0], "two", 4), 4);
    frame_ring_read(cable.ring, cable.fd[1], in[0], sizeof(in[0]));
    assert_int_equal(frame_ring_run(cable.ring)[0], 4);
    assert_string_equal(in[0], "two");
}

static void test_a_bad_one_leaves_the_others(void **state)
{
    char frame[] = "frame";
    const int32_t *result;

    frame_ring_write(cable.ring, cable.fd[0], frame, 6);
    frame_ring_write(cable.ring, -1, frame, 6);
    frame_ring_write(cable.ring, cable.fd[0], NULL, 6);
    frame_ring_write(cable.ring, cable.fd[0], frame, 6);
    result = frame_ring_run(cable.ring);
    assert_int_equal(result[0], 6);
    assert_int_equal(result[1], -EBADF);
    assert_int_equal(result[2], -EFAULT);
    assert_int_equal(result[3], 6);
}

static void test_a_whole_ring_full(void **state)
{
    char frame[64] = "x";
    const int32_t *result;
    unsigned int sent = 0, refused = 0;

    for (unsigned int i = 0; i < FRAME_RING_DEPTH; i++)
        frame_ring_write(cable.ring, cable.fd[0], frame, sizeof(frame));
    result = frame_ring_run(cable.ring);
    for (unsigned int i = 0; i < FRAME_RING_DEPTH; i++) {
        sent += result[i] == (int32_t)sizeof(frame);
        refused += result[i] == -EAGAIN; /* a socket has room for a few */
    }
    assert_int_equal(sent + refused, FRAME_RING_DEPTH);
    while (sent > 0 && read(cable.fd[1], frame, sizeof(frame)) == (ssize_t)sizeof(frame))
        sent--;
    assert_int_equal(sent, 0);
}

/* A file that io_uring cannot be told not to wait for. */
static void test_other_files_are_read_all_the_same(void **state)
{
    const int fd = open("/proc/self/cmdline", O_RDONLY);
    char in[3][16] = { "", "", "" }, all[64] = "";
    const int32_t *result;

    assert_true(fd >= 0);
    for (unsigned int i = 0; i < 3; i++)
        frame_ring_read(cable.ring, fd, in[i], 4);
    result = frame_ring_run(cable.ring);
    for (unsigned int i = 0; i < 3; i++)
        assert_int_equal(result[i], 4);
    assert_int_equal(pread(fd, all, 4, 0), 4);
    assert_memory_equal(in[0], all, 4);
    close(fd);
}

static void test_all_users_of_a_thread_share_one(void **state)
{
    assert_ptr_equal(frame_ring_get(), cable.ring);
    frame_ring_put();
    test_frames_keep_their_order(state); /* it is still there */
}

#define BOTH_WAYS(test)                                                                                      \
    { #test, test, set_up, tear_down, NULL },                                                                \
    {                                                                                                        \
#test ", plain calls", test, set_up, tear_down, (void *)1                                            \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(test_frames_keep_their_order),           BOTH_WAYS(test_what_would_wait_does_not),
        BOTH_WAYS(test_a_bad_one_leaves_the_others),       BOTH_WAYS(test_a_whole_ring_full),
        BOTH_WAYS(test_other_files_are_read_all_the_same), BOTH_WAYS(test_all_users_of_a_thread_share_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
