// SPDX-License-Identifier: MIT
/*
 * raw_uring.c: the limit for a file: random reads (or writes) through io_uring straight from one program, with
 * nothing in between. O_DIRECT where the file takes it, as the daemon does; registered file and buffers.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <liburing.h>

#include "tests/bench/bench.h"

struct raw {
    struct io_uring ring;
    char *buffers;
    uint64_t blocks; /* of the file */
    uint64_t started_ns[BENCH_DEPTH_MAX];
    uint64_t seed;
};

static void raw_open(struct raw *raw, const struct bench_options *options)
{
    int flags = (options->is_write ? O_RDWR : O_RDONLY) | O_CLOEXEC, fd;
    struct stat status;
    struct iovec iov;

    fd = open(options->target, flags | O_DIRECT);
    if (fd < 0 && errno == EINVAL)
        fd = open(options->target, flags);
    if (fd < 0 || fstat(fd, &status) != 0)
        bench_die(options->target);
    raw->blocks = (uint64_t)status.st_size / options->block_bytes;
    if (raw->blocks == 0) {
        fprintf(stderr, "bench: %s: smaller than a block\n", options->target);
        exit(1);
    }
    iov.iov_len = (size_t)options->depth * options->block_bytes;
    errno = posix_memalign((void **)&raw->buffers, 4096, iov.iov_len);
    if (errno != 0)
        bench_die("buffers");
    iov.iov_base = raw->buffers;
    errno = -io_uring_queue_init(BENCH_DEPTH_MAX, &raw->ring, 0);
    if (errno != 0)
        bench_die("io_uring_queue_init");
    errno = -io_uring_register_files(&raw->ring, &fd, 1);
    if (errno != 0)
        bench_die("io_uring_register_files");
    errno = -io_uring_register_buffers(&raw->ring, &iov, 1);
    if (errno != 0)
        bench_die("io_uring_register_buffers");
    raw->seed = 88172645463325252u;
}

static void raw_queue(struct raw *raw, const struct bench_options *options, uint64_t slot)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&raw->ring);
    uint64_t offset = bench_random(&raw->seed) % raw->blocks * options->block_bytes;
    char *buffer = raw->buffers + slot * options->block_bytes;

    if (options->is_write)
        io_uring_prep_write_fixed(sqe, 0, buffer, options->block_bytes, offset, 0);
    else
        io_uring_prep_read_fixed(sqe, 0, buffer, options->block_bytes, offset, 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, slot);
    raw->started_ns[slot] = bench_now_ns();
}

static void raw_run(struct raw *raw, const struct bench_options *options, struct bench_result *result)
{
    uint64_t start = bench_now_ns(), cpu = bench_cpu_ns(), end = start + (uint64_t)(options->seconds * 1e9), now;
    unsigned int head, seen, in_flight = options->depth;
    struct io_uring_cqe *cqe;
    int error;

    for (uint64_t slot = 0; slot < options->depth; slot++)
        raw_queue(raw, options, slot);
    now = start;
    while (in_flight > 0) {
        error = io_uring_submit_and_wait(&raw->ring, options->is_polled ? 0 : 1);
        if (error < 0 && error != -EINTR) {
            errno = -error;
            bench_die("io_uring_submit_and_wait");
        }
        now = bench_now_ns();
        seen = 0;
        io_uring_for_each_cqe(&raw->ring, head, cqe) {
            if (cqe->res != (int)options->block_bytes) {
                errno = cqe->res < 0 ? -cqe->res : EIO;
                bench_die(options->target);
            }
            seen++;
            bench_histogram_add(&result->latency, now - raw->started_ns[cqe->user_data]);
            if (now < end)
                raw_queue(raw, options, cqe->user_data);
            else
                in_flight--;
        }
        io_uring_cq_advance(&raw->ring, seen);
        result->ios += seen;
    }
    result->elapsed_ns = now - start;
    result->cpu_ns = bench_cpu_ns() - cpu;
}

int main(int argc, char **argv)
{
    static struct bench_options options;
    static struct bench_result result;
    static struct raw raw;

    bench_parse(argc, argv, &options);
    if (options.target == NULL) {
        fprintf(stderr, "usage: bench-raw-uring -t FILE [-d DEPTH] [-b BYTES] [-s SECONDS] [-p] [-w]\n");
        return 2;
    }
    raw_open(&raw, &options);
    raw_run(&raw, &options, &result);
    bench_print("raw-uring", &options, &result);
    io_uring_queue_exit(&raw.ring);
    free(raw.buffers);
    return 0;
}
