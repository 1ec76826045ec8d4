// SPDX-License-Identifier: MIT
/* granted_io.c: see granted_io.h. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/xenbox/granted_io.h"

static int setup_box(void **state, const char *option)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char path[] = "/tmp/xs-io.XXXXXX", page[PAGE];
    int fd = mkstemp(path);
    void *own = NULL;

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

int setup(void **state)
{
    return setup_box(state, NULL);
}

int setup_punish(void **state)
{
    return setup_box(state, "--punish");
}

unsigned pins_of(struct fixture *f, unsigned page)
{
    const struct xb_active *active = &f->box.tool.tables->domain[f->guest].active[f->ref[page]];

    return active->pins_ro + active->pins_rw;
}

bool is_pinned_once(struct test_box *box, void *arg)
{
    return pins_of(arg, 0) == 1;
}

int teardown(void **state)
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

struct io_uring_sqe *sqe_next(struct fixture *f, uint64_t data, unsigned flags)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&f->ring);

    assert_non_null(sqe);
    memset(sqe, 0, sizeof(*sqe));
    sqe->user_data = data;
    sqe->flags = (uint8_t)flags;
    return sqe;
}

void push_read(struct fixture *f, unsigned i, unsigned at, uint64_t data, unsigned flags)
{
    struct io_uring_sqe *sqe = sqe_next(f, data, 0);

    io_uring_prep_read(sqe, f->file, f->mapped + i * PAGE, PAGE, (uint64_t)at * PAGE);
    sqe->user_data = data;
    sqe->flags = (uint8_t)flags;
}

void take(struct fixture *f, unsigned count, int *results)
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

void assert_no_more(struct fixture *f)
{
    struct io_uring_cqe *cqe;

    assert_int_equal(io_uring_peek_cqe(&f->ring, &cqe), -EAGAIN);
}
