// SPDX-License-Identifier: MIT
/*
 * verify.c: `xenfront blk verify`: fills a range of the disk with sectors that describe themselves, in
 * requests of random sizes and alignments with random depth, mixes reads and overwrites, then reads
 * everything back.
 *
 * A model in memory knows the number of the last write to each sector. Requests in flight never overlap,
 * except for reads among each other, so that what a read must find is known when it starts. Some requests go
 * through copied buffers at odd addresses, some through granted buffers at odd sectors.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/tools/commands.h"
#include "frontend/tools/pattern.h"
#include "frontend/tools/progress.h"

#define MAX_MISALIGN 64u /* bytes, of a copied buffer in memory */
#define DIRECT_BUFFERS 4u
#define DIRECT_BYTES (64u << 10)
#define DEPTH_PERIOD 32u /* requests between two changes of the depth */
#define OVERLAP_TRIES 8

struct op {
    struct verify *verify;
    bool is_busy;
    bool is_write;
    uint64_t sector;
    uint64_t count;
    uint64_t sequence; /* of a write */
    uint8_t *memory; /* block_size + MAX_MISALIGN bytes */
    uint8_t *data; /* of this request */
    struct xenfront_buffer *buffer; /* granted memory, for ops that have it */
};

struct verify {
    struct session *session;
    uint64_t seed;
    uint64_t random;
    uint64_t first; /* sector */
    uint64_t sectors;
    uint64_t unit; /* sectors of 512 bytes in a logical one */
    uint64_t max; /* sectors of a request */
    uint32_t *model; /* number of the last write, by sector; 0: none */
    uint32_t sequence;
    struct op *ops;
    uint32_t depth;
    uint32_t depth_now;
    uint32_t busy;
    uint64_t requests, bytes_written, bytes_read;
    int result;
    bool is_reported;
    struct progress progress;
};

struct range {
    uint64_t at; /* sector, from the start of the verified range */
    uint64_t count;
};

static void difference_report(struct verify *verify, uint64_t sector, uint64_t sequence,
                              const struct pattern_found *found)
{
    const char *name = xenfront_blk_name(verify->session->blk);
    uint64_t offset = sector * PATTERN_SECTOR + found->at;

    if (verify->is_reported)
        return;
    verify->is_reported = true;
    verify->result = TOOL_DIFFER;
    fprintf(stderr,
            "xenfront: %s: difference at byte %" PRIu64 " (sector %" PRIu64 ", byte %zu): expected 0x%02x",
            name, offset, sector, found->at, found->expected);
    if (sequence)
        fprintf(stderr, " of write %" PRIu64, sequence);
    fprintf(stderr, ", found 0x%02x", found->found);
    if (found->is_pattern)
        fprintf(stderr, " of write %" PRIu64 " to sector %" PRIu64 " with seed %" PRIu64 "\n",
                found->sequence, found->sector, found->seed);
    else
        fprintf(stderr, ", in no sector that verify wrote as a whole\n");
    if (verify->session->settings->is_json)
        print_json(json_pack("{s:s, s:b, s:I, s:I, s:i, s:i}", "command", "verify", "ok", 0, "offset",
                             (json_int_t)offset, "sector", (json_int_t)sector, "expected", found->expected,
                             "found", found->found));
}

static void data_compare(struct verify *verify, const struct op *op)
{
    struct pattern_found found;

    for (uint64_t i = 0; i < op->count && !verify->is_reported; i++) {
        const uint8_t *data = op->data + i * PATTERN_SECTOR;
        uint64_t sector = op->sector + i;
        uint32_t sequence = verify->model[sector - verify->first];

        if (verify->session->settings->read_only_check) {
            if (!pattern_check_any(data, verify->seed, sector, &found))
                difference_report(verify, sector, 0, &found);
        } else if (sequence && !pattern_check(data, verify->seed, sector, sequence, &found)) {
            difference_report(verify, sector, sequence, &found);
        }
    }
}

static void on_done(void *cookie, int status)
{
    struct op *op = cookie;
    struct verify *verify = op->verify;

    op->is_busy = false;
    verify->busy--;
    if (status < 0) {
        if (!verify->result)
            verify->result = session_fail(verify->session, status, op->is_write ? "write" : "read");
        return;
    }
    if (op->is_write) {
        for (uint64_t i = 0; i < op->count; i++)
            verify->model[op->sector - verify->first + i] = (uint32_t)op->sequence;
        verify->bytes_written += op->count * PATTERN_SECTOR;
    } else {
        data_compare(verify, op);
        verify->bytes_read += op->count * PATTERN_SECTOR;
    }
    progress_show(&verify->progress, verify->bytes_written + verify->bytes_read);
}

/* Would a request on this range race with one in flight? Two reads never do. */
static bool is_racing(const struct verify *verify, const struct range *range, bool is_write)
{
    uint64_t first = verify->first + range->at;

    for (uint32_t i = 0; i < verify->depth; i++) {
        const struct op *op = &verify->ops[i];

        if (op->is_busy && (is_write || op->is_write) && first < op->sector + op->count &&
            op->sector < first + range->count)
            return true;
    }
    return false;
}

/* Mostly short requests, some as long as allowed, never past limit; in sectors, whole units. */
static uint64_t length_pick(struct verify *verify, uint64_t limit)
{
    static const uint64_t limits[] = { 8, 8, 88, 128, UINT64_MAX };
    uint64_t max = limits[random_below(&verify->random, sizeof(limits) / sizeof(limits[0]))];
    uint64_t units;

    if (max > verify->max)
        max = verify->max;
    if (max > limit)
        max = limit;
    units = max / verify->unit;
    return (1 + random_below(&verify->random, units ? units : 1)) * verify->unit;
}

/* Sleeps until something is done. What goes wrong ends up in verify->result. */
static void wait_once(struct verify *verify)
{
    int err = session_wait(verify->session);

    if (err < 0 && !verify->result)
        verify->result = session_fail(verify->session, err, "verify");
}

/* A free op; waits for one while as many are busy as the depth of the moment allows. NULL: stop. */
static struct op *op_get(struct verify *verify)
{
    if (verify->requests++ % DEPTH_PERIOD == 0)
        verify->depth_now = 1 + (uint32_t)random_below(&verify->random, verify->depth);
    while (verify->busy >= verify->depth_now && !verify->result)
        wait_once(verify);
    for (uint32_t i = 0; i < verify->depth && !verify->result; i++) {
        uint32_t at = (uint32_t)((verify->requests + i) % verify->depth);

        if (!verify->ops[at].is_busy)
            return &verify->ops[at];
    }
    return NULL;
}

static int op_start(struct verify *verify, struct op *op, const struct range *range, bool is_write)
{
    struct xenfront_blk *blk = verify->session->blk;
    size_t length = range->count * PATTERN_SECTOR;
    uint64_t offset = (verify->first + range->at) * PATTERN_SECTOR;
    uint64_t align = verify->unit * PATTERN_SECTOR;
    bool is_direct = op->buffer && length <= DIRECT_BYTES;
    size_t at = 0;
    int err;

    op->is_write = is_write;
    op->sector = verify->first + range->at;
    op->count = range->count;
    op->sequence = is_write ? ++verify->sequence : 0;
    if (is_direct)
        at = random_below(&verify->random, (DIRECT_BYTES - length) / align + 1) * align;
    op->data = is_direct ? (uint8_t *)xenfront_buffer_data(op->buffer) + at
                         : op->memory + random_below(&verify->random, MAX_MISALIGN);
    for (uint64_t i = 0; is_write && i < op->count; i++)
        pattern_fill(op->data + i * PATTERN_SECTOR, verify->seed, op->sector + i, op->sequence);
    if (!is_write)
        memset(op->data, 0xa5, length);
    if (is_direct)
        err = (is_write ? xenfront_blk_write_buffer : xenfront_blk_read_buffer)(blk, op->buffer, at, length,
                                                                                offset, on_done, op);
    else if (is_write)
        err = xenfront_blk_write(blk, op->data, length, offset, on_done, op);
    else
        err = xenfront_blk_read(blk, op->data, length, offset, on_done, op);
    if (err < 0)
        return verify->result = session_fail(verify->session, err, is_write ? "write" : "read");
    op->is_busy = true;
    verify->busy++;
    /* most requests are sent at once, the others with the next one, so that both ways are taken */
    if (random_below(&verify->random, 4))
        xenfront_blk_submit(blk);
    return 0;
}

/* One request; waits until it does not race with others. */
static int request(struct verify *verify, const struct range *range, bool is_write)
{
    struct op *op = op_get(verify);

    while (!verify->result && is_racing(verify, range, is_write))
        wait_once(verify);
    return verify->result ? verify->result : op_start(verify, op, range, is_write);
}

/* A random range in the first `limit` sectors that races with nothing, if one is found soon. */
static bool range_pick(struct verify *verify, uint64_t limit, bool is_write, struct range *range)
{
    for (int i = 0; i < OVERLAP_TRIES; i++) {
        uint64_t units = limit / verify->unit;

        range->at = random_below(&verify->random, units) * verify->unit;
        range->count = length_pick(verify, limit - range->at);
        if (!is_racing(verify, range, is_write))
            return true;
    }
    return false;
}

/* Every sector is written once, in order, with reads of what is there already in between. */
static int phase_fill(struct verify *verify)
{
    for (struct range range = { 0 }; range.at < verify->sectors; range.at += range.count) {
        struct range other;

        range.count = length_pick(verify, verify->sectors - range.at);
        if (request(verify, &range, true))
            return verify->result;
        if (range.at && random_below(&verify->random, 4) == 0 &&
            range_pick(verify, range.at, false, &other) && request(verify, &other, false))
            return verify->result;
    }
    return 0;
}

/* Random reads and overwrites, until about half of the range was written again. */
static int phase_mix(struct verify *verify)
{
    uint64_t goal = verify->sectors / 2;

    for (uint64_t done = 0; done < goal;) {
        bool is_write = random_below(&verify->random, 2);
        struct range range;

        if (!range_pick(verify, verify->sectors, is_write, &range)) {
            wait_once(verify);
            if (verify->result)
                return verify->result;
            continue;
        }
        if (request(verify, &range, is_write))
            return verify->result;
        done += is_write ? range.count : 0;
    }
    return 0;
}

static int phase_read(struct verify *verify)
{
    for (struct range range = { 0 }; range.at < verify->sectors; range.at += range.count) {
        range.count = length_pick(verify, verify->sectors - range.at);
        if (request(verify, &range, false))
            return verify->result;
    }
    return 0;
}

static int settle(struct verify *verify)
{
    while (verify->busy && !verify->result)
        wait_once(verify);
    return verify->result;
}

static int verify_init(struct verify *verify, struct session *session)
{
    const struct settings *settings = session->settings;

    *verify = (struct verify){
        .session = session,
        .seed = settings->seed,
        .random = settings->seed,
        .first = session->start / PATTERN_SECTOR,
        .sectors = session->length / PATTERN_SECTOR,
        .unit = session->info.sector_size / PATTERN_SECTOR,
        .max = settings->block_size / PATTERN_SECTOR,
        .depth = (uint32_t)settings->depth,
    };
    verify->model = calloc(verify->sectors + 1, sizeof(*verify->model));
    verify->ops = calloc(verify->depth, sizeof(*verify->ops));
    if (!verify->model || !verify->ops)
        return session_fail(session, -ENOMEM, "verify");
    for (uint32_t i = 0; i < verify->depth; i++) {
        verify->ops[i].verify = verify;
        verify->ops[i].memory = malloc(settings->block_size + MAX_MISALIGN);
        if (!verify->ops[i].memory)
            return session_fail(session, -ENOMEM, "verify");
        if (i < DIRECT_BUFFERS) /* without it, when the domain has no grants left, all data is copied */
            verify->ops[i].buffer = xenfront_buffer_new(session->blk, DIRECT_BYTES);
    }
    return TOOL_OK;
}

static void verify_fini(struct verify *verify)
{
    session_drain(verify->session);
    progress_end(&verify->progress);
    for (uint32_t i = 0; verify->ops && i < verify->depth; i++) {
        xenfront_buffer_free(verify->ops[i].buffer);
        free(verify->ops[i].memory);
    }
    free(verify->ops);
    free(verify->model);
}

static int verify_run(struct verify *verify)
{
    bool is_reading = verify->session->settings->read_only_check;
    uint64_t bytes = verify->sectors * PATTERN_SECTOR;

    progress_start(&verify->progress, "verify", is_reading ? bytes : bytes * 3,
                   verify->session->settings->is_quiet);
    if (!is_reading) {
        int err;

        if (phase_fill(verify) || settle(verify) || phase_mix(verify) || settle(verify))
            return verify->result;
        err = session_flush(verify->session);
        if (err < 0)
            return session_fail(verify->session, err, "flush");
    }
    return phase_read(verify) || settle(verify) ? verify->result : TOOL_OK;
}

static void verify_report(const struct verify *verify)
{
    double seconds = seconds_now() - verify->progress.start;
    uint64_t bytes = verify->bytes_written + verify->bytes_read;

    if (verify->session->settings->is_json)
        print_json(json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "command", "verify", "ok", 1,
                             "seed", (json_int_t)verify->seed, "range_bytes",
                             (json_int_t)(verify->sectors * PATTERN_SECTOR), "requests",
                             (json_int_t)verify->requests, "bytes_written", (json_int_t)verify->bytes_written,
                             "bytes_read", (json_int_t)verify->bytes_read, "seconds", seconds, "mb_per_s",
                             (double)bytes / seconds / 1e6));
    else
        printf("%s: verified %" PRIu64 " bytes with seed %" PRIu64 ": %" PRIu64 " requests, %" PRIu64
               " bytes written, %" PRIu64 " read, no difference, %.2f s, %.0f MB/s\n",
               xenfront_blk_name(verify->session->blk), verify->sectors * PATTERN_SECTOR, verify->seed,
               verify->requests, verify->bytes_written, verify->bytes_read, seconds,
               (double)bytes / seconds / 1e6);
}

int command_verify(struct session *session)
{
    struct verify verify;
    int result = verify_init(&verify, session);

    if (!result)
        result = verify_run(&verify);
    progress_end(&verify.progress);
    if (!result)
        verify_report(&verify);
    verify_fini(&verify);
    return result;
}
