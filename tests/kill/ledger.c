// SPDX-License-Identifier: MIT
/*
 * ledger.c: a guest's program that is killed, and that knows when it comes again what was acknowledged to it: it writes
 * blocks that say when they were written, and keeps in a file, which outlives it, for each block which write was begun
 * last and which was acknowledged last.
 *
 *     ledger DEVICE FILE [ENOUGH]
 *
 * Reads the disk and compares, a word at a time: neither older than what was acknowledged nor newer than what was
 * begun. Then it writes until a file ENOUGH is there (once, without), and reads and compares again.
 */
#include <config.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend/xenfront.h"

#define TIMEOUT_MS 20000
#define BLOCK_BYTES 4096u
#define BLOCKS 256u
#define DEPTH 8u
#define WORDS (BLOCK_BYTES / sizeof(uint64_t))

struct ledger {
    uint64_t time; /* of the last write that was begun */
    struct {
        uint64_t acknowledged, begun;
    } block[BLOCKS];
};

struct op {
    uint64_t data[WORDS];
    uint32_t block;
    bool is_busy, is_write;
};

static struct ledger *ledger;
static struct op ops[DEPTH];
static bool is_taken[BLOCKS]; /* by a write in flight */
static uint64_t writes;

static _Noreturn void die(struct xenfront_blk *blk, const char *what)
{
    fprintf(stderr, "ledger: %s: %s\n", what, blk ? xenfront_blk_error(blk) : "");
    exit(1);
}

static void compare(const struct op *op)
{
    const uint64_t oldest = ledger->block[op->block].acknowledged, newest = ledger->block[op->block].begun;

    for (size_t i = 0; i < WORDS; i++)
        if (op->data[i] < oldest || op->data[i] > newest) {
            fprintf(stderr,
                    "ledger: block %" PRIu32 ", word %zu: expected write %" PRIu64 " to %" PRIu64
                    ", found %" PRIu64 "\n",
                    op->block, i, oldest, newest, op->data[i]);
            exit(1);
        }
}

static void on_done(void *cookie, int status)
{
    struct op *op = cookie;

    if (status < 0) {
        fprintf(stderr, "ledger: %s: %s\n", op->is_write ? "write" : "read", strerror(-status));
        exit(1);
    }
    if (op->is_write) {
        ledger->block[op->block].acknowledged = op->data[0];
        is_taken[op->block] = false;
        writes++;
    } else {
        compare(op);
    }
    op->is_busy = false;
}

static void begin(struct xenfront_blk *blk, struct op *op, uint32_t block, bool is_write)
{
    const uint64_t offset = (uint64_t)block * BLOCK_BYTES;

    op->block = block;
    op->is_write = is_write;
    op->is_busy = true;
    if (is_write) {
        is_taken[block] = true;
        ledger->block[block].begun = ++ledger->time;
        for (size_t i = 0; i < WORDS; i++)
            op->data[i] = ledger->time;
    }
    if ((is_write ? xenfront_blk_write(blk, op->data, BLOCK_BYTES, offset, on_done, op)
                  : xenfront_blk_read(blk, op->data, BLOCK_BYTES, offset, on_done, op)) < 0)
        die(blk, "request");
}

/* COUNT requests, of each block in turn or of any. */
static void work(struct xenfront_blk *blk, uint32_t count, bool is_write)
{
    for (uint32_t begun = 0; begun < count || xenfront_blk_in_flight(blk) > 0;) {
        for (size_t i = 0; i < DEPTH && begun < count; i++) {
            const uint32_t block = is_write ? (uint32_t)random() % BLOCKS : begun;

            if (ops[i].is_busy || is_taken[block])
                continue;
            begin(blk, &ops[i], block, is_write);
            begun++;
        }
        if (xenfront_blk_wait(blk, TIMEOUT_MS) < 0)
            die(blk, "wait");
    }
}

int main(int argc, char **argv)
{
    struct xenfront_blk *blk = xenfront_blk_new(NULL);
    int fd;

    if (!blk || argc < 3) {
        fprintf(stderr, "usage: ledger DEVICE FILE [ENOUGH]\n");
        return 2;
    }
    fd = open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(*ledger)) < 0)
        die(NULL, argv[2]);
    ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ledger == MAP_FAILED)
        die(NULL, argv[2]);
    srandom((unsigned int)ledger->time);
    if (xenfront_blk_open(blk, argv[1]) < 0 || xenfront_blk_connect(blk, TIMEOUT_MS) < 0)
        die(blk, "connect");
    work(blk, BLOCKS, false);
    do
        work(blk, BLOCKS, true);
    while (argc > 3 && access(argv[3], F_OK) < 0);
    work(blk, BLOCKS, false);
    if (xenfront_blk_close(blk, TIMEOUT_MS) < 0)
        die(blk, "close");
    xenfront_blk_free(blk);
    printf("%" PRIu64 " writes of %" PRIu64 ", no difference\n", writes, ledger->time);
    return 0;
}
