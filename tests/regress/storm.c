// SPDX-License-Identifier: MIT
/*
 * storm.c: map and unmap under asynchronous I/O, as domains do it.
 *
 * Each operation maps a random scatter of granted pages, moves 512 bytes to 2 MiB between them and a file by libaio
 * or io_uring, direct or through the page cache, in one piece or in pieces of some sectors, and unmaps: after the
 * completion, or with --early while the request is in flight: by the library or by munmap(2), as a whole or in parts,
 * and sometimes the same pages are mapped again before it is over. Then the owner looks at its pages, byte by byte,
 * also at those that the request must not touch. A request may come back short, or with an error if one was ordered
 * by --may-fail.
 *
 *     storm --granter=DOMID --file=FILE [--operations=N] [--seed=N] [--early] [--may-fail]
 *
 * It speaks only the public API: in a box it is both ends, in a real domain 0 it grants to itself.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libaio.h>
#include <liburing.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <xengnttab.h>

#define PAGE 4096u
#define SECTOR 512u
#define BYTES_MAX (2u << 20)
#define POOL (BYTES_MAX / PAGE + 1)
#define PIECES 16u
#define ENV_DOMID "XENBOX_DOMID"

static struct {
    uint32_t granter;
    const char *file;
    unsigned long operations;
    uint64_t seed;
    bool is_early, may_fail;
} settings = { .operations = 1000 };

static struct {
    xengntshr_handle *shr;
    xengnttab_handle *tab;
    uint8_t *shared; /* the pool, as its owner sees it */
    uint32_t ref[POOL];
    io_context_t aio;
    struct io_uring uring;
    int direct_fd, cached_fd;
    uint8_t *expected, *disk; /* of the request's bytes */
} storm;

struct operation {
    unsigned long number;
    size_t bytes, offset; /* in the mapping */
    off_t at; /* in the file */
    unsigned pages;
    uint32_t page[POOL]; /* of the pool, in the order of the mapping */
    bool is_read; /* from the file into the pages */
    bool is_uring, is_direct, is_early, is_readonly;
    uint8_t *mapped, *again; /* where it is mapped, and for the second time under the request; NULL */
    struct iovec piece[PIECES];
    unsigned pieces;
};

static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint32_t random_below(uint32_t limit)
{
    return (uint32_t)(random_next() >> 16) % limit;
}

__attribute__((noreturn, format(printf, 2, 3))) static void fail(const struct operation *op,
                                                                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "storm: seed %llu", (unsigned long long)settings.seed);
    if (op)
        fprintf(stderr, ", operation %lu (%s %s, %s, %zu bytes at %zu in %u pieces%s)", op->number,
                op->is_direct ? "direct" : "buffered", op->is_read ? "read" : "write",
                op->is_uring ? "io_uring" : "aio", op->bytes, op->offset, op->pieces,
                op->is_early ? ", unmapped in flight" : "");
    fprintf(stderr, ": ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

static void enter(uint32_t domid)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", domid);
    setenv(ENV_DOMID, text, 1);
}

static void bytes_fill(uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i += sizeof(uint64_t)) {
        uint64_t value = random_next();

        memcpy(bytes + i, &value, sizeof(value));
    }
}

/* Which pages, how much of them, by which call. Small requests are more frequent. */
static void operation_choose(struct operation *op)
{
    unsigned shift = random_below(13), other = random_below(13);

    op->bytes = SECTOR << (shift < other ? shift : other);
    op->bytes += random_below((uint32_t)op->bytes) / SECTOR * SECTOR;
    if (op->bytes > BYTES_MAX)
        op->bytes = BYTES_MAX;
    op->offset = random_below(PAGE / SECTOR) * SECTOR;
    op->at = (off_t)random_below(BYTES_MAX / SECTOR) * SECTOR;
    op->pages = (op->offset + op->bytes + PAGE - 1) / PAGE;
    for (unsigned i = 0; i < POOL; i++)
        op->page[i] = i;
    for (unsigned i = 0; i < op->pages; i++) {
        unsigned k = i + random_below(POOL - i);
        uint32_t page = op->page[i];

        op->page[i] = op->page[k];
        op->page[k] = page;
    }
    op->is_read = random_below(2);
    op->is_uring = random_below(2);
    op->is_direct = random_below(4) != 0;
    op->is_readonly = !op->is_read && random_below(2);
    op->is_early = settings.is_early && op->is_direct && random_below(2);
}

static void operation_cut(struct operation *op)
{
    unsigned pieces = 1 + (random_below(2) ? random_below(PIECES) : 0);
    uint8_t *next = op->mapped + op->offset, *end = next + op->bytes;

    op->pieces = 0;
    while (next < end) {
        size_t bytes = (size_t)(end - next);

        if (op->pieces + 1 < pieces && bytes > SECTOR)
            bytes = (1 + random_below((uint32_t)(bytes / SECTOR - 1))) * SECTOR;
        op->piece[op->pieces++] = (struct iovec){ .iov_base = next, .iov_len = bytes };
        next += bytes;
    }
}

/* The pages of the request with what is to be written, and the file with what is to be read. */
static void operation_prepare(struct operation *op)
{

    for (unsigned i = 0; i < op->pages; i++)
        bytes_fill(storm.shared + op->page[i] * PAGE, PAGE);
    for (unsigned i = 0; i < op->pages; i++)
        memcpy(storm.expected + i * PAGE, storm.shared + op->page[i] * PAGE, PAGE);
    bytes_fill(storm.disk, op->bytes);
    if (pwrite(storm.direct_fd, storm.disk, op->bytes, op->at) != (ssize_t)op->bytes)
        fail(op, "the file cannot be written: %s", strerror(errno));
}

static uint8_t *pages_map(const struct operation *op)
{
    uint32_t refs[POOL];
    uint8_t *mapped;

    for (unsigned i = 0; i < op->pages; i++)
        refs[i] = storm.ref[op->page[i]];
    mapped = xengnttab_map_domain_grant_refs(storm.tab, op->pages, settings.granter, refs,
                                             op->is_readonly ? PROT_READ : PROT_READ | PROT_WRITE);
    if (!mapped)
        fail(op, "%u pages are not mapped: %s", op->pages, strerror(errno));
    return mapped;
}

static void pages_unmap(const struct operation *op, uint8_t *mapped)
{
    if (xengnttab_unmap(storm.tab, mapped, op->pages) < 0)
        fail(op, "%u pages are not unmapped: %s", op->pages, strerror(errno));
}

static void pages_munmap(const struct operation *op, unsigned first, unsigned pages)
{
    if (munmap(op->mapped + first * PAGE, pages * PAGE) < 0)
        fail(op, "munmap: %s", strerror(errno));
}

/* Under the request. */
static void operation_take_away(struct operation *op)
{
    unsigned first = random_below(op->pages), pages = 1 + random_below(op->pages - first);

    switch (random_below(4)) {
    case 0:
        first = 0;
        pages = op->pages;
        /* fall through */
    case 1:
        pages_munmap(op, first, pages);
        break;
    default:
        pages = 0;
    }
    if (pages < op->pages)
        pages_unmap(op, op->mapped);
    op->again = random_below(2) ? pages_map(op) : NULL;
}

static void submit_aio(struct operation *op, struct iocb *iocb, int fd)
{
    int ret;

    if (op->pieces == 1 && op->is_read)
        io_prep_pread(iocb, fd, op->piece[0].iov_base, op->piece[0].iov_len, op->at);
    else if (op->pieces == 1)
        io_prep_pwrite(iocb, fd, op->piece[0].iov_base, op->piece[0].iov_len, op->at);
    else if (op->is_read)
        io_prep_preadv(iocb, fd, op->piece, (int)op->pieces, op->at);
    else
        io_prep_pwritev(iocb, fd, op->piece, (int)op->pieces, op->at);
    iocb->data = op;
    ret = io_submit(storm.aio, 1, &iocb);
    if (ret != 1)
        fail(op, "io_submit returns %d", ret);
}

static long wait_aio(struct operation *op, struct iocb *iocb)
{
    struct io_event event;
    int ret;

    do /* a program that was stopped and goes on, too */
        ret = io_getevents(storm.aio, 1, 1, &event, NULL);
    while (ret == -EINTR);
    if (ret != 1)
        fail(op, "io_getevents returns %d", ret);
    if (event.obj != iocb || event.data != op)
        fail(op, "the event is of another request");
    return (long)event.res;
}

static void submit_uring(struct operation *op, int fd)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&storm.uring);
    int ret;

    if (op->pieces == 1 && op->is_read)
        io_uring_prep_read(sqe, fd, op->piece[0].iov_base, (unsigned)op->piece[0].iov_len, (uint64_t)op->at);
    else if (op->pieces == 1)
        io_uring_prep_write(sqe, fd, op->piece[0].iov_base, (unsigned)op->piece[0].iov_len, (uint64_t)op->at);
    else if (op->is_read)
        io_uring_prep_readv(sqe, fd, op->piece, op->pieces, (uint64_t)op->at);
    else
        io_uring_prep_writev(sqe, fd, op->piece, op->pieces, (uint64_t)op->at);
    io_uring_sqe_set_data(sqe, op);
    ret = io_uring_submit(&storm.uring);
    if (ret != 1)
        fail(op, "io_uring_submit returns %d", ret);
}

static long wait_uring(struct operation *op)
{
    struct io_uring_cqe *cqe;
    long result;
    int ret;

    do
        ret = io_uring_wait_cqe(&storm.uring, &cqe);
    while (ret == -EINTR);
    if (ret < 0)
        fail(op, "io_uring_wait_cqe: %s", strerror(-ret));
    if (io_uring_cqe_get_data(cqe) != op || cqe->flags)
        fail(op, "the completion is of another request, or has flags %#x", cqe->flags);
    result = cqe->res;
    io_uring_cqe_seen(&storm.uring, cqe);
    return result;
}

static size_t operation_run(struct operation *op)
{
    int fd = op->is_direct ? storm.direct_fd : storm.cached_fd;
    struct iocb iocb;
    long result;

    if (op->is_uring)
        submit_uring(op, fd);
    else
        submit_aio(op, &iocb, fd);
    if (op->is_early)
        operation_take_away(op);
    result = op->is_uring ? wait_uring(op) : wait_aio(op, &iocb);
    if (!op->is_early)
        pages_unmap(op, op->mapped);
    if (op->again)
        pages_unmap(op, op->again);
    if (result < 0 && settings.may_fail)
        return 0;
    if (result < 0)
        fail(op, "it fails with %s", strerror((int)-result));
    if (result > (long)op->bytes || result % SECTOR || result == 0)
        fail(op, "its result is %ld", result);
    return (size_t)result;
}

static void expect_equal(const struct operation *op, const uint8_t *found, const uint8_t *expected,
                         size_t bytes, const char *where, size_t offset)
{
    for (size_t i = 0; i < bytes; i++) {
        if (found[i] != expected[i])
            fail(op, "%s: byte %zu is %#x, expected %#x", where, offset + i, found[i], expected[i]);
    }
}

/* The owner looks at its pages, and at the file. */
static void operation_check(struct operation *op, size_t moved)
{
    if (op->is_read)
        memcpy(storm.expected + op->offset, storm.disk, moved);
    for (unsigned i = 0; i < op->pages; i++) {
        const uint8_t *found = storm.shared + op->page[i] * PAGE, *expected = storm.expected + i * PAGE;

        if (memcmp(found, expected, PAGE) != 0)
            expect_equal(op, found, expected, PAGE, "page", i * PAGE);
    }
    if (op->is_read)
        return;
    memcpy(storm.disk, storm.expected + op->offset, moved);
    if (pread(op->is_direct ? storm.direct_fd : storm.cached_fd, storm.expected, moved, op->at) !=
        (ssize_t)moved)
        fail(op, "the file cannot be read: %s", strerror(errno));
    if (memcmp(storm.expected, storm.disk, moved) != 0)
        expect_equal(op, storm.expected, storm.disk, moved, "file", 0);
}

static void storm_init(void)
{
    void *memory[2];

    enter(settings.granter);
    storm.shr = xengntshr_open(NULL, 0);
    storm.shared = storm.shr ? xengntshr_share_pages(storm.shr, 0, POOL, storm.ref, 1) : NULL;
    enter(0);
    storm.tab = xengnttab_open(NULL, 0);
    if (!storm.shared || !storm.tab)
        fail(NULL, "no granted pages: %s", strerror(errno));
    if (io_setup(4, &storm.aio) < 0 || io_uring_queue_init(4, &storm.uring, 0) < 0)
        fail(NULL, "no io_setup or no io_uring");
    for (int i = 0; i < 2; i++) {
        if (posix_memalign(&memory[i], PAGE, POOL * PAGE) != 0)
            fail(NULL, "no memory");
        memset(memory[i], 0, POOL * PAGE);
    }
    storm.expected = memory[0];
    storm.disk = memory[1];
    storm.cached_fd = open(settings.file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    storm.direct_fd = open(settings.file, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (storm.cached_fd < 0 || storm.direct_fd < 0 || ftruncate(storm.cached_fd, 2 * BYTES_MAX) < 0) {
        fprintf(stderr, "storm: %s: %s\n", settings.file, strerror(errno));
        exit(errno == EINVAL ? 77 : 1); /* 77: no direct I/O there */
    }
}

static void storm_fini(void)
{
    io_destroy(storm.aio);
    io_uring_queue_exit(&storm.uring);
    close(storm.direct_fd);
    close(storm.cached_fd);
    free(storm.expected);
    free(storm.disk);
    xengnttab_close(storm.tab);
    if (xengntshr_unshare(storm.shr, storm.shared, POOL) < 0)
        fail(NULL, "the pages are not taken back: %s", strerror(errno));
    xengntshr_close(storm.shr);
}

static bool settings_parse(int argc, char **argv)
{
    static const struct option options[] = {
        { "granter", required_argument, NULL, 'g' },
        { "file", required_argument, NULL, 'f' },
        { "operations", required_argument, NULL, 'n' },
        { "seed", required_argument, NULL, 's' },
        { "early", no_argument, NULL, 'e' },
        { "may-fail", no_argument, NULL, 'm' },
        { NULL, 0, NULL, 0 },
    };
    int key;

    if (getrandom(&settings.seed, sizeof(settings.seed), 0) < 0)
        return false;
    while ((key = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (key) {
        case 'g':
            settings.granter = (uint32_t)atoi(optarg);
            break;
        case 'f':
            settings.file = optarg;
            break;
        case 'n':
            settings.operations = strtoul(optarg, NULL, 10);
            break;
        case 's':
            settings.seed = strtoull(optarg, NULL, 10);
            break;
        case 'e':
            settings.is_early = true;
            break;
        case 'm':
            settings.may_fail = true;
            break;
        default:
            return false;
        }
    }
    return settings.file && optind == argc;
}

int main(int argc, char **argv)
{
    unsigned long shorts = 0, failures = 0;
    struct operation op;

    if (!settings_parse(argc, argv)) {
        fprintf(
            stderr,
            "usage: storm --granter=DOMID --file=FILE [--operations=N] [--seed=N] [--early] [--may-fail]\n");
        return 2;
    }
    random_state = settings.seed | 1;
    storm_init();
    for (unsigned long i = 0; i < settings.operations; i++) {
        size_t moved;

        op = (struct operation){ .number = i };
        operation_choose(&op);
        operation_prepare(&op);
        op.mapped = pages_map(&op);
        operation_cut(&op);
        moved = operation_run(&op);
        operation_check(&op, moved);
        shorts += moved && moved < op.bytes;
        failures += moved == 0;
    }
    printf("%lu operations, %lu short, %lu failed, seed %llu\n", settings.operations, shorts, failures,
           (unsigned long long)settings.seed);
    storm_fini();
    return 0;
}
