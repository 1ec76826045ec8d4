// SPDX-License-Identifier: MIT
/*
 * rows_io.c: rows of the catalogue about I/O in flight on mapped pages (group H).
 *
 * That a page is still pinned is seen by how often it can be mapped beside: a hypervisor counts a bounded number of
 * maps of one page. Engines that are slow, short or keep pages come through $XENBOX_IO, which only a box has.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/regress/regress.h"

#define MAPS_MAX 256u /* more maps of one page than a hypervisor counts */
#define SETTLE_MS 60000
#define PAGES 8u

/* The ends of a row: pages that are shared and mapped, and a file that they are written to and read from. */
static struct {
    xengntshr_handle *shr;
    xengnttab_handle *tab;
    uint32_t ref[PAGES];
    uint8_t *shared;
    io_context_t aio;
    int file; /* direct */
    uint8_t *plain; /* ordinary memory, as large as the file */
    unsigned room; /* maps that a page can have beside none */
    int64_t submitted_ms; /* when the last request was */
} io;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* So much later a request need not be under way any more: this machine has done other things meanwhile. */
static bool is_too_late(unsigned ms)
{
    return now_ms() - io.submitted_ms >= ms;
}

/* How often can the first page be mapped now? */
static unsigned maps_left(void)
{
    void *map[MAPS_MAX];
    unsigned count = 0;

    while (count < MAPS_MAX && (map[count] = xengnttab_map_grant_ref(io.tab, granter, io.ref[0], PROT_READ)))
        count++;
    for (unsigned i = 0; i < count; i++)
        CHECK(xengnttab_unmap(io.tab, map[i], 1) == 0, "map %u of %u is not unmapped", i, count);
    return count;
}

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

/* The page has no pin any more, at once or soon. */
static void expect_let_go(void)
{
    unsigned now = maps_left();

    for (unsigned ms = 0; now < io.room && ms < SETTLE_MS; ms += 50) {
        sleep_ms(50);
        now = maps_left();
    }
    CHECK(now == io.room, "it can be mapped %u times, and %u times before the I/O", now, io.room);
}

/* What holds it does so for `ms` from the last submission on. */
static void expect_held(const char *when, unsigned ms)
{
    unsigned now = maps_left();

    CHECK(now < io.room || is_too_late(ms), "%s it can be mapped %u times, as often as before the I/O", when,
          now);
}

static int file_make(void)
{
    char path[4096];
    int fd, direct;

    snprintf(path, sizeof(path), "%s/xs-regress.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    fd = mkstemp(path);
    CHECK(fd >= 0, "%s: %s", path, strerror(errno));
    direct = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    unlink(path);
    CHECK(direct >= 0, "no direct I/O on %s: %s", path, strerror(errno));
    CHECK(write(fd, io.plain, PAGES * PAGE) == PAGES * PAGE && fsync(fd) == 0, "%s: %s", path,
          strerror(errno));
    close(fd);
    return direct;
}

/* The file holds pages 100, 101, ...; the granter's pages are 1, 2, ... */
static void begin(const char *engine)
{
    if (engine)
        setenv("XENBOX_IO", engine, 1);
    else
        unsetenv("XENBOX_IO");
    io.plain = mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(io.plain != MAP_FAILED, "no memory");
    io.shr = granter_share();
    io.shared = pages_share(io.shr, mapper, PAGES, io.ref, 1);
    CHECK(io.shared, "%u pages are not shared", PAGES);
    for (unsigned i = 0; i < PAGES; i++) {
        page_fill(io.plain + i * PAGE, 100 + i);
        page_fill(io.shared + i * PAGE, 1 + i);
    }
    io.file = file_make();
    io.tab = mapper_tab();
    io.room = maps_left();
    CHECK(io_setup(16, &io.aio) == 0, "io_setup");
}

static void *map_all(void)
{
    void *mapped = xengnttab_map_domain_grant_refs(io.tab, PAGES, granter, io.ref, RW);

    CHECK(mapped, "%u pages are not mapped", PAGES);
    return mapped;
}

static void submit(struct iocb *iocb)
{
    int ret;

    io.submitted_ms = now_ms();
    ret = io_submit(io.aio, 1, &iocb);
    CHECK(ret == 1, "io_submit: %d", ret);
}

/* The next event: which request it is about, or NULL after `ms`. */
static struct iocb *event_take(unsigned ms, long *result)
{
    struct timespec timeout = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
    struct io_event event;

    int got;

    do
        got = io_getevents(io.aio, 1, 1, &event, &timeout);
    while (got == -EINTR);
    if (got != 1)
        return NULL;
    *result = (long)event.res;
    return event.obj;
}

static void expect_event(struct iocb *iocb, long expected)
{
    long result = 0;
    struct iocb *of = event_take(SETTLE_MS, &result);

    CHECK(of == iocb, "no event, or one of another request");
    CHECK(result == expected, "the result is %ld", result);
}

/* Is there nothing at the address any more? The kernel says so. */
static bool is_gone(const void *address)
{
    unsigned char there;

    return mincore((void *)address, PAGE, &there) < 0 && errno == ENOMEM;
}

static void expect_pages(unsigned first, unsigned seed, unsigned count, const char *whose,
                         const uint8_t *pages)
{
    for (unsigned i = first; i < first + count; i++) {
        int at = page_differs(pages + i * PAGE, seed + i - first);

        CHECK(at < 0, "page %u of the %s is wrong from byte %d on", i, whose, at);
    }
}

static void h01_page_with_an_extra_reference_stays(void)
{
    struct iocb iocb;
    uint8_t *mapped;

    begin("extra-ref=3s");
    mapped = map_all();
    io_prep_pwrite(&iocb, io.file, mapped, PAGES * PAGE, 0);
    submit(&iocb);
    expect_event(&iocb, PAGES * PAGE);
    CHECK(xengnttab_unmap(io.tab, mapped, PAGES) == 0, "unmap: %s", strerror(errno));
    row_check("with a reference that outlives the request");
    expect_held("with a reference that outlives the request", 3000);
    expect_let_go();
}

static void h03_unmap_does_not_wait_for_io(void)
{
    struct iocb iocb;
    uint8_t *mapped;
    long result;

    begin("delay=500ms");
    mapped = map_all();
    io_prep_pread(&iocb, io.file, mapped, PAGES * PAGE, 0);
    submit(&iocb);
    CHECK(xengnttab_unmap(io.tab, mapped, PAGES) == 0, "unmap: %s", strerror(errno));
    CHECK(!event_take(0, &result) || is_too_late(500), "the unmap has waited for the request");
    CHECK(is_gone(mapped), "the address is there after the unmap");
    expect_held("under the request", 500);
    row_check("under the request");
    expect_event(&iocb, PAGES * PAGE);
    expect_pages(0, 100, PAGES, "granter", io.shared);
    expect_let_go();

    /* Another way, and a part. */
    mapped = map_all();
    io_prep_pwrite(&iocb, io.file, mapped, PAGES * PAGE, 0);
    submit(&iocb);
    CHECK(munmap(mapped, PAGE) == 0, "munmap: %s", strerror(errno));
    CHECK(xengnttab_unmap(io.tab, mapped, PAGES) == 0, "unmap of what is left: %s", strerror(errno));
    expect_held("under the second request", 500);
    expect_event(&iocb, PAGES * PAGE);
    expect_let_go();
}

static void h04_second_unmap_finds_nothing(void)
{
    struct iocb iocb;
    uint8_t *mapped, *again;

    begin("delay=300ms");
    mapped = map_all();
    io_prep_pread(&iocb, io.file, mapped, PAGE, 0);
    submit(&iocb);
    CHECK(xengnttab_unmap(io.tab, mapped, PAGES) == 0, "unmap: %s", strerror(errno));
    CHECK(xengnttab_unmap(io.tab, mapped, PAGES) < 0 && errno == EINVAL, "the second unmap is accepted");
    again = map_all();
    expect_held("between two unmaps", 300);
    expect_event(&iocb, PAGE);
    expect_pages(0, 100, 1, "mapper", again);
    CHECK(xengnttab_unmap(io.tab, again, PAGES) == 0, "unmap: %s", strerror(errno));
    expect_let_go();
    row_check("after two unmaps");
}

static void h05_closed_under_io(void)
{
    struct iocb iocb[2];
    uint8_t *mapped, *other;

    begin("delay=300ms");
    mapped = map_all();
    other = map_all();
    io_prep_pread(&iocb[0], io.file, mapped, PAGE, 0);
    submit(&iocb[0]);
    CHECK(xengnttab_unmap(io.tab, mapped, PAGES) == 0, "unmap: %s", strerror(errno));
    io_prep_pread(&iocb[1], io.file, other, PAGE, 0);
    submit(&iocb[1]);
    xengnttab_close(io.tab);
    io.tab = mapper_tab();
    expect_held("under two requests", 300);
    expect_event(&iocb[0], PAGE);
    expect_event(&iocb[1], PAGE);
    expect_pages(0, 100, 1, "granter", io.shared);
    expect_let_go();
    row_check("after the requests");
}

static void h06_aio_on_mapped_addresses(void)
{
    struct iovec fixed = { .iov_len = PAGE };
    struct io_uring_sqe *sqe;
    struct io_uring_cqe *cqe;
    struct io_uring ring;
    struct iocb iocb;
    uint8_t *mapped;
    int ret;

    begin(NULL);
    mapped = map_all();
    io_prep_pread(&iocb, io.file, mapped + 512, PAGE, PAGE);
    submit(&iocb);
    expect_event(&iocb, PAGE);
    CHECK(memcmp(io.shared + 512, io.plain + PAGE, PAGE) == 0, "libaio has read something else");
    CHECK(io_uring_queue_init(4, &ring, 0) == 0, "no io_uring");
    fixed.iov_base = mapped;
    CHECK(io_uring_register_buffers(&ring, &fixed, 1) == -EOPNOTSUPP, "granted pages are registered");
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_write(sqe, io.file, mapped + 2 * PAGE, 2 * PAGE, 0);
    CHECK(io_uring_submit(&ring) == 1, "io_uring");
    do
        ret = io_uring_wait_cqe(&ring, &cqe);
    while (ret == -EINTR);
    CHECK(ret == 0, "io_uring: %d", ret);
    CHECK(cqe->res == 2 * (int)PAGE, "io_uring has written %d", cqe->res);
    CHECK(pread(io.file, io.plain, 2 * PAGE, 0) == 2 * PAGE, "the file is not read");
    expect_pages(0, 3, 2, "file", io.plain);
    io_uring_queue_exit(&ring);
    CHECK(xengnttab_unmap(io.tab, mapped, PAGES) == 0, "unmap: %s", strerror(errno));
    expect_let_go();
}

static void h08_held_until_the_last_request(void)
{
    struct iocb iocb[2];
    uint8_t *mapped;

    begin("delay=400ms");
    mapped = map_all();
    io_prep_pread(&iocb[0], io.file, mapped, PAGE, 0);
    submit(&iocb[0]);
    sleep_ms(200);
    io_prep_pread(&iocb[1], io.file, mapped + PAGE, PAGE, PAGE);
    submit(&iocb[1]);
    CHECK(xengnttab_unmap(io.tab, mapped, PAGES) == 0, "unmap: %s", strerror(errno));
    expect_event(&iocb[0], PAGE);
    expect_held("under the second request", 400);
    expect_event(&iocb[1], PAGE);
    expect_pages(0, 100, 2, "granter", io.shared);
    expect_let_go();
}

/*
 * A backend that closes under a storm of I/O, and one that drains first. The end of its ring, a page like the others,
 * is what tells the granter that all is over: then nothing is in use, and nothing is written any more.
 */
static void h09_closed_means_over(void)
{
    xenevtchn_handle *theirs = granter_events(), *ours = mapper_events();
    int offered = xenevtchn_bind_unbound_port(theirs, mapper), port;
    struct iocb storm[PAGES], ring_io;
    long result;

    port = xenevtchn_bind_interdomain(ours, granter, offered);
    CHECK(offered >= 0 && port >= 0, "an event channel");
    while (event_wait(theirs, 20) >= 0) /* that of the bind */
        ;
    begin("delay=300ms");
    for (int drains = 0; drains < 2; drains++) {
        uint8_t *ring = xengnttab_map_grant_ref_notify(io.tab, granter, io.ref[0], RW, -1, port);
        uint8_t *data = xengnttab_map_domain_grant_refs(io.tab, PAGES - 1, granter, io.ref + 1, RW);

        CHECK(ring && data, "map");
        for (unsigned i = 1; i < PAGES; i++) {
            io_prep_pread(&storm[i], io.file, data + (i - 1) * PAGE, PAGE, i * PAGE);
            submit(&storm[i]);
        }
        io_prep_pread(&ring_io, io.file, ring, PAGE, 0);
        submit(&ring_io);
        for (unsigned i = 0; drains && i < PAGES; i++)
            CHECK(event_take(SETTLE_MS, &result) && result == PAGE, "request %u: %ld", i, result);
        CHECK(xengnttab_unmap(io.tab, data, PAGES - 1) == 0, "unmap: %s", strerror(errno));
        CHECK(xengnttab_unmap(io.tab, ring, 1) == 0, "unmap: %s", strerror(errno));
        CHECK(event_wait(theirs, SETTLE_MS) == offered, "it is not said that it is closed");
        CHECK(grant_in_use(io.ref[0]) == 0, "the ring is in use when it is closed");
        expect_pages(0, 100, 1, "granter", io.shared);
        page_fill(io.shared, 1);
        for (unsigned i = 0; !drains && i < PAGES; i++)
            CHECK(event_take(SETTLE_MS, &result) && result == PAGE, "request %u: %ld", i, result);
        CHECK(page_differs(io.shared, 1) < 0, "the ring was written after it was closed");
        expect_pages(1, 101, PAGES - 1, "granter", io.shared);
        for (unsigned i = 1; i < PAGES; i++)
            page_fill(io.shared + i * PAGE, 1 + i);
        CHECK(event_wait(theirs, 20) < 0, "it is closed twice");
        expect_let_go();
    }
    row_check("after both");
}

/* A copy into a page of a file, which is then written back and forgotten. */
static void h12_copied_pages_are_dirty(void)
{
    xengnttab_grant_copy_segment_t segment = { .len = PAGE, .flags = GNTCOPY_source_gref };
    uint8_t *local;

    begin(NULL);
    local = mmap(NULL, PAGE, RW, MAP_SHARED, io.file, 0);
    CHECK(local != MAP_FAILED, "the file is not mapped: %s", strerror(errno));
    CHECK(page_differs(local, 100) < 0, "the file is another");
    segment.source.foreign.domid = (uint16_t)granter;
    segment.source.foreign.ref = io.ref[0];
    segment.dest.virt = local;
    CHECK(xengnttab_grant_copy(io.tab, 1, &segment) == 0 && segment.status == GNTST_okay, "the copy fails");
    munmap(local, PAGE);
    CHECK(fsync(io.file) == 0 && posix_fadvise(io.file, 0, PAGE, POSIX_FADV_DONTNEED) == 0, "fsync");
    CHECK(pread(io.file, io.plain, PAGE, 0) == PAGE, "the file is not read");
    expect_pages(0, 1, 1, "file", io.plain);
}

/* Neighbours in the address space that are no neighbours in memory, and requests that start when the map is gone. */
static void h14_neighbours_are_not_adjacent(void)
{
    uint32_t refs[PAGES];
    struct iocb iocb;
    uint8_t *mapped;

    begin("delay=50ms");
    for (unsigned i = 0; i < PAGES; i++)
        refs[i] = io.ref[i * 5 % PAGES];
    mapped = xengnttab_map_domain_grant_refs(io.tab, PAGES, granter, refs, RW);
    CHECK(mapped, "not mapped");
    io_prep_pwrite(&iocb, io.file, mapped + 1024, (PAGES - 1) * PAGE, 0);
    submit(&iocb);
    expect_event(&iocb, (PAGES - 1) * PAGE);
    CHECK(pread(io.file, io.plain, (PAGES - 1) * PAGE, 0) == (PAGES - 1) * PAGE, "the file is not read");
    CHECK(memcmp(io.plain, mapped + 1024, (PAGES - 1) * PAGE) == 0, "the file is not what the pages are");
    for (unsigned i = 0; i < PAGES; i++)
        page_fill(io.plain + i * PAGE, 100 + i);
    CHECK(pwrite(io.file, io.plain, PAGES * PAGE, 0) == PAGES * PAGE, "the file is not written");
    io_prep_pread(&iocb, io.file, mapped, PAGES * PAGE, 0);
    submit(&iocb);
    CHECK(xengnttab_unmap(io.tab, mapped, PAGES) == 0, "unmap: %s", strerror(errno));
    expect_event(&iocb, PAGES * PAGE);
    for (unsigned i = 0; i < PAGES; i++)
        expect_pages(i * 5 % PAGES, 100 + i, 1, "granter", io.shared);
    expect_let_go();
}

/* Whatever a request comes back with, it comes back once, and its pages are let go once. */
static void h15_short_and_failed_requests(void)
{
    unsigned shorts = 0, failures = 0;
    struct iocb iocb;
    uint8_t *mapped;
    long result;

    begin("delay=1ms,short=2,error=EIO/5");
    for (unsigned round = 0; round < 20; round++) {
        size_t done = 0;

        mapped = map_all();
        while (done < PAGES * PAGE) {
            io_prep_pread(&iocb, io.file, mapped + done, PAGES * PAGE - done, (long long)done);
            submit(&iocb);
            CHECK(event_take(SETTLE_MS, &result) == &iocb, "no event");
            CHECK(result == -EIO || (result > 0 && (size_t)result <= PAGES * PAGE - done),
                  "the result is %ld", result);
            failures += result < 0;
            shorts += result > 0 && (size_t)result < PAGES * PAGE - done;
            done += result > 0 ? (size_t)result : 0;
        }
        CHECK(!event_take(0, &result), "a second event");
        expect_pages(0, 100, PAGES, "granter", io.shared);
        for (unsigned i = 0; i < PAGES; i++)
            page_fill(io.shared + i * PAGE, 1 + i);
        CHECK(xengnttab_unmap(io.tab, mapped, PAGES) == 0, "unmap: %s", strerror(errno));
        CHECK(xengnttab_unmap(io.tab, mapped, PAGES) < 0, "unmapped twice");
    }
    CHECK(shorts && failures, "%u requests were short and %u failed", shorts, failures);
    expect_let_go();
}

const struct row rows_io[] = {
    { "H01", "a page is let go when its last reference is gone, though its request is over before", IN_ALL,
      NEED_FAULTS | NEED_AIO, h01_page_with_an_extra_reference_stays },
    { "H03", "an unmap under I/O returns at once, the address is gone, the pages are let go afterwards",
      IN_ALL, NEED_FAULTS | NEED_AIO, h03_unmap_does_not_wait_for_io },
    { "H04", "a second unmap under I/O finds nothing, and a new map of the pages is another one", IN_ALL,
      NEED_FAULTS | NEED_AIO, h04_second_unmap_finds_nothing },
    { "H05", "a handle that is closed under I/O lets go of its pages when that is over", IN_ALL,
      NEED_FAULTS | NEED_AIO, h05_closed_under_io },
    { "H06", "libaio and io_uring work on mapped addresses, and registered buffers are refused", IN_ALL,
      NEED_AIO, h06_aio_on_mapped_addresses },
    { "H08", "with two requests in flight the pages are held until the second one is over", IN_ALL,
      NEED_FAULTS | NEED_AIO, h08_held_until_the_last_request },
    { "H09", "a close under I/O is said when that is over: nothing is in use, nothing is written", IN_ALL,
      NEED_FAULTS | NEED_AIO | NEED_GUEST | NEED_EVENTS, h09_closed_means_over },
    { "H12", "what a grant copy puts into a page of a file gets into the file", IN_ALL, 0,
      h12_copied_pages_are_dirty },
    { "H14", "a request over scattered pages goes to each of them, also when the mapping is gone", IN_ALL,
      NEED_FAULTS | NEED_AIO, h14_neighbours_are_not_adjacent },
    { "H15", "short and failed requests come back once, and their pages are let go once", IN_ALL,
      NEED_FAULTS | NEED_AIO, h15_short_and_failed_requests },
    { 0 },
};
