// SPDX-License-Identifier: MIT
/*
 * check_aio.c: kernel I/O straight to and from mapped grants: by which calls it works, and that both sides
 * then see the same bytes. Every check drains its I/O before it unmaps: on a PV dom0, unmapping under direct
 * I/O breaks the kernel. The file that they work on comes from the command line.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/xen/src/xencheck.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 11 /* as many as a block request has */
#define SECTOR 512
#define MANY 32 /* requests at a time, as many as a ring has */

/* One vectored transfer; bytes or negative errno. */
typedef int (*transfer_fn)(int fd, const struct iovec *vectors, int count, off_t offset, bool is_write);

static int transfer_call(int fd, const struct iovec *vectors, int count, off_t offset, bool is_write)
{
    ssize_t length = is_write ? pwritev(fd, vectors, count, offset) : preadv(fd, vectors, count, offset);

    return length < 0 ? -errno : (int)length;
}

bool events_take(io_context_t context, int count, struct io_event *events)
{
    int got = 0, ret;

    do { /* a process that is stopped and goes on has EINTR, or some of them */
        ret = io_getevents(context, 1, count - got, events + got, NULL);
        got += ret > 0 ? ret : 0;
    } while (got < count && (ret > 0 || ret == -EINTR));
    return got == count;
}

static int transfer_libaio(int fd, const struct iovec *vectors, int count, off_t offset, bool is_write)
{
    io_context_t context = NULL;
    struct iocb block, *blocks[1] = { &block };
    struct io_event event = { 0 };
    int ret = io_setup(1, &context);

    if (ret < 0)
        return ret;
    if (is_write)
        io_prep_pwritev(&block, fd, vectors, count, offset);
    else
        io_prep_preadv(&block, fd, vectors, count, offset);
    ret = io_submit(context, 1, blocks);
    if (ret == 1)
        ret = events_take(context, 1, &event) ? (int)event.res : -EIO;
    io_destroy(context);
    return ret;
}

static int uring_once(int fd, const struct iovec *vectors, int count, off_t offset, bool is_write,
                      bool is_async)
{
    struct io_uring ring;
    struct io_uring_sqe *sqe;
    struct io_uring_cqe *cqe;
    int ret = io_uring_queue_init(4, &ring, 0);

    if (ret < 0)
        return ret;
    sqe = io_uring_get_sqe(&ring);
    if (is_write)
        io_uring_prep_writev(sqe, fd, vectors, count, offset);
    else
        io_uring_prep_readv(sqe, fd, vectors, count, offset);
    if (is_async)
        sqe->flags |= IOSQE_ASYNC;
    ret = io_uring_submit_and_wait(&ring, 1);
    if (ret >= 0 || ret == -EINTR) {
        do
            ret = io_uring_wait_cqe(&ring, &cqe);
        while (ret == -EINTR);
        if (!ret) {
            ret = cqe->res;
            io_uring_cqe_seen(&ring, cqe);
        }
    }
    io_uring_queue_exit(&ring);
    return ret;
}

static int transfer_uring(int fd, const struct iovec *vectors, int count, off_t offset, bool is_write)
{
    return uring_once(fd, vectors, count, offset, is_write, false);
}

static int transfer_uring_async(int fd, const struct iovec *vectors, int count, off_t offset, bool is_write)
{
    return uring_once(fd, vectors, count, offset, is_write, true);
}

/* Contents of the file that no earlier check has left. */
static void file_fill(struct check_env *env, unsigned int seed)
{
    uint8_t *bytes = aligned_alloc(PAGE, PAGES * PAGE);
    int fd = open(env->file, O_RDWR | O_CREAT, 0600);
    ssize_t length = -1;

    for (unsigned int i = 0; i < PAGES; i++)
        pattern_fill(bytes + i * PAGE, seed, i);
    if (fd >= 0)
        length = pwrite(fd, bytes, PAGES * PAGE, 0);
    if (length != PAGES * PAGE || fsync(fd))
        check_fail(env, __FILE__, __LINE__, "cannot write %s: %s", env->file, errno_name(errno));
    if (fd >= 0)
        close(fd);
    free(bytes);
}

/* Reads the file into the peer's pages, in reverse order, and writes the peer's own bytes to the file. */
static void transfer_both_ways(struct check_env *env, transfer_fn transfer, int flags)
{
    struct share share = peer_share(env, PAGES, true);
    uint8_t *pages = xengnttab_map_domain_grant_refs(env->gnttab, PAGES, env->domid, share.refs, RW);
    uint8_t *bytes = aligned_alloc(PAGE, PAGES * PAGE);
    struct iovec vectors[PAGES];
    int fd, ret;

    EXPECT(env, pages && bytes, "map: %s", errno_name(errno));
    file_fill(env, 5);
    fd = open(env->file, O_RDWR | flags);
    EXPECT(env, fd >= 0, "open %s: %s", env->file, errno_name(errno));
    for (int i = 0; i < PAGES; i++)
        vectors[i] = (struct iovec){ pages + (PAGES - 1 - i) * PAGE, PAGE };

    ret = transfer(fd, vectors, PAGES, 0, false);
    EXPECT(env, ret == PAGES * PAGE, "read: %d (%s)", ret, errno_name(ret < 0 ? -ret : 0));
    for (int i = 0; i < PAGES; i++)
        EXPECT(env, pattern_matches(pages + (PAGES - 1 - i) * PAGE, 5, i), "our view of page %d",
               PAGES - 1 - i);
    EXPECT(env, atoi(peer_ask(env, "peek %u 2 3000", share.id)) == pattern_byte(5, PAGES - 1 - 2, 3000),
           "the peer's view of page 2");
    for (int i = 0; i < PAGES; i++)
        peer_ask(env, "fill %u %d 6", share.id, i);
    ret = transfer(fd, vectors, PAGES, 0, true);
    EXPECT(env, ret == PAGES * PAGE, "write: %d (%s)", ret, errno_name(ret < 0 ? -ret : 0));
    fsync(fd);
    close(fd);
    fd = open(env->file, O_RDONLY);
    EXPECT(env, pread(fd, bytes, PAGES * PAGE, 0) == PAGES * PAGE, "cannot read the file back");
    for (int i = 0; i < PAGES; i++)
        EXPECT(env, pattern_matches(bytes + i * PAGE, 6, PAGES - 1 - i), "page %d of the file", i);
    close(fd);
    free(bytes);
    EXPECT(env, !xengnttab_unmap(env->gnttab, pages, PAGES), "unmap: %s", errno_name(errno));
}

#define TRANSFER_CHECKS(engine)                                                                              \
    static void direct_##engine(struct check_env *env)                                                       \
    {                                                                                                        \
        transfer_both_ways(env, transfer_##engine, O_DIRECT);                                                \
    }                                                                                                        \
    static void buffered_##engine(struct check_env *env)                                                     \
    {                                                                                                        \
        transfer_both_ways(env, transfer_##engine, 0);                                                       \
    }
TRANSFER_CHECKS(call)
TRANSFER_CHECKS(libaio)
TRANSFER_CHECKS(uring)
TRANSFER_CHECKS(uring_async)

static void direct_read_of_a_part_keeps_neighbours(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    uint8_t *page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW);
    struct iovec vector = { page ? page + 1024 : NULL, 512 };
    int fd, ret;

    EXPECT(env, page, "map: %s", errno_name(errno));
    file_fill(env, 5);
    fd = open(env->file, O_RDONLY | O_DIRECT);
    EXPECT(env, fd >= 0, "open: %s", errno_name(errno));
    ret = transfer_libaio(fd, &vector, 1, 512, false);
    close(fd);
    EXPECT(env, ret == 512, "read: %d", ret);
    for (unsigned int i = 0; i < PAGE; i++) {
        const bool is_read = i >= 1024 && i < 1536;

        EXPECT(env, page[i] == (is_read ? pattern_byte(5, 0, i - 512) : pattern_byte(1, 0, i)), "byte %u", i);
    }
    EXPECT(env, atoi(peer_ask(env, "peek %u 0 1024", share.id)) == pattern_byte(5, 0, 512),
           "the peer's view");
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
}

static void read_into_a_read_only_map_is_refused(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    uint8_t *page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], PROT_READ);
    struct iovec vector = { page, PAGE };
    int fd, ret;

    EXPECT(env, page, "map: %s", errno_name(errno));
    file_fill(env, 5);
    fd = open(env->file, O_RDWR | O_DIRECT);
    EXPECT(env, fd >= 0, "open: %s", errno_name(errno));
    ret = transfer_uring(fd, &vector, 1, 0, false);
    EXPECT(env, ret == -EFAULT, "read into it: %d (%s), expected EFAULT", ret,
           errno_name(ret < 0 ? -ret : 0));
    ret = transfer_uring(fd, &vector, 1, 0, true);
    EXPECT(env, ret == PAGE, "write from it: %d (%s)", ret, errno_name(ret < 0 ? -ret : 0));
    close(fd);
    EXPECT(env, pattern_matches(page, 1, 0), "the page changed");
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
}

static void registered_buffers_are_refused(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    uint8_t *page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW);
    struct iovec vector = { page, PAGE };
    struct io_uring ring;
    int ret;

    EXPECT(env, page, "map: %s", errno_name(errno));
    ret = io_uring_queue_init(4, &ring, 0);
    EXPECT(env, !ret, "io_uring: %s", errno_name(-ret));
    ret = io_uring_register_buffers(&ring, &vector, 1);
    io_uring_queue_exit(&ring);
    check_note("a mapped page as a registered buffer of io_uring: %s", errno_name(ret < 0 ? -ret : 0));
    EXPECT(env, ret == -EOPNOTSUPP, "registered: %d, expected EOPNOTSUPP", ret);
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
}

/* Many at a time, each into a part of its own page that begins on a sector, in an order that is not the file's. */
static void many_requests_at_once(struct check_env *env)
{
    struct share share = peer_share(env, MANY, true);
    uint8_t *pages = xengnttab_map_domain_grant_refs(env->gnttab, MANY, env->domid, share.refs, RW);
    struct iocb block[MANY], *blocks[MANY];
    struct io_event event[MANY];
    io_context_t context = NULL;
    int fd;

    EXPECT(env, pages && !io_setup(MANY, &context), "map: %s", errno_name(errno));
    file_fill(env, 5);
    fd = open(env->file, O_RDONLY | O_DIRECT);
    EXPECT(env, fd >= 0, "open: %s", errno_name(errno));
    for (int i = 0; i < MANY; i++) {
        const int at = i * 7 % MANY;

        io_prep_pread(&block[i], fd, pages + at * PAGE + at % 7 * SECTOR, SECTOR, at * SECTOR);
        blocks[i] = &block[i];
    }
    EXPECT(env, io_submit(context, MANY, blocks) == MANY, "submit: %s", errno_name(errno));
    EXPECT(env, events_take(context, MANY, event), "the reads do not end");
    io_destroy(context);
    close(fd);
    for (int i = 0; i < MANY; i++) {
        const unsigned int begin = i % 7 * SECTOR, sector = i * SECTOR;

        EXPECT(env, event[i].res == SECTOR, "read %d: %ld", i, (long)event[i].res);
        for (unsigned int at = 0; at < PAGE; at++) {
            const bool is_read = at >= begin && at < begin + SECTOR;
            const unsigned int from = sector + at - begin;

            EXPECT(env,
                   pages[i * PAGE + at] ==
                       (is_read ? pattern_byte(5, from / PAGE, from % PAGE) : pattern_byte(1, i, at)),
                   "page %d, byte %u", i, at);
        }
    }
    EXPECT(env, !xengnttab_unmap(env->gnttab, pages, MANY), "unmap: %s", errno_name(errno));
}

/* What is over does not hold the page: unmapping at once does no damage, which a later round would meet. */
static void unmap_right_after_completion(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    int fd;

    file_fill(env, 5);
    fd = open(env->file, O_RDONLY | O_DIRECT);
    EXPECT(env, fd >= 0, "open: %s", errno_name(errno));
    for (int round = 0; round < 200; round++) {
        uint8_t *page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW);
        struct iovec vector = { page, PAGE };
        int ret;

        EXPECT(env, page, "round %d: map: %s", round, errno_name(errno));
        ret = (round % 2 ? transfer_uring : transfer_libaio)(fd, &vector, 1, round % PAGES * PAGE, false);
        EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "round %d: unmap: %s", round, errno_name(errno));
        EXPECT(env, ret == PAGE, "round %d: read: %d", round, ret);
        EXPECT(env, !strcmp(peer_ask(env, "test %u 0 5", share.id), round % PAGES ? "0" : "1"), "round %d",
               round);
    }
    close(fd);
}

/* libaio's exit waits for its I/O, so that the mapping goes after it: all counts come back. */
static void kill_with_libaio_in_flight(struct check_env *env)
{
    struct share share = peer_share(env, PAGES, true);

    file_fill(env, 5);
    for (int round = 0; round < 20; round++) {
        int ready[2];
        char byte;
        pid_t child;

        EXPECT(env, !pipe(ready), "pipe: %s", errno_name(errno));
        child = fork();
        if (!child) {
            xengnttab_handle *gnttab = xengnttab_open(&quiet, 0);
            uint8_t *pages = xengnttab_map_domain_grant_refs(gnttab, PAGES, env->domid, share.refs, RW);
            int fd = open(env->file, O_RDWR | O_DIRECT);
            io_context_t context = NULL;
            struct iocb block[PAGES], *blocks[PAGES];

            if (!pages || fd < 0 || io_setup(PAGES, &context))
                _exit(1);
            for (int i = 0; i < PAGES; i++) {
                io_prep_pread(&block[i], fd, pages + i * PAGE, PAGE, i * PAGE);
                blocks[i] = &block[i];
            }
            if (io_submit(context, PAGES, blocks) != PAGES || write(ready[1], "", 1) != 1)
                _exit(1);
            for (;;)
                pause();
        }
        close(ready[1]);
        EXPECT(env, read(ready[0], &byte, 1) == 1, "round %d: the other process failed", round);
        close(ready[0]);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    for (int i = 0; i < PAGES; i++)
        EXPECT(env, !strcmp(peer_ask(env, "test %u %d 5", share.id, i), "1"), "page %d is not the file's", i);
    peer_unshare(env, &share);
    errno = 0;
    EXPECT(env, !xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW) && errno == EINVAL,
           "a page that was unshared can be mapped: a killed process still holds it");
}

const struct check check_aio_list[] = {
    { "aio-direct-call", direct_call },
    { "aio-direct-libaio", direct_libaio },
    { "aio-direct-uring", direct_uring },
    { "aio-direct-uring-async", direct_uring_async },
    { "aio-buffered-call", buffered_call },
    { "aio-buffered-libaio", buffered_libaio },
    { "aio-buffered-uring", buffered_uring },
    { "aio-buffered-uring-async", buffered_uring_async },
    { "aio-direct-read-of-a-part-keeps-neighbours", direct_read_of_a_part_keeps_neighbours },
    { "aio-read-into-a-read-only-map-is-refused", read_into_a_read_only_map_is_refused },
    { "aio-registered-buffers-are-refused", registered_buffers_are_refused },
    { "aio-many-requests-at-once", many_requests_at_once },
    { "aio-unmap-right-after-completion", unmap_right_after_completion },
    { "aio-kill-with-libaio-in-flight", kill_with_libaio_in_flight },
    { NULL, NULL },
};
