// SPDX-License-Identifier: MIT
/*
 * check_engine.c: both engines against real files: data, order of completion as promised, more requests than the
 * kernel takes at a time, short transfers, and errors that come from the kernel itself.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/disk/disk.h"
#include "backend/disk/engine.h"
#include "backend/offload.h"

#define IMAGE_BYTES (4u << 20)
#define MANY 700u /* more than an engine gives the kernel at a time */

static struct buffer_waiter nobody;

struct fixture {
    enum engine_kind kind;
    struct event_base *base;
    struct engine *engine;
    char path[64];
    int fd;
    unsigned int pending;
};

struct transfer {
    struct disk_io io; /* first */
    struct iovec iov[3];
    struct fixture *fixture;
    unsigned int done;
    int error;
};

static int setup(struct fixture *f)
{
    f->base = event_base_new();
    snprintf(f->path, sizeof(f->path), "/tmp/check-engine.XXXXXX");
    f->fd = mkstemp(f->path);
    assert_int_equal(ftruncate(f->fd, IMAGE_BYTES), 0);
    return engine_create(&f->engine, f->base, f->kind);
}

static int setup_uring(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .kind = ENGINE_IO_URING };
    *state = &f;
    return setup(&f);
}

static int setup_aio(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .kind = ENGINE_LIBAIO };
    *state = &f;
    return setup(&f);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    engine_destroy(f->engine);
    event_base_free(f->base);
    close(f->fd);
    return unlink(f->path);
}

static void on_done(struct disk_io *io, int error)
{
    struct transfer *t = (struct transfer *)io;

    t->done++;
    t->error = error;
    t->fixture->pending--;
}

static void queue(struct fixture *f, struct transfer *t, enum disk_op op, int fd, uint64_t offset, void *data,
                  uint32_t bytes)
{
    memset(t, 0, sizeof(*t));
    t->fixture = f;
    t->iov[0] = (struct iovec){ .iov_base = data, .iov_len = bytes };
    t->io = (struct disk_io){ .op = op,
                              .offset_bytes = offset,
                              .length_bytes = bytes,
                              .iov = t->iov,
                              .iov_count = 1,
                              .done = on_done };
    t->io.fd = fd;
    t->io.is_direct = fcntl(fd, F_GETFL) & O_DIRECT;
    f->pending++;
    engine_submit(f->engine, &t->io);
}

static void run(struct fixture *f)
{
    engine_start(f->engine);
    while (f->pending)
        assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE), 0);
}

static int one(struct fixture *f, enum disk_op op, int fd, uint64_t offset, void *data, uint32_t bytes)
{
    struct transfer t;

    queue(f, &t, op, fd, offset, data, bytes);
    run(f);
    assert_int_equal(t.done, 1);
    return t.error;
}

static void fill(uint32_t *words, uint32_t bytes, uint32_t seed)
{
    for (uint32_t i = 0; i < bytes / 4; i++)
        words[i] = seed * 2654435761u + i;
}

/* Writes from the pool's buffers, as the daemon does; reads back more than the kernel takes at a time. */
static void check_data(struct fixture *f, int fd)
{
    static struct transfer transfers[MANY];
    struct buffer_pool *pool = engine_buffers(f->engine);
    char *back = aligned_alloc(4096, MANY * 4096), *expected = malloc(4096);
    void *buffers[64];

    for (unsigned int i = 0; i < 64; i++) {
        buffers[i] = buffer_pool_take(pool, &nobody);
        fill(buffers[i], 4096, i);
        queue(f, &transfers[i], DISK_WRITE, fd, i * 4096, buffers[i], 4096);
    }
    run(f);
    assert_int_equal(one(f, DISK_FLUSH, fd, 0, NULL, 0), 0);
    for (unsigned int i = 0; i < 64; i++) {
        memset(buffers[i], 0, 4096);
        queue(f, &transfers[i], DISK_READ, fd, i * 4096, buffers[i], 4096);
    }
    for (unsigned int i = 64; i < MANY; i++)
        queue(f, &transfers[i], DISK_READ, fd, i % 64 * 4096, back + i * 4096, 4096);
    run(f);
    for (unsigned int i = 0; i < MANY; i++) {
        assert_int_equal(transfers[i].done, 1);
        assert_int_equal(transfers[i].error, 0);
        fill((void *)expected, 4096, i % 64);
        assert_memory_equal(i < 64 ? buffers[i] : back + i * 4096, expected, 4096);
    }
    for (unsigned int i = 0; i < 64; i++)
        buffer_pool_give(pool, buffers[i]);
    free(expected);
    free(back);
}

static void test_data_through_the_page_cache(void **state)
{
    struct fixture *f = *state;

    check_data(f, f->fd);
}

static void test_data_past_the_page_cache(void **state)
{
    struct fixture *f = *state;
    int fd = open(f->path, O_RDWR | O_DIRECT);

    if (fd < 0)
        skip();
    check_data(f, fd);
    close(fd);
}

static void test_vectors_are_moved_whole(void **state)
{
    struct fixture *f = *state;
    char data[3 * 512], back[3 * 512];
    struct transfer t;

    for (unsigned int i = 0; i < 3; i++)
        memset(data + i * 512, 'a' + (int)i, 512);
    queue(f, &t, DISK_WRITE, f->fd, 512, data + 1024, 512);
    t.iov[1] = (struct iovec){ .iov_base = data, .iov_len = 512 };
    t.iov[2] = (struct iovec){ .iov_base = data + 512, .iov_len = 512 };
    t.io.iov_count = 3;
    t.io.length_bytes = 3 * 512;
    run(f);
    assert_int_equal(t.error, 0);
    assert_int_equal(pread(f->fd, back, sizeof(back), 512), sizeof(back));
    assert_int_equal(back[0], 'c');
    assert_int_equal(back[512], 'a');
    assert_int_equal(back[1535], 'b');
}

static void test_read_past_the_end_of_the_file_is_an_error(void **state)
{
    struct fixture *f = *state;
    char *data = buffer_pool_take(engine_buffers(f->engine), &nobody);

    memset(data, 0, 8192);
    assert_int_equal(pwrite(f->fd, "here", 4, IMAGE_BYTES - 4096), 4);
    assert_int_equal(one(f, DISK_READ, f->fd, IMAGE_BYTES - 4096, data, 8192), -EIO);
    assert_string_equal(data, "here"); /* the part that was there was moved */
    assert_int_equal(one(f, DISK_READ, f->fd, IMAGE_BYTES, data, 4096), -EIO);
    buffer_pool_give(engine_buffers(f->engine), data);
}

/* The kernel moves what fits below the limit, and refuses the rest when it is asked for that alone. */
static void test_short_write_is_continued(void **state)
{
    struct rlimit before, limit = { .rlim_cur = IMAGE_BYTES + 1024, .rlim_max = RLIM_INFINITY };
    struct fixture *f = *state;
    char *data = buffer_pool_take(engine_buffers(f->engine), &nobody), last[1024];

    signal(SIGXFSZ, SIG_IGN);
    memset(data, 'x', 4096);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(one(f, DISK_WRITE, f->fd, IMAGE_BYTES, data, 4096), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(lseek(f->fd, 0, SEEK_END), IMAGE_BYTES + 1024);
    assert_int_equal(pread(f->fd, last, 1024, IMAGE_BYTES), 1024);
    assert_int_equal(last[1023], 'x');
    buffer_pool_give(engine_buffers(f->engine), data);
}

static void test_errors_of_the_kernel_come_through(void **state)
{
    struct fixture *f = *state;
    int full = open("/dev/full", O_WRONLY), pair[2];
    char data[512] = "";

    assert_int_equal(one(f, DISK_WRITE, full, 0, data, sizeof(data)), -ENOSPC);
    assert_int_equal(one(f, DISK_READ, full, 0, data, sizeof(data)), -EBADF); /* not opened to read */
    close(full);
    assert_int_equal(pipe(pair), 0);
    assert_int_equal(one(f, DISK_FLUSH, pair[0], 0, NULL, 0), -EINVAL);
    close(pair[0]);
    close(pair[1]);
}

static void test_failure_of_one_leaves_the_others_alone(void **state)
{
    struct fixture *f = *state;
    struct transfer transfers[9];
    int full = open("/dev/full", O_WRONLY);
    char data[512] = "";

    for (unsigned int i = 0; i < 9; i++)
        queue(f, &transfers[i], DISK_WRITE, i == 4 ? full : f->fd, i * 512, data, 512);
    run(f);
    for (unsigned int i = 0; i < 9; i++) {
        assert_int_equal(transfers[i].done, 1);
        assert_int_equal(transfers[i].error, i == 4 ? -ENOSPC : 0);
    }
    close(full);
}

static void test_finish_comes_from_the_loop(void **state)
{
    struct fixture *f = *state;
    struct transfer t = { .fixture = f, .io = { .done = on_done } };

    f->pending = 1;
    engine_finish(f->engine, &t.io, -EROFS);
    assert_int_equal(t.done, 0);
    run(f);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.error, -EROFS);
}

/* From here on this process and its children may not use io_uring, as where the system forbids it. */
static void forbid_uring(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(10);
}

static void test_libaio_takes_over_where_io_uring_is_forbidden(void **state)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct event_base *base = event_base_new();
        struct engine *engine = NULL;

        forbid_uring();
        if (engine_create(&engine, base, ENGINE_IO_URING) != -EPERM)
            _exit(1);
        if (engine_create(&engine, base, ENGINE_AUTO) || strcmp(engine_name(engine), "libaio") != 0)
            _exit(2);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void misbehave(struct fixture *f, const char *plan)
{
    char reason[128];

    assert_int_equal(engine_misbehave(f->engine, plan, reason, sizeof(reason)), 0);
}

/* Catalogue H15: parts, EINTR and EAGAIN come to nobody's notice; H01: nor does who holds on to the pages. */
static void test_h15_data_in_spite_of_faults(void **state)
{
    struct fixture *f = *state;

    misbehave(f, "short=2,again=3,slow=700,keep=300");
    check_data(f, f->fd);
}

static void test_h15_one_completion_each_and_an_error_where_bytes_are_missing(void **state)
{
    static struct transfer transfers[100];
    struct fixture *f = *state;
    unsigned int errors = 0;
    char *data = aligned_alloc(4096, 100 * 8192);

    misbehave(f, "short=1,error=7,slow=500");
    memset(data, 0x5a, 100 * 8192);
    for (unsigned int i = 0; i < 100; i++)
        queue(f, &transfers[i], DISK_WRITE, f->fd, i * 8192, data + i * 8192, 8192);
    run(f);
    for (unsigned int i = 0; i < 100; i++) {
        char back[8192];

        assert_int_equal(transfers[i].done, 1);
        assert_true(transfers[i].error == 0 || transfers[i].error == -EIO);
        errors += transfers[i].error != 0;
        if (transfers[i].error)
            continue;
        assert_int_equal(pread(f->fd, back, sizeof(back), i * 8192), sizeof(back));
        assert_memory_equal(back, data, sizeof(back));
    }
    /* Each needs several transfers, of which every seventh fails. */
    assert_in_range(errors, 20, 90);
    free(data);
}

static void test_faults_that_are_none_are_refused(void **state)
{
    static const char *const wrong[] = { "short", "short=", "short=x", "slow=-1", "late=3", "short=2;again=3",
                                         "error=1000001", "short=2,,again=3" };
    struct fixture *f = *state;
    char reason[128];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(engine_misbehave(f->engine, wrong[i], reason, sizeof(reason)), -EINVAL);
        assert_non_null(strstr(reason, "expected short=N"));
    }
    assert_int_equal(engine_misbehave(f->engine, "none", reason, sizeof(reason)), 0);
}

int main(void)
{
#define BOTH(name)                                                                                           \
    cmocka_unit_test_setup_teardown(name, setup_uring, teardown),                                            \
        cmocka_unit_test_setup_teardown(name, setup_aio, teardown)
    const struct CMUnitTest tests[] = {
        BOTH(test_data_through_the_page_cache),
        BOTH(test_data_past_the_page_cache),
        BOTH(test_vectors_are_moved_whole),
        BOTH(test_read_past_the_end_of_the_file_is_an_error),
        BOTH(test_short_write_is_continued),
        BOTH(test_errors_of_the_kernel_come_through),
        BOTH(test_failure_of_one_leaves_the_others_alone),
        BOTH(test_finish_comes_from_the_loop),
        BOTH(test_h15_data_in_spite_of_faults),
        BOTH(test_h15_one_completion_each_and_an_error_where_bytes_are_missing),
        BOTH(test_faults_that_are_none_are_refused),
        cmocka_unit_test(test_libaio_takes_over_where_io_uring_is_forbidden),
    };
    int failed;

    if (offload_start(2))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    offload_stop();
    return failed;
}
