// SPDX-License-Identifier: MIT
/*
 * check_disk.c: which specs open, what they become, what is said about those that do not, and what the
 * checkpoint lets through.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/disk/disk.h"
#include "backend/disk/disk_kind.h"
#include "backend/disk/engine.h"
#include "backend/offload.h"

struct fixture {
    char dir[64];
    char path[128];
    char reason[320];
    struct event_base *base;
    struct engine *engine;
    struct disk *disk;
    unsigned int done;
    int error;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->dir, sizeof(f->dir), "/tmp/check-disk.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/image", f->dir);
    f->base = event_base_new();
    assert_int_equal(engine_create(&f->engine, f->base, ENGINE_AUTO), 0);
    assert_int_equal(offload_start(1), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    disk_close(f->disk);
    offload_stop();
    engine_destroy(f->engine);
    event_base_free(f->base);
    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

static void image(struct fixture *f, off_t size)
{
    int fd = open(f->path, O_CREAT | O_RDWR | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

static int spec_open(struct fixture *f, const char *spec, bool is_readonly)
{
    f->reason[0] = '\0';
    return disk_open(&f->disk, spec, is_readonly, f->reason, sizeof(f->reason));
}

static void refused(struct fixture *f, const char *spec, bool is_readonly, int error, const char *words)
{
    assert_int_equal(spec_open(f, spec, is_readonly), error);
    if (!strstr(f->reason, words))
        fail_msg("\"%s\" does not say \"%s\"", f->reason, words);
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes; /* 0: refused */
    } cases[] = {
        { "512", 512 },
        { "1K", 1024 },
        { "64M", 64ULL << 20 },
        { "2G", 2ULL << 30 },
        { "1T", 1ULL << 40 },
        { "0", 0 },
        { "", 0 },
        { "511", 0 },
        { "1k", 0 },
        { "1MB", 0 },
        { "-512", 0 },
        { " 512", 0 },
        { "K", 0 },
        { "8388608T", 0 },
        { "99999999999999999999", 0 },
        { "0x200", 0 },
        { "18014398509481984K", 0 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t bytes = 0;

        assert_int_equal(disk_size_parse(cases[i].text, &bytes), cases[i].bytes ? 0 : -EINVAL);
        assert_true(bytes == cases[i].bytes);
    }
}

static void test_specs_that_name_no_disk_are_refused_with_a_reason(void **state)
{
    struct fixture *f = *state;

    refused(f, "", false, -EINVAL, "expected an absolute path");
    refused(f, "relative.img", false, -EINVAL, "found \"relative.img\"");
    refused(f, "null:", false, -EINVAL, "expected a size");
    refused(f, "mem:12", false, -EINVAL, "found \"12\"");
    refused(f, f->path, false, -ENOENT, "No such file");
    refused(f, f->dir, false, -EISDIR, "found a directory");
    refused(f, f->dir, true, -EISDIR, "found a directory");
    refused(f, "/dev/null", false, -EINVAL, "found a character device");
    assert_int_equal(mkfifo(f->path, 0600), 0);
    refused(f, f->path, true, -EINVAL, "found a pipe"); /* and does not wait for its other end */
}

static void test_image_must_be_whole_sectors(void **state)
{
    struct fixture *f = *state;

    image(f, 0);
    refused(f, f->path, false, -EINVAL, "found 0");
    image(f, 1000);
    refused(f, f->path, false, -EINVAL, "multiple of 512 bytes, found 1000");
    image(f, 512);
    assert_int_equal(spec_open(f, f->path, false), 0);
    assert_true(disk_geometry(f->disk)->size_bytes == 512);
}

static void test_geometry_of_an_image(void **state)
{
    struct fixture *f = *state;
    const struct disk_geometry *geometry;

    image(f, 1 << 20);
    assert_int_equal(spec_open(f, f->path, true), 0);
    geometry = disk_geometry(f->disk);
    assert_true(geometry->size_bytes == 1 << 20);
    assert_int_equal(geometry->sector_bytes, 512);
    assert_true(geometry->is_readonly && geometry->can_flush && !geometry->is_volatile);
    assert_string_equal(disk_kind(f->disk), "raw");
}

static void test_unreadable_image_says_so(void **state)
{
    struct fixture *f = *state;

    bool is_root = geteuid() == 0;

    image(f, 512);
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(chmod(f->path, 0), 0);
    if (is_root) /* who may read everything */
        assert_int_equal(seteuid(65534), 0);
    refused(f, f->path, true, -EACCES, "Permission denied");
    if (is_root)
        assert_int_equal(seteuid(0), 0);
}

static void test_one_writer_or_many_readers(void **state)
{
    struct fixture *f = *state;
    struct disk *second = NULL;

    image(f, 4096);
    assert_int_equal(spec_open(f, f->path, true), 0);
    assert_int_equal(disk_open(&second, f->path, true, f->reason, sizeof(f->reason)), 0);
    disk_close(second);
    second = NULL;
    assert_int_equal(disk_open(&second, f->path, false, f->reason, sizeof(f->reason)), -EBUSY);
    assert_non_null(strstr(f->reason, "found it locked"));
    disk_close(f->disk);
    assert_int_equal(spec_open(f, f->path, false), 0);
}

static void test_c23_no_fallback_makes_a_readonly_disk_writable(void **state)
{
    static const char *const places[] = { "/tmp", "/dev/shm" };
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "%s/check-disk-c23.XXXXXX", places[i]);
        fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, 4096), 0);
        close(fd);
        assert_int_equal(spec_open(f, path, true), 0);
        assert_int_equal(fcntl(f->disk->fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        assert_int_equal(!!(fcntl(f->disk->fd, F_GETFL) & O_DIRECT), disk_geometry(f->disk)->is_direct);
        assert_int_equal(fcntl(f->disk->fd, F_GETFL) & O_NONBLOCK, 0);
        assert_int_equal(fcntl(f->disk->fd, F_GETFD), FD_CLOEXEC);
        disk_close(f->disk);
        f->disk = NULL;
        unlink(path);
    }
}

static void on_done(struct disk_io *io, int error)
{
    struct fixture *f = (struct fixture *)io->iov; /* these requests have no data */

    f->done++;
    f->error = error;
}

/* What the checkpoint answers to one request. */
static int submit(struct fixture *f, enum disk_op op, uint64_t offset, uint64_t length)
{
    struct disk_io io = { .op = op, .offset_bytes = offset, .length_bytes = length, .done = on_done };

    io.iov = (struct iovec *)f;
    f->done = 0;
    disk_submit(f->disk, f->engine, &io);
    engine_start(f->engine);
    assert_int_equal(f->done, 0); /* never inside submit */
    while (!f->done)
        event_base_loop(f->base, EVLOOP_ONCE);
    return f->error;
}

static void test_checkpoint_holds_requests_against_the_geometry(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(spec_open(f, "mem:1M", false), 0);
    assert_int_equal(submit(f, DISK_READ, 1 << 20, 512), -EINVAL);
    assert_int_equal(submit(f, DISK_READ, (1 << 20) - 512, 1024), -EINVAL);
    assert_int_equal(submit(f, DISK_READ, UINT64_MAX - 511, 512), -EINVAL);
    assert_int_equal(submit(f, DISK_WRITE, 1, 512), -EINVAL);
    assert_int_equal(submit(f, DISK_WRITE, 512, 0), -EINVAL);
    assert_int_equal(submit(f, DISK_WRITE, 512, 513), -EINVAL);
    assert_int_equal(submit(f, DISK_FLUSH, 0, 0), 0);
    assert_null(disk_window(f->disk, DISK_READ, 1 << 20, 512));
    assert_non_null(disk_window(f->disk, DISK_READ, (1 << 20) - 512, 512));
    disk_close(f->disk);
    assert_int_equal(spec_open(f, "mem:1M", true), 0);
    assert_int_equal(submit(f, DISK_WRITE, 0, 512), -EROFS);
    assert_null(disk_window(f->disk, DISK_WRITE, 0, 512));
    assert_int_equal(submit(f, DISK_FLUSH, 0, 0), 0);
}

static void test_null_reads_zeroes_and_takes_writes(void **state)
{
    static const char zeroes[45056];
    struct fixture *f = *state;

    assert_int_equal(spec_open(f, "null:1T", false), 0);
    assert_memory_equal(disk_window(f->disk, DISK_READ, 1ULL << 39, sizeof(zeroes)), zeroes, sizeof(zeroes));
    assert_null(disk_window(f->disk, DISK_WRITE, 0, 512)); /* nothing may be written into the zeroes */
    assert_false(disk_geometry(f->disk)->is_volatile);
}

static void test_null_without_zeroes_has_no_data(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(spec_open(f, "null:64K", false), 0);
    assert_false(disk_geometry(f->disk)->is_void);
    disk_close(f->disk);
    f->disk = NULL;
    refused(f, "null:64K,zero=on", false, -EINVAL, "expected a size");
    refused(f, "null:,zero=off", false, -EINVAL, "expected a size");
    assert_int_equal(spec_open(f, "null:64K,zero=off", false), 0);
    assert_true(disk_geometry(f->disk)->is_void);
    assert_int_equal(disk_geometry(f->disk)->size_bytes, 65536);
    assert_null(disk_window(f->disk, DISK_READ, 0, 512));
    assert_int_equal(submit(f, DISK_READ, 65536, 512), -EINVAL); /* the end is where it was */
    assert_int_equal(submit(f, DISK_READ, 0, 512), 0);
    assert_int_equal(submit(f, DISK_FLUSH, 0, 0), 0);
}

static void test_mem_is_its_own_window(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(spec_open(f, "mem:64K", false), 0);
    assert_true(disk_geometry(f->disk)->is_volatile);
    memset(disk_window(f->disk, DISK_WRITE, 512, 1024), 0x5a, 1024);
    assert_int_equal(((char *)disk_window(f->disk, DISK_READ, 1024, 512))[511], 0x5a);
    assert_int_equal(((char *)disk_window(f->disk, DISK_READ, 1536, 512))[0], 0);
}

static void test_mem_forgets_what_is_discarded_and_nothing_else(void **state)
{
    static const struct {
        uint32_t offset, length;
    } ranges[] = { { 512, 512 }, { 512, 8192 }, { 4096, 4096 }, { 3584, 1024 }, { 0, 65536 } };
    struct fixture *f = *state;

    assert_int_equal(spec_open(f, "mem:64K", false), 0);
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        const uint32_t end = ranges[i].offset + ranges[i].length;
        const char *data;

        memset(disk_window(f->disk, DISK_WRITE, 0, 65536), 0x5a, 65536);
        assert_null(disk_window(f->disk, DISK_DISCARD, ranges[i].offset, ranges[i].length));
        assert_int_equal(submit(f, DISK_DISCARD, ranges[i].offset, ranges[i].length), 0);
        data = disk_window(f->disk, DISK_READ, 0, 65536);
        for (uint32_t at = 0; at < 65536; at++)
            assert_int_equal(data[at], at >= ranges[i].offset && at < end ? 0 : 0x5a);
    }
}

static void test_checkpoint_holds_discards_against_the_geometry(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(spec_open(f, "null:1T", false), 0);
    assert_int_equal(submit(f, DISK_DISCARD, 0, 1ULL << 40), 0); /* longer than 32 bits can say */
    assert_int_equal(submit(f, DISK_DISCARD, 512, 1ULL << 40), -EINVAL);
    assert_int_equal(submit(f, DISK_DISCARD, 0, UINT64_MAX - 511), -EINVAL);
    assert_int_equal(submit(f, DISK_DISCARD, 0, 0), -EINVAL);
    assert_int_equal(submit(f, DISK_DISCARD, 0, 513), -EINVAL);
    disk_close(f->disk);
    assert_int_equal(spec_open(f, "null:1T", true), 0);
    assert_false(disk_geometry(f->disk)->can_discard);
    assert_int_equal(submit(f, DISK_DISCARD, 0, 4096), -EOPNOTSUPP);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        TEST(test_specs_that_name_no_disk_are_refused_with_a_reason),
        TEST(test_image_must_be_whole_sectors),
        TEST(test_geometry_of_an_image),
        TEST(test_unreadable_image_says_so),
        TEST(test_one_writer_or_many_readers),
        TEST(test_c23_no_fallback_makes_a_readonly_disk_writable),
        TEST(test_checkpoint_holds_requests_against_the_geometry),
        TEST(test_null_reads_zeroes_and_takes_writes),
        TEST(test_null_without_zeroes_has_no_data),
        TEST(test_mem_is_its_own_window),
        TEST(test_mem_forgets_what_is_discarded_and_nothing_else),
        TEST(test_checkpoint_holds_discards_against_the_geometry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
