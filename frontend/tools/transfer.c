// SPDX-License-Identifier: MIT
/*
 * transfer.c: `xenfront blk read`, `write` and `copy`: a stream between a file and a range of the disk.
 * Blocks are used in turn, so that `depth` requests are in flight while the file is read and written strictly
 * in order, which a pipe needs.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/tools/commands.h"
#include "frontend/tools/progress.h"

enum block_state { BLOCK_IDLE, BLOCK_IN_FLIGHT, BLOCK_DONE };

struct block {
    enum block_state state;
    int status;
    size_t length;
    uint8_t *data;
};

struct transfer {
    struct session *session;
    int fd;
    const char *file;
    uint64_t start; /* on the disk */
    uint64_t length;
    bool is_open_ended; /* write: the input's end is the end */
    uint64_t done; /* bytes that are through */
    struct block *blocks;
    uint64_t count;
    struct progress progress;
};

static void on_done(void *cookie, int status)
{
    struct block *block = cookie;

    block->status = status;
    block->state = BLOCK_DONE;
}

static int file_fail(const struct transfer *transfer, const char *what)
{
    fprintf(stderr, "xenfront: %s %s: %s\n", what, transfer->file, strerror(errno));
    return TOOL_IO;
}

/* As much as there is, up to length; less only at the end of the file. */
static ssize_t read_full(int fd, uint8_t *data, size_t length)
{
    size_t got = 0;

    while (got < length) {
        ssize_t part = read(fd, data + got, length - got);

        if (part == 0)
            break;
        if (part < 0 && (errno != EINTR || process_signal()))
            return -1;
        if (part > 0)
            got += (size_t)part;
    }
    return (ssize_t)got;
}

static int write_full(int fd, const uint8_t *data, size_t length)
{
    while (length) {
        ssize_t part = write(fd, data, length);

        if (part < 0 && (errno != EINTR || process_signal()))
            return -1;
        if (part > 0) {
            data += part;
            length -= (size_t)part;
        }
    }
    return 0;
}

static int transfer_init(struct transfer *transfer, struct session *session)
{
    transfer->session = session;
    transfer->start = session->start;
    transfer->length = session->length;
    transfer->count = session->settings->depth;
    transfer->blocks = calloc(transfer->count, sizeof(*transfer->blocks));
    for (uint64_t i = 0; transfer->blocks && i < transfer->count; i++) {
        transfer->blocks[i].data = malloc(session->settings->block_size);
        if (!transfer->blocks[i].data)
            return session_fail(session, -ENOMEM, "buffers");
    }
    return transfer->blocks ? TOOL_OK : session_fail(session, -ENOMEM, "buffers");
}

/* result, or what went wrong while closing the file when result is TOOL_OK. */
static int transfer_fini(struct transfer *transfer, int result)
{
    session_drain(transfer->session);
    progress_end(&transfer->progress);
    for (uint64_t i = 0; transfer->blocks && i < transfer->count; i++)
        free(transfer->blocks[i].data);
    free(transfer->blocks);
    if (transfer->fd > STDERR_FILENO && close(transfer->fd) < 0 && result == TOOL_OK)
        result = file_fail(transfer, "close");
    return result;
}

/* Waits until the block's request is done. 0, or an exit code. */
static int block_wait(struct transfer *transfer, struct block *block, const char *what)
{
    int err = 0;

    while (block->state == BLOCK_IN_FLIGHT && err >= 0)
        err = session_wait(transfer->session);
    if (block->state == BLOCK_IN_FLIGHT || err == -EINTR)
        return session_fail(transfer->session, err, what);
    if (block->state == BLOCK_DONE && block->status)
        return session_fail(transfer->session, block->status, what);
    return TOOL_OK;
}

static size_t block_length(const struct transfer *transfer, uint64_t at)
{
    uint64_t left = transfer->length - at;
    uint64_t block_size = transfer->session->settings->block_size;

    return (size_t)(left < block_size ? left : block_size);
}

/* Disk to file. */
static int transfer_out(struct transfer *transfer)
{
    struct xenfront_blk *blk = transfer->session->blk;
    uint64_t asked = 0;

    for (uint64_t turn = 0; transfer->done < transfer->length; turn++) {
        struct block *block;
        int err;

        /* every idle block reads ahead */
        for (uint64_t ahead = turn; ahead < turn + transfer->count && asked < transfer->length; ahead++) {
            block = &transfer->blocks[ahead % transfer->count];
            if (block->state != BLOCK_IDLE)
                continue;
            block->length = block_length(transfer, asked);
            err = xenfront_blk_read(blk, block->data, block->length, transfer->start + asked, on_done, block);
            if (err < 0)
                return session_fail(transfer->session, err, "read");
            block->state = BLOCK_IN_FLIGHT;
            asked += block->length;
        }
        block = &transfer->blocks[turn % transfer->count];
        err = block_wait(transfer, block, "read");
        if (err)
            return err;
        if (write_full(transfer->fd, block->data, block->length) < 0)
            return process_signal() ? session_fail(transfer->session, -EINTR, "")
                                    : file_fail(transfer, "write");
        block->state = BLOCK_IDLE;
        transfer->done += block->length;
        progress_show(&transfer->progress, transfer->done);
    }
    return TOOL_OK;
}

/* The next block of the file into memory. 1: there is one; 0: the file has ended; or minus an exit code. */
static int block_fill(struct transfer *transfer, struct block *block, uint64_t at)
{
    size_t wanted = block_length(transfer, at);
    ssize_t got = read_full(transfer->fd, block->data, wanted);

    if (got < 0 && process_signal())
        return -session_fail(transfer->session, -EINTR, "");
    if (got < 0)
        return -file_fail(transfer, "read");
    block->length = (size_t)got;
    if (block->length < wanted && !transfer->is_open_ended) {
        fprintf(stderr, "xenfront: %s: %" PRIu64 " bytes expected, found %" PRIu64 "\n", transfer->file,
                transfer->length, at + block->length);
        return -TOOL_IO;
    }
    if (block->length % transfer->session->info.sector_size) {
        fprintf(stderr, "xenfront: %s: sectors of %" PRIu32 " bytes expected, found %" PRIu64 " bytes\n",
                transfer->file, transfer->session->info.sector_size, at + block->length);
        return -TOOL_IO;
    }
    return block->length > 0;
}

/* Nothing may be left in the file when the range on the disk is full. */
static int tail_check(struct transfer *transfer)
{
    uint8_t byte;

    if (!transfer->is_open_ended || read_full(transfer->fd, &byte, 1) <= 0)
        return TOOL_OK;
    fprintf(stderr, "xenfront: %s: at most %" PRIu64 " bytes expected, found more\n", transfer->file,
            transfer->length);
    return TOOL_IO;
}

/* File to disk. */
static int transfer_in(struct transfer *transfer)
{
    struct xenfront_blk *blk = transfer->session->blk;
    uint64_t turn = 0;
    int err;

    for (uint64_t at = 0; at < transfer->length; turn++) {
        struct block *block = &transfer->blocks[turn % transfer->count];
        int more;

        err = block_wait(transfer, block, "write");
        if (err)
            return err;
        block->state = BLOCK_IDLE;
        more = block_fill(transfer, block, at);
        if (more <= 0) {
            transfer->length = at;
            if (more < 0)
                return -more;
            break;
        }
        err = xenfront_blk_write(blk, block->data, block->length, transfer->start + at, on_done, block);
        if (err == 0) {
            block->state = BLOCK_IN_FLIGHT;
            err = xenfront_blk_submit(blk);
        }
        if (err < 0)
            return session_fail(transfer->session, err, "write");
        at += block->length;
        progress_show(&transfer->progress, at);
    }
    for (uint64_t i = 0; i < transfer->count; i++) {
        err = block_wait(transfer, &transfer->blocks[i], "write");
        if (err)
            return err;
    }
    transfer->done = transfer->length;
    err = tail_check(transfer);
    if (err)
        return err;
    err = session_flush(transfer->session);
    return err < 0 ? session_fail(transfer->session, err, "flush") : TOOL_OK;
}

static void transfer_report(const struct transfer *transfer, const char *what)
{
    double seconds = seconds_now() - transfer->progress.start;

    if (transfer->session->settings->is_json)
        print_json(json_pack("{s:s, s:s, s:I, s:f, s:f}", "command", what, "file", transfer->file, "bytes",
                             (json_int_t)transfer->done, "seconds", seconds, "mb_per_s",
                             (double)transfer->done / seconds / 1e6));
    else
        fprintf(stderr, "%s: %s %" PRIu64 " bytes in %.2f s, %.0f MB/s\n",
                xenfront_blk_name(transfer->session->blk), what, transfer->done, seconds,
                (double)transfer->done / seconds / 1e6);
}

static int file_open(struct transfer *transfer, const char *file, int flags, int standard_fd)
{
    if (!strcmp(file, "-")) {
        transfer->file = standard_fd == STDIN_FILENO ? "standard input" : "standard output";
        transfer->fd = standard_fd;
        return TOOL_OK;
    }
    transfer->file = file;
    transfer->fd = open(file, flags | O_CLOEXEC, 0666);
    return transfer->fd < 0 ? file_fail(transfer, "open") : TOOL_OK;
}

/* The size of a file or block device; 0 for a pipe. */
static int file_size(const struct transfer *transfer, uint64_t *size)
{
    struct stat st;
    off_t end;

    if (fstat(transfer->fd, &st) < 0)
        return file_fail(transfer, "stat");
    *size = 0;
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return TOOL_OK;
    end = lseek(transfer->fd, 0, SEEK_END);
    if (end < 0 || lseek(transfer->fd, 0, SEEK_SET) < 0)
        return file_fail(transfer, "seek in");
    *size = (uint64_t)end;
    return TOOL_OK;
}

static int run_out(struct session *session, const char *file, const char *what)
{
    struct transfer transfer = { .fd = -1 };
    int result = transfer_init(&transfer, session);

    if (!result)
        result = file_open(&transfer, file, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
    if (!result) {
        progress_start(&transfer.progress, what, transfer.length, session->settings->is_quiet);
        result = transfer_out(&transfer);
    }
    progress_end(&transfer.progress);
    if (!result && (session->settings->is_json || !session->settings->is_quiet))
        transfer_report(&transfer, what);
    return transfer_fini(&transfer, result);
}

/* is_whole: the file is an image, whose size is known and checked before anything is written. */
static int run_in(struct session *session, const char *file, const char *what, bool is_whole)
{
    struct transfer transfer = { .fd = -1, .is_open_ended = !is_whole };
    uint64_t size = 0;
    int result = transfer_init(&transfer, session);

    if (!result)
        result = file_open(&transfer, file, O_RDONLY, STDIN_FILENO);
    if (!result && is_whole)
        result = file_size(&transfer, &size);
    if (!result && size > transfer.length) {
        fprintf(stderr,
                "xenfront: %s: an image of at most %" PRIu64 " bytes expected for %s, found %" PRIu64 "\n",
                file, transfer.length, xenfront_blk_name(session->blk), size);
        result = TOOL_IO;
    }
    if (!result && is_whole && size)
        transfer.length = size;
    if (!result && is_whole && !size)
        transfer.is_open_ended = true;
    if (!result) {
        progress_start(&transfer.progress, what, is_whole ? transfer.length : 0, session->settings->is_quiet);
        result = transfer_in(&transfer);
    }
    progress_end(&transfer.progress);
    if (!result && (session->settings->is_json || !session->settings->is_quiet))
        transfer_report(&transfer, what);
    return transfer_fini(&transfer, result);
}

static const char *or_standard(const char *file)
{
    return file ? file : "-";
}

/* Data and a report cannot share standard output. */
static int check_out(const char *file, const struct settings *settings)
{
    if (!settings->is_json || strcmp(file, "-"))
        return TOOL_OK;
    fprintf(stderr, "xenfront: --json needs --out=FILE: standard output takes the data\n");
    return TOOL_USAGE;
}

int check_read(const struct settings *settings)
{
    return check_out(or_standard(settings->out), settings);
}

int check_copy(const struct settings *settings)
{
    if (!settings->in == !settings->out) {
        fprintf(stderr, "xenfront: copy: either --in=FILE or --out=FILE expected\n");
        return TOOL_USAGE;
    }
    return settings->out ? check_out(settings->out, settings) : TOOL_OK;
}

int command_read(struct session *session)
{
    return run_out(session, or_standard(session->settings->out), "read");
}

int command_write(struct session *session)
{
    return run_in(session, or_standard(session->settings->in), "write", false);
}

int command_copy(struct session *session)
{
    if (session->settings->out)
        return run_out(session, session->settings->out, "copy out");
    return run_in(session, session->settings->in, "copy in", true);
}
