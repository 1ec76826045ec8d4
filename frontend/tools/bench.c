// SPDX-License-Identifier: MIT
/*
 * bench.c: `xenfront blk bench`: keeps `depth` requests of one size in flight and counts.
 *
 * Latency is from the call that prepares a request to its callback. The CPU time is this process's; kicks and
 * interrupts are notifications sent and received, which is what sleeping costs.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "frontend/tools/commands.h"
#include "frontend/tools/histogram.h"
#include "frontend/tools/pattern.h"

#define POLLS_PER_PUMP                                                                                       \
    4096 /* with --poll: looks at the ring between two looks at the store and the clock   \
                             */

static const struct pattern {
    const char *name;
    bool is_random;
    bool is_reading; /* at all */
    bool is_writing; /* at all; with both, read_percent decides */
    bool is_flush;
} patterns[] = {
    { "read", false, true, false, false },     { "write", false, false, true, false },
    { "rw", false, true, true, false },        { "randread", true, true, false, false },
    { "randwrite", true, false, true, false }, { "randrw", true, true, true, false },
    { "flush", false, false, false, true },
};

struct bench_op {
    struct bench *bench;
    uint64_t start_ns;
    uint8_t *data;
    struct bench_op *next; /* in the list of idle ones */
};

struct bench {
    struct session *session;
    const struct pattern *pattern;
    struct bench_op *ops;
    struct bench_op *idle;
    uint8_t *memory; /* of all ops */
    struct xenfront_buffer *buffer; /* the same, granted */
    uint64_t depth;
    uint64_t blocks; /* on the range */
    uint64_t next_block;
    uint64_t random;
    uint64_t left; /* requests to start */
    uint64_t now_ns; /* one look at the clock for all that completes, or starts, together; 0: look again */
    uint64_t done;
    uint64_t errors;
    int error;
    struct histogram latency;
};

struct snapshot {
    double seconds;
    double user, system;
    struct xenfront_blk_stats stats;
};

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t bench_now_ns(struct bench *bench)
{
    if (!bench->now_ns)
        bench->now_ns = now_ns();
    return bench->now_ns;
}

static const struct pattern *pattern_find(const char *name)
{
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        if (!strcmp(patterns[i].name, name))
            return &patterns[i];
    }
    return NULL;
}

int check_bench(const struct settings *settings)
{
    if (pattern_find(settings->pattern) && settings->depth)
        return TOOL_OK;
    fprintf(stderr, "xenfront: bench: a pattern (");
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        fprintf(stderr, "%s%s", i ? ", " : "", patterns[i].name);
    fprintf(stderr, ") and a depth expected, found %s and %" PRIu64 "\n", settings->pattern, settings->depth);
    return TOOL_USAGE;
}

static void on_done(void *cookie, int status)
{
    struct bench_op *op = cookie;
    struct bench *bench = op->bench;

    histogram_add(&bench->latency, bench_now_ns(bench) - op->start_ns);
    bench->done++;
    if (status < 0) {
        bench->errors++;
        bench->error = status;
    }
    op->next = bench->idle;
    bench->idle = op;
}

static int op_start(struct bench *bench, struct bench_op *op)
{
    const struct settings *settings = bench->session->settings;
    struct xenfront_blk *blk = bench->session->blk;
    size_t length = settings->block_size;
    bool is_write = bench->pattern->is_writing;
    uint64_t block, offset;

    if (bench->pattern->is_flush) {
        op->start_ns = bench_now_ns(bench);
        return xenfront_blk_flush(blk, on_done, op);
    }
    if (bench->pattern->is_reading && is_write)
        is_write = random_below(&bench->random, 100) >= settings->read_percent;
    block = bench->pattern->is_random ? random_below(&bench->random, bench->blocks) : bench->next_block;
    bench->next_block = bench->next_block + 1 < bench->blocks ? bench->next_block + 1 : 0;
    offset = bench->session->start + block * length;
    op->start_ns = bench_now_ns(bench);
    if (bench->buffer)
        return (is_write ? xenfront_blk_write_buffer : xenfront_blk_read_buffer)(
            blk, bench->buffer, (size_t)(op - bench->ops) * length, length, offset, on_done, op);
    return is_write ? xenfront_blk_write(blk, op->data, length, offset, on_done, op)
                    : xenfront_blk_read(blk, op->data, length, offset, on_done, op);
}

/* Starts whatever is idle. */
static int refill(struct bench *bench)
{
    while (bench->idle && bench->left) {
        struct bench_op *op = bench->idle;
        int err = op_start(bench, op);

        if (err < 0)
            return err;
        bench->idle = op->next;
        bench->left--;
    }
    return 0;
}

static int progress(struct bench *bench)
{
    struct xenfront_blk *blk = bench->session->blk;

    bench->now_ns = 0;
    if (!bench->session->settings->is_polling)
        return session_wait(bench->session);
    for (int i = 0; i < POLLS_PER_PUMP; i++) {
        int done = xenfront_blk_poll(blk);

        if (done)
            return done;
    }
    return process_signal() ? -EINTR : xenfront_blk_pump(blk);
}

/* Errors of requests are counted; the run goes on while the device does. */
static int run(struct bench *bench)
{
    const struct settings *settings = bench->session->settings;
    uint64_t end = now_ns() + settings->seconds * 1000000000u;
    int err = 0;

    bench->left = settings->count ? settings->count : UINT64_MAX;
    while (err >= 0 && bench->done + bench->left) {
        err = refill(bench);
        if (err >= 0 && xenfront_blk_in_flight(bench->session->blk) == 0)
            break;
        if (err >= 0)
            err = progress(bench);
        if (!settings->count && bench_now_ns(bench) >= end)
            bench->left = 0;
    }
    return err < 0 ? session_fail(bench->session, err, "bench") : TOOL_OK;
}

static int bench_init(struct bench *bench, struct session *session)
{
    const struct settings *settings = session->settings;
    size_t length = settings->block_size;

    *bench = (struct bench){
        .session = session,
        .pattern = pattern_find(settings->pattern),
        .depth = settings->depth,
        .blocks = session->length / length,
        .random = settings->seed,
    };
    if (!bench->blocks)
        return session_fail(session, -EINVAL, "bench: a range of at least one block expected");
    bench->ops = calloc(bench->depth, sizeof(*bench->ops));
    if (settings->is_direct) {
        bench->buffer = xenfront_buffer_new(session->blk, bench->depth * length);
        if (!bench->buffer)
            return session_fail(session, -errno, "bench: granted buffers");
        bench->memory = xenfront_buffer_data(bench->buffer);
    } else {
        bench->memory = aligned_alloc(4096, (bench->depth * length + 4095) & ~(size_t)4095);
    }
    if (!bench->ops || !bench->memory)
        return session_fail(session, -ENOMEM, "bench");
    for (size_t i = 0; i < bench->depth * length; i++)
        bench->memory[i] = (uint8_t)i;
    for (uint64_t i = bench->depth; i--;) {
        bench->ops[i].bench = bench;
        bench->ops[i].data = bench->memory + i * length;
        bench->ops[i].next = bench->idle;
        bench->idle = &bench->ops[i];
    }
    return TOOL_OK;
}

static void bench_fini(struct bench *bench)
{
    session_drain(bench->session);
    if (bench->buffer)
        xenfront_buffer_free(bench->buffer);
    else
        free(bench->memory);
    free(bench->ops);
}

static double timeval_seconds(const struct timeval *tv)
{
    return (double)tv->tv_sec + (double)tv->tv_usec / 1e6;
}

static struct snapshot snapshot_take(const struct bench *bench)
{
    struct snapshot shot = { .seconds = seconds_now() };
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    shot.user = timeval_seconds(&usage.ru_utime);
    shot.system = timeval_seconds(&usage.ru_stime);
    xenfront_blk_stats(bench->session->blk, &shot.stats);
    return shot;
}

static void report(const struct bench *bench, const struct snapshot *a, const struct snapshot *b)
{
    static const double percents[] = { 50, 90, 99, 99.9 };
    static const char *const keys[] = { "p50", "p90", "p99", "p99_9" };
    const struct settings *settings = bench->session->settings;
    double seconds = b->seconds - a->seconds;
    double user = b->user - a->user, system = b->system - a->system;
    double iops = (double)bench->done / seconds;
    double mb = (double)(b->stats.bytes_read - a->stats.bytes_read + b->stats.bytes_written -
                         a->stats.bytes_written) /
                seconds / 1e6;
    double cpu_us = bench->done ? (user + system) * 1e6 / (double)bench->done : 0;
    uint64_t kicks = b->stats.kicks - a->stats.kicks;
    uint64_t interrupts = b->stats.interrupts - a->stats.interrupts;
    json_t *latency;

    if (!settings->is_json) {
        printf("%s: %s, %" PRIu64 " bytes, depth %" PRIu64 "%s%s: %" PRIu64 " requests in %.2f s\n",
               xenfront_blk_name(bench->session->blk), bench->pattern->name, settings->block_size,
               bench->depth, settings->is_polling ? ", polling" : "", settings->is_direct ? ", direct" : "",
               bench->done, seconds);
        printf("  %.0f IOPS, %.1f MB/s, %" PRIu64 " errors\n", iops, mb, bench->errors);
        printf("  latency us: mean %.1f, min %.1f", histogram_mean(&bench->latency) / 1e3,
               (double)bench->latency.min / 1e3);
        for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
            printf(", p%g %.1f", percents[i],
                   (double)histogram_percentile(&bench->latency, percents[i]) / 1e3);
        printf(", max %.1f\n", (double)bench->latency.max / 1e3);
        printf("  CPU: %.2f s user, %.2f s system, %.2f us a request\n", user, system, cpu_us);
        printf("  notifications: %" PRIu64 " sent, %" PRIu64 " received\n", kicks, interrupts);
        return;
    }
    latency = json_pack("{s:f, s:f, s:f}", "mean", histogram_mean(&bench->latency) / 1e3, "min",
                        (double)bench->latency.min / 1e3, "max", (double)bench->latency.max / 1e3);
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
        json_object_set_new(latency, keys[i],
                            json_real((double)histogram_percentile(&bench->latency, percents[i]) / 1e3));
    print_json(json_pack(
        "{s:s, s:s, s:I, s:I, s:b, s:b, s:I, s:I, s:f, s:f, s:f, s:o, s:f, s:f, s:f, s:I, s:I}", "command",
        "bench", "pattern", bench->pattern->name, "block_size", (json_int_t)settings->block_size, "depth",
        (json_int_t)bench->depth, "poll", settings->is_polling, "direct", settings->is_direct, "requests",
        (json_int_t)bench->done, "errors", (json_int_t)bench->errors, "seconds", seconds, "iops", iops,
        "mb_per_s", mb, "latency_us", latency, "cpu_user_s", user, "cpu_system_s", system,
        "cpu_us_per_request", cpu_us, "kicks", (json_int_t)kicks, "interrupts", (json_int_t)interrupts));
}

int command_bench(struct session *session)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct snapshot before, after;
    int result;

    if (!bench)
        return session_fail(session, -ENOMEM, "bench");
    result = bench_init(bench, session);
    if (!result) {
        before = snapshot_take(bench);
        result = run(bench);
        after = snapshot_take(bench);
    }
    if (!result) {
        report(bench, &before, &after);
        if (bench->errors)
            result = session_fail(session, bench->error, "bench: the last request that failed");
    }
    bench_fini(bench);
    free(bench);
    return result;
}
