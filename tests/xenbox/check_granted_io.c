// SPDX-License-Identifier: MIT
/*
 * check_granted_io.c: what programs get from the replacements of liburing and libaio for requests on granted pages:
 * everything that they would get from a kernel. Each test runs against a box, with a file for direct I/O.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <xengnttab.h>

#include "tests/xenbox/box.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGE XB_FRAME_SIZE
#define PAGES 4

struct fixture {
    struct test_box box;
    uint32_t guest;
    xengntshr_handle *shr;
    xengnttab_handle *tab;
    uint32_t ref[PAGES];
    char *shared, *mapped;
    struct io_uring ring;
    int file; /* for direct I/O, 4 pages long */
    char *own; /* a page of ordinary memory */
};

static int setup_box(void **state, const char *option)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char path[] = "/tmp/xs-io.XXXXXX", page[PAGE];
    int fd = mkstemp(path);
    void *own;

    test_box_start(&f->box, option);
    f->guest = test_box_create_domain(&f->box);
    test_box_enter(f->guest);
    f->shr = xengntshr_open(NULL, 0);
    test_box_enter(0);
    f->tab = xengnttab_open(NULL, 0);
    f->shared = xengntshr_share_pages(f->shr, 0, PAGES, f->ref, 1);
    f->mapped = xengnttab_map_domain_grant_refs(f->tab, PAGES, f->guest, f->ref, RW);
    assert_non_null(f->mapped);
    assert_int_equal(io_uring_queue_init(16, &f->ring, 0), 0);
    for (int i = 0; i < PAGES; i++) {
        memset(page, '0' + i, PAGE);
        assert_int_equal(write(fd, page, PAGE), PAGE);
    }
    assert_int_equal(fsync(fd), 0);
    close(fd);
    f->file = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    assert_return_code(f->file, errno);
    unlink(path);
    assert_int_equal(posix_memalign(&own, PAGE, PAGE), 0);
    f->own = own;
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_box(state, NULL);
}

static int setup_punish(void **state)
{
    return setup_box(state, "--punish");
}

static unsigned pins_of(struct fixture *f, unsigned page)
{
    const struct xb_active *active = &f->box.tool.tables->domain[f->guest].active[f->ref[page]];

    return active->pins_ro + active->pins_rw;
}

static bool is_pinned_once(struct test_box *box, void *arg)
{
    return pins_of(arg, 0) == 1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    io_uring_queue_exit(&f->ring);
    xengnttab_unmap(f->tab, f->mapped, PAGES);
    for (unsigned i = 0; i < PAGES && !audit_damage(f->box.tool.tables); i++)
        assert_int_equal(pins_of(f, i), 0);
    test_box_audit(&f->box);
    xengnttab_close(f->tab);
    xengntshr_close(f->shr);
    test_box_stop(&f->box);
    close(f->file);
    free(f->own);
    free(f);
    return 0;
}

static struct io_uring_sqe *sqe_next(struct fixture *f, uint64_t data, unsigned flags)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&f->ring);

    assert_non_null(sqe);
    memset(sqe, 0, sizeof(*sqe));
    sqe->user_data = data;
    sqe->flags = (uint8_t)flags;
    return sqe;
}

/* Into page i of the mapping from page `at` of the file; the flags are set behind, as a program would. */
static void push_read(struct fixture *f, unsigned i, unsigned at, uint64_t data, unsigned flags)
{
    struct io_uring_sqe *sqe = sqe_next(f, data, 0);

    io_uring_prep_read(sqe, f->file, f->mapped + i * PAGE, PAGE, (uint64_t)at * PAGE);
    sqe->user_data = data;
    sqe->flags = (uint8_t)flags;
}

/* Takes `count` completions and puts their results where their user_data says. */
static void take(struct fixture *f, unsigned count, int *results)
{
    struct __kernel_timespec timeout = { .tv_sec = 10 };
    struct io_uring_cqe *cqe;

    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(io_uring_wait_cqe_timeout(&f->ring, &cqe, &timeout), 0);
        assert_int_equal(cqe->flags, 0);
        results[cqe->user_data] = cqe->res;
        io_uring_cqe_seen(&f->ring, cqe);
    }
}

static void assert_no_more(struct fixture *f)
{
    struct io_uring_cqe *cqe;

    assert_int_equal(io_uring_peek_cqe(&f->ring, &cqe), -EAGAIN);
}

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

/* A read-only mapping can be written from, not read into; by both libraries. */
static void test_readonly_mapping(void **state)
{
    struct fixture *f = *state;
    char *page = xengnttab_map_grant_ref(f->tab, f->guest, f->ref[3], PROT_READ);
    struct iocb iocb, *iocbs[] = { &iocb };
    struct io_uring_sqe *sqe;
    io_context_t context = NULL;
    struct io_event event;
    int results[2] = { 0 };

    memset(f->shared + 3 * PAGE, 'r', PAGE);
    sqe = sqe_next(f, 0, 0);
    io_uring_prep_read(sqe, f->file, page, PAGE, 0);
    sqe = sqe_next(f, 0, 0);
    io_uring_prep_write(sqe, f->file, page, PAGE, 0);
    sqe->user_data = 1;
    assert_int_equal(io_uring_submit(&f->ring), 2);
    take(f, 2, results);
    assert_int_equal(results[0], -EFAULT);
    assert_int_equal(results[1], PAGE);

    assert_int_equal(io_setup(2, &context), 0);
    io_prep_pread(&iocb, f->file, page, PAGE, 0);
    assert_int_equal(io_submit(context, 1, iocbs), 1);
    assert_int_equal(io_getevents(context, 1, 1, &event, NULL), 1);
    assert_ptr_equal(event.obj, &iocb);
    assert_int_equal((long)event.res, -EFAULT);
    io_prep_pwrite(&iocb, f->file, page, PAGE, PAGE);
    assert_int_equal(io_submit(context, 1, iocbs), 1);
    assert_int_equal(io_getevents(context, 1, 1, &event, NULL), 1);
    assert_int_equal((long)event.res, PAGE);
    assert_int_equal(io_destroy(context), 0);
    assert_int_equal(pread(f->file, f->own, PAGE, PAGE), PAGE);
    assert_int_equal(f->own[7], 'r');
    assert_int_equal(xengnttab_unmap(f->tab, page, 1), 0);
}

/* One call with several requests: the eventfd counts each, data and names are the program's. */
static void test_aio_several_and_eventfd(void **state)
{
    struct fixture *f = *state;
    struct iovec halves[] = { { f->mapped + 512, 1024 }, { f->mapped + 2 * PAGE, 3072 } };
    struct iocb iocb[3], *iocbs[] = { &iocb[0], &iocb[1], &iocb[2] };
    int counter = eventfd(0, EFD_CLOEXEC);
    io_context_t context = NULL;
    struct io_event events[3];
    unsigned seen = 0;
    uint64_t count;

    assert_int_equal(io_setup(8, &context), 0);
    io_prep_preadv(&iocb[0], f->file, halves, 2, PAGE);
    io_prep_pread(&iocb[1], f->file, f->own, PAGE, 2 * PAGE);
    io_prep_pread(&iocb[2], f->file, f->mapped + 3 * PAGE, PAGE, 3 * PAGE);
    for (int i = 0; i < 3; i++) {
        io_set_eventfd(&iocb[i], counter);
        iocb[i].data = &halves[i % 2];
    }
    assert_int_equal(io_submit(context, 3, iocbs), 3);
    assert_ptr_equal(iocb[0].u.c.buf, halves);
    assert_int_equal(io_getevents(context, 3, 3, events, NULL), 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal((long)events[i].res, PAGE);
        assert_ptr_equal(events[i].data, &halves[(events[i].obj - iocb) % 2]);
        seen |= 1u << (events[i].obj - iocb);
    }
    assert_int_equal(seen, 7);
    assert_int_equal(read(counter, &count, sizeof(count)), sizeof(count));
    assert_int_equal(count, 3);
    assert_int_equal(f->shared[511], 0);
    assert_int_equal(f->shared[512], '1');
    assert_int_equal(f->shared[512 + 1023], '1');
    assert_int_equal(f->shared[512 + 1024], 0);
    assert_int_equal(f->shared[2 * PAGE + 3071], '1');
    assert_int_equal(f->shared[3 * PAGE], '3');
    assert_int_equal(io_destroy(context), 0);
    close(counter);
}

/* A program that takes its events from the ring by itself, as some do: its pages are let go all the same. */
static void test_aio_ring_without_the_library(void **state)
{
    struct fixture *f = *state;
    struct iocb iocb, *iocbs[] = { &iocb };
    struct {
        unsigned id, nr, head;
        _Atomic unsigned tail;
    } * ring;
    io_context_t context = NULL;

    assert_int_equal(io_setup(8, &context), 0);
    ring = (void *)context;
    for (unsigned i = 0; i < 5 * ring->nr; i++) {
        io_prep_pread(&iocb, f->file, f->mapped, PAGE, 0);
        assert_int_equal(io_submit(context, 1, iocbs), 1);
        while (atomic_load(&ring->tail) == ring->head)
            poll(NULL, 0, 1);
        ring->head = (ring->head + 1) % ring->nr;
    }
    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), 0);
    assert_int_equal(pins_of(f, 0), 0);
    assert_int_equal(io_destroy(context), 0);
    f->mapped = xengnttab_map_domain_grant_refs(f->tab, PAGES, f->guest, f->ref, RW);
}

/* A buffered request pins nothing: a read of an empty pipe waits, and the mapping can go meanwhile. */
static void test_buffered_io_pins_nothing(void **state)
{
    struct fixture *f = *state;
    int ends[2], results[1];
    struct io_uring_sqe *sqe;

    assert_return_code(pipe(ends), errno);
    sqe = sqe_next(f, 0, 0);
    io_uring_prep_read(sqe, ends[0], f->mapped, 16, 0);
    assert_int_equal(io_uring_submit(&f->ring), 1);
    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), 0);
    assert_int_equal(pins_of(f, 0), 0);
    assert_int_equal(write(ends[1], "0123456789abcdef", 16), 16);
    take(f, 1, results);
    assert_int_equal(results[0], -EFAULT);
    f->mapped = xengnttab_map_domain_grant_refs(f->tab, PAGES, f->guest, f->ref, RW);
    close(ends[0]);
    close(ends[1]);
}

/* A program of domain 0 that maps a page, starts a slow read into it, says so, and waits. */
__attribute__((noreturn)) static void mapper_run(struct fixture *f, bool is_uring, int said)
{
    struct iocb iocb, *iocbs[] = { &iocb };
    io_context_t context = NULL;
    xengnttab_handle *tab;
    struct io_uring ring;
    char *page;

    setenv("XENBOX_IO", "delay=60s", 1);
    tab = xengnttab_open(NULL, 0);
    page = tab ? xengnttab_map_grant_ref(tab, f->guest, f->ref[0], RW) : NULL;
    if (!page || io_setup(1, &context) < 0 || io_uring_queue_init(1, &ring, 0) < 0)
        _exit(1);
    if (is_uring) {
        io_uring_prep_read(io_uring_get_sqe(&ring), f->file, page, PAGE, 0);
        if (io_uring_submit(&ring) != 1)
            _exit(1);
    } else {
        io_prep_pread(&iocb, f->file, page, PAGE, 0);
        if (io_submit(context, 1, iocbs) != 1)
            _exit(1);
    }
    if (write(said, "", 1) == 1)
        pause();
    _exit(1);
}

static void mapper_dies(struct fixture *f, bool is_uring)
{
    int ends[2], status;
    char ready;
    pid_t child;

    assert_return_code(pipe(ends), errno);
    child = fork();
    if (child == 0)
        mapper_run(f, is_uring, ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], &ready, 1), 1);
    assert_int_equal(pins_of(f, 0), 2);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(ends[0]);
}

static bool is_damaged(struct test_box *box, void *arg)
{
    return audit_damage(box->tool.tables) == 1;
}

/* kill -9 with a request in flight: libaio is clean, io_uring is what breaks a real domain 0. */
static void test_death_in_flight_is_punished_with_io_uring_only(void **state)
{
    struct fixture *f = *state;
    struct io_uring_sqe *sqe;
    int results[1];
    char *page;

    mapper_dies(f, false);
    assert_true(test_box_wait(&f->box, is_pinned_once, f, 5000));
    assert_int_equal(audit_damage(f->box.tool.tables), 0);
    mapper_dies(f, true);
    assert_true(test_box_wait(&f->box, is_damaged, NULL, 5000));
    assert_int_equal(pins_of(f, 0), 2);

    page = xengnttab_map_grant_ref(f->tab, f->guest, f->ref[1], RW);
    assert_non_null(page);
    sqe = sqe_next(f, 0, 0);
    io_uring_prep_read(sqe, f->file, page, PAGE, 0);
    assert_int_equal(io_uring_submit(&f->ring), 1);
    take(f, 1, results);
    assert_int_equal(results[0], -ENOMEM);
    assert_int_equal(xengnttab_unmap(f->tab, page, 1), 0);
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
        cmocka_unit_test_setup_teardown(test_readonly_mapping, setup, teardown),
        cmocka_unit_test_setup_teardown(test_aio_several_and_eventfd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_aio_ring_without_the_library, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buffered_io_pins_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_death_in_flight_is_punished_with_io_uring_only, setup_punish,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
