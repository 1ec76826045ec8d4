// SPDX-License-Identifier: MIT
/*
 * check_granted_uring.c: what programs get from the replacement of liburing for requests on granted pages: chains,
 * order, registered files, silence and refusals, as from a kernel. Each test runs against a box, with a file for
 * direct I/O.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/xenbox/granted_io.h"

/* Requests on granted pages among others: all are counted, each comes back once with its own name. */
static void test_uring_mixes_granted_and_ordinary(void **state)
{
    struct fixture *f = *state;
    int results[4] = { 0 };
    struct io_uring_sqe *sqe;

    push_read(f, 0, 2, 1, 0);
    sqe = sqe_next(f, 2, 0);
    io_uring_prep_read(sqe, f->file, f->own, PAGE, PAGE);
    sqe->user_data = 2;
    io_uring_prep_nop(sqe_next(f, 0, 0));
    push_read(f, 1, 3, 3, 0);
    assert_int_equal(io_uring_submit(&f->ring), 4);
    take(f, 4, results);
    assert_no_more(f);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(results[i], PAGE);
    assert_int_equal(f->shared[PAGE - 1], '2');
    assert_int_equal(f->own[0], '1');
    assert_int_equal(f->shared[PAGE], '3');
}

/* A wait for several counts those that come from elsewhere. */
static void test_uring_submit_and_wait(void **state)
{
    struct fixture *f = *state;
    struct io_uring_cqe *cqes[3];

    for (unsigned i = 0; i < 3; i++)
        push_read(f, i, i, i, 0);
    assert_int_equal(io_uring_submit_and_wait(&f->ring, 3), 3);
    assert_int_equal(io_uring_peek_batch_cqe(&f->ring, cqes, 3), 3);
    io_uring_cq_advance(&f->ring, 3);
}

/* In a chain the next one starts when the one before has succeeded: it writes what that has read. */
static void test_uring_links(void **state)
{
    struct fixture *f = *state;
    int results[3] = { 0 };
    struct io_uring_sqe *sqe;

    push_read(f, 0, 3, 0, IOSQE_IO_LINK);
    sqe = sqe_next(f, 1, 0);
    io_uring_prep_write(sqe, f->file, f->mapped, PAGE, 0);
    sqe->user_data = 1;
    sqe->flags = IOSQE_IO_LINK;
    push_read(f, 1, 0, 2, 0);
    assert_int_equal(io_uring_submit(&f->ring), 3);
    take(f, 3, results);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(results[i], PAGE);
    assert_int_equal(f->shared[PAGE], '3');
}

/* A failure ends its chain, with and without a granted page in the one that fails; a hard link goes on. */
static void test_uring_broken_links(void **state)
{
    struct fixture *f = *state;
    int results[4] = { 0 };
    struct io_uring_sqe *sqe;

    sqe = sqe_next(f, 0, 0);
    io_uring_prep_read(sqe, -1, f->own, PAGE, 0);
    sqe->user_data = 0;
    sqe->flags = IOSQE_IO_LINK;
    push_read(f, 0, 0, 1, 0);
    sqe = sqe_next(f, 2, 0);
    io_uring_prep_read(sqe, -1, f->own, PAGE, 0);
    sqe->user_data = 2;
    sqe->flags = IOSQE_IO_HARDLINK;
    push_read(f, 1, 1, 3, 0);
    assert_int_equal(io_uring_submit(&f->ring), 4);
    take(f, 4, results);
    assert_int_equal(results[0], -EBADF);
    assert_int_equal(results[1], -ECANCELED);
    assert_int_equal(results[2], -EBADF);
    assert_int_equal(results[3], PAGE);
}

/* A registered file works also when the program has closed it. */
static void test_uring_registered_files(void **state)
{
    struct fixture *f = *state;
    int files[2] = { -1, f->file }, results[2] = { 0 };
    struct io_uring_sqe *sqe;

    assert_int_equal(io_uring_register_files(&f->ring, files, 2), 0);
    close(f->file);
    push_read(f, 2, 1, 0, 0);
    sqe = &f->ring.sq.sqes[(f->ring.sq.sqe_tail - 1) & f->ring.sq.ring_mask];
    sqe->fd = 1;
    sqe->flags = IOSQE_FIXED_FILE;
    assert_int_equal(io_uring_submit(&f->ring), 1);
    take(f, 1, results);
    assert_int_equal(results[0], PAGE);
    assert_int_equal(f->shared[2 * PAGE], '1');
    f->file = -1;
    assert_int_equal(io_uring_register_files_update(&f->ring, 1, &f->file, 1), 1);
    push_read(f, 2, 1, 1, 0);
    sqe = &f->ring.sq.sqes[(f->ring.sq.sqe_tail - 1) & f->ring.sq.ring_mask];
    sqe->fd = 1;
    sqe->flags = IOSQE_FIXED_FILE;
    assert_int_equal(io_uring_submit(&f->ring), 1);
    take(f, 1, results);
    assert_true(results[1] == -EBADF || results[1] == -EOPNOTSUPP);
}

/* Silence when it succeeds, as asked for, and only then. */
static void test_uring_skips_completions(void **state)
{
    struct fixture *f = *state;
    int results[2] = { 0 };

    push_read(f, 0, 0, 0, IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK);
    push_read(f, 1, PAGES, 1, IOSQE_CQE_SKIP_SUCCESS); /* past the end of the file: nothing to be read */
    assert_int_equal(io_uring_submit(&f->ring), 2);
    take(f, 1, results + 0);
    assert_int_equal(results[1], 0);
    assert_no_more(f);
    assert_int_equal(f->shared[0], '0');
}

/* In a child, whose requests on granted pages are slow: 0, or the line that is not as it should be. */
static int drain_run(struct fixture *f)
{
    struct io_uring_sqe *sqe;
    struct io_uring ring;
    xengnttab_handle *tab;
    char *page;

    setenv("XENBOX_IO", "delay=200ms", 1);
    tab = xengnttab_open(NULL, 0);
    page = tab ? xengnttab_map_grant_ref(tab, f->guest, f->ref[0], RW) : NULL;
    if (!page || io_uring_queue_init(4, &ring, 0) < 0)
        return __LINE__;
    io_uring_prep_read(io_uring_get_sqe(&ring), f->file, page, PAGE, 3 * PAGE);
    if (io_uring_submit(&ring) != 1 || page[0] != 0)
        return __LINE__;
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_nop(sqe);
    sqe->flags = IOSQE_IO_DRAIN;
    if (io_uring_submit(&ring) != 1 || page[0] != '3')
        return __LINE__;
    return 0;
}

/* A request that was submitted with DRAIN starts when all before it are over. */
static void test_uring_drain(void **state)
{
    struct fixture *f = *state;
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(drain_run(f) ? 1 : 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(test_box_wait(&f->box, is_pinned_once, f, 5000));
}

/* What the box cannot do is refused, and its chain with it. */
static void test_uring_refusals(void **state)
{
    struct fixture *f = *state;
    int results[3] = { 0 };
    struct io_uring_sqe *sqe;

    push_read(f, 0, 0, 0, IOSQE_IO_DRAIN);
    push_read(f, 1, 1, 1, IOSQE_IO_LINK);
    sqe = sqe_next(f, 2, 0);
    io_uring_prep_cancel64(sqe, 77, 0);
    sqe->user_data = 2;
    assert_int_equal(io_uring_submit(&f->ring), 3);
    take(f, 3, results);
    assert_int_equal(results[0], -EOPNOTSUPP);
    assert_int_equal(results[1], -EOPNOTSUPP);
    assert_int_equal(results[2], -ECANCELED);
    assert_int_equal(f->shared[PAGE], 0);
}

static void test_uring_refuses_granted_buffers(void **state)
{
    struct fixture *f = *state;
    struct iovec buffers[] = { { f->own, PAGE }, { f->mapped + PAGE, PAGE } };
    struct io_uring_rsrc_update2 update = { .data = (uintptr_t)buffers, .nr = 2 };

    assert_int_equal(io_uring_register_buffers(&f->ring, buffers, 2), -EOPNOTSUPP);
    assert_int_equal(io_uring_register_buffers_tags(&f->ring, buffers, NULL, 2), -EOPNOTSUPP);
    assert_int_equal(io_uring_register((unsigned)f->ring.ring_fd, IORING_REGISTER_BUFFERS, buffers, 2),
                     -EOPNOTSUPP);
    assert_int_equal(
        io_uring_register((unsigned)f->ring.ring_fd, IORING_REGISTER_BUFFERS_UPDATE, &update, sizeof(update)),
        -EOPNOTSUPP);
    assert_int_equal(io_uring_register_buffers(&f->ring, buffers, 1), 0);
    assert_int_equal(io_uring_unregister_buffers(&f->ring), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_uring_mixes_granted_and_ordinary, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uring_submit_and_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uring_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uring_broken_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uring_registered_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uring_skips_completions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uring_drain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uring_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uring_refuses_granted_buffers, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
