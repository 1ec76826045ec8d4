// SPDX-License-Identifier: MIT
/*
 * check_granted_io.c: what programs get for requests on granted pages from the replacement of libaio, and by either way
 * where access, buffered files and death are concerned. Each test runs against a box, with a file for direct I/O.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <pthread.h>
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

#include "tests/xenbox/granted_io.h"

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

#define WORKERS 8u /* more than there are processors: one stops in the middle of what it does */

struct worker {
    struct fixture *f;
    xengnttab_handle *tab;
    uint32_t page;
    int wrong;
};

/* Maps a page, reads into it, and unmaps it as soon as the event is there. */
static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct iocb iocb, *iocbs[] = { &iocb };
    io_context_t context = NULL;
    struct io_event event;

    worker->wrong += io_setup(1, &context) != 0;
    for (int i = 0; i < 1500; i++) {
        char *page = xengnttab_map_grant_ref(worker->tab, worker->f->guest, worker->f->ref[worker->page], RW);

        io_prep_pread(&iocb, worker->f->file, page, PAGE, 0);
        worker->wrong += !page || io_submit(context, 1, iocbs) != 1;
        while (io_getevents(context, 1, 1, &event, NULL) != 1) {
        }
        worker->wrong += (long)event.res != PAGE;
        worker->wrong += page && xengnttab_unmap(worker->tab, page, 1) != 0;
    }
    io_destroy(context);
    return NULL;
}

/* Each thread has a handle and a context of its own. One that unmaps looks at the other's completions, too. */
static void test_threads_unmap_when_their_io_is_over(void **state)
{
    struct fixture *f = *state;
    struct worker worker[WORKERS];
    pthread_t thread[WORKERS];

    for (uint32_t i = 0; i < WORKERS; i++) {
        worker[i] = (struct worker){ .f = f, .tab = xengnttab_open(NULL, 0), .page = i % PAGES };
        assert_non_null(worker[i].tab);
        assert_int_equal(pthread_create(&thread[i], NULL, worker_main, &worker[i]), 0);
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(worker[i].wrong, 0);
        xengnttab_close(worker[i].tab);
    }
    assert_int_equal(audit_damage(f->box.tool.tables), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_readonly_mapping, setup, teardown),
        cmocka_unit_test_setup_teardown(test_aio_several_and_eventfd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_aio_ring_without_the_library, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buffered_io_pins_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_unmap_when_their_io_is_over, setup_punish, teardown),
        cmocka_unit_test_setup_teardown(test_death_in_flight_is_punished_with_io_uring_only, setup_punish,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
