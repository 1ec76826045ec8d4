// SPDX-License-Identifier: MIT
/* bench.c: see bench.h. */
#include <config.h>

#include "tests/bench/bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t bench_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

void bench_die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double number(const char *text, char option, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (*text == '\0' || *end != '\0' || !(value >= min && value <= max)) {
        fprintf(stderr, "bench: -%c %s: expected a number from %g to %g\n", option, text, min, max);
        exit(2);
    }
    return value;
}

void bench_parse(int argc, char **argv, struct bench_options *options)
{
    int option;

    *options = (struct bench_options){ .depth = 1, .block_bytes = 4096, .seconds = 1 };
    while ((option = getopt(argc, argv, "t:d:b:s:pw")) != -1) {
        switch (option) {
        case 't':
            options->target = optarg;
            break;
        case 'd':
            options->depth = (uint32_t)number(optarg, 'd', 1, BENCH_DEPTH_MAX);
            break;
        case 'b':
            options->block_bytes = (uint32_t)number(optarg, 'b', 512, 16 << 20) & ~511u;
            break;
        case 's':
            options->seconds = number(optarg, 's', 0.01, 3600);
            break;
        case 'p':
            options->is_polled = true;
            break;
        case 'w':
            options->is_write = true;
            break;
        default:
            exit(2);
        }
    }
}

void bench_histogram_add(struct bench_histogram *histogram, uint64_t ns)
{
    unsigned int octave, index = (unsigned int)ns;

    if (ns >= 32) {
        octave = 63 - (unsigned int)__builtin_clzll(ns);
        index = (octave - 4) * 32 + (unsigned int)((ns >> (octave - 5)) & 31);
    }
    histogram->bucket[index]++;
    histogram->count++;
}

static double bucket_ns(unsigned int index)
{
    return index < 32 ? index : (double)((uint64_t)(32 + index % 32) << (index / 32 - 1));
}

double bench_histogram_us(const struct bench_histogram *histogram, double quantile)
{
    uint64_t wanted = (uint64_t)((double)histogram->count * quantile), seen = 0;
    unsigned int i;

    for (i = 0; i < sizeof(histogram->bucket) / sizeof(histogram->bucket[0]); i++) {
        seen += histogram->bucket[i];
        if (seen > wanted)
            return bucket_ns(i) / 1000;
    }
    return 0;
}

void bench_print(const char *name, const struct bench_options *options, const struct bench_result *result)
{
    double ios = result->ios ? (double)result->ios : 1, seconds = (double)result->elapsed_ns / 1e9;

    printf("{\"name\":\"%s\",\"depth\":%" PRIu32 ",\"block_bytes\":%" PRIu32 ",\"polled\":%s,\"iops\":%.1f,"
           "\"mb_per_s\":%.1f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"cpu_us_per_io\":%.4f,\"kicks_per_io\":%.4f,"
           "\"interrupts_per_io\":%.4f}\n",
           name, options->depth, options->block_bytes, options->is_polled ? "true" : "false",
           (double)result->ios / seconds, (double)result->ios * options->block_bytes / seconds / 1e6,
           bench_histogram_us(&result->latency, 0.5), bench_histogram_us(&result->latency, 0.99),
           (double)result->cpu_ns / 1000 / ios, (double)result->kicks / ios, (double)result->interrupts / ios);
}
