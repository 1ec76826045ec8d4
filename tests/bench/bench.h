// SPDX-License-Identifier: MIT
/*
 * bench.h: what the clients of the benchmarks share: the clock, a seeded generator of offsets, a histogram of
 * latencies, and one JSON object a run on standard output. Each client is one thread.
 */
#ifndef XENSPLIT_TESTS_BENCH_BENCH_H
#define XENSPLIT_TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_DEPTH_MAX 256u

struct bench_options {
    const char *target; /* socket or file */
    uint32_t depth; /* requests in flight */
    uint32_t block_bytes;
    double seconds;
    bool is_polled; /* spin instead of sleeping */
    bool is_write;
};

/* Buckets of 1/32 octave: an error of at most 3 percent over the whole range. */
struct bench_histogram {
    uint64_t bucket[64 * 32];
    uint64_t count;
};

struct bench_result {
    uint64_t ios;
    uint64_t elapsed_ns;
    uint64_t cpu_ns; /* of this process */
    uint64_t kicks;
    uint64_t interrupts;
    struct bench_histogram latency;
};

/* -t TARGET -d DEPTH -b BYTES -s SECONDS [-p] [-w]; exits with a message on a wrong one. */
void bench_parse(int argc, char **argv, struct bench_options *options);
void bench_print(const char *name, const struct bench_options *options, const struct bench_result *result);
void bench_die(const char *what) __attribute__((noreturn)); /* with errno */

uint64_t bench_now_ns(void);
uint64_t bench_cpu_ns(void);
uint64_t bench_random(uint64_t *state); /* xorshift; state must not be 0 */
void bench_histogram_add(struct bench_histogram *histogram, uint64_t ns);
double bench_histogram_us(const struct bench_histogram *histogram, double quantile);

#endif
