// SPDX-License-Identifier: MIT
/*
 * rows_views.c: rows of the catalogue that only I/O on a mapped page shows. A page that a program has mapped is pinned
 * when it submits I/O on it; from then on the data goes by the kernel alias of the page, or by the p2m when a device
 * fetches it, and both have to lead to the frame that the granter shared.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/regress/regress.h"

#define PAGES 4u
#define OTHER 1000u /* seeds of patterns that come from the file */

/* In a box: whether I/O is a CPU's or a device's. A real kernel does not look. */
static const char *const engines[] = { "cpu", "dma" };

struct ends {
    xengntshr_handle *shr;
    xengnttab_handle *tab;
    uint8_t *pages; /* the granter's */
    uint8_t *mapped; /* the mapper's */
    uint32_t ref[PAGES];
    int file;
};

static int file_open(void)
{
    const char *dir = getenv("TMPDIR");
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/regress.XXXXXX", dir ? dir : "/tmp");
    fd = mkstemp(path);
    CHECK(fd >= 0, "%s: %s", path, strerror(errno));
    unlink(path);
    /* Where the file system can, past the page cache. */
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_DIRECT);
    return fd;
}

static void ends_open(struct ends *ends, const char *engine)
{
    setenv("XENBOX_IO", engine, 1);
    ends->shr = granter_share();
    ends->tab = mapper_tab();
    ends->file = file_open();
    ends->pages = pages_share(ends->shr, mapper, PAGES, ends->ref, 1);
    CHECK(ends->pages, "share");
    for (uint32_t i = 0; i < PAGES; i++)
        page_fill(ends->pages + i * PAGE, i);
    ends->mapped = xengnttab_map_domain_grant_refs(ends->tab, PAGES, granter, ends->ref, RW);
    CHECK(ends->mapped, "map");
}

static void ends_close(struct ends *ends)
{
    row_check("while mapped");
    CHECK(xengnttab_unmap(ends->tab, ends->mapped, PAGES) == 0, "unmap");
    row_check("after the unmap");
    xengnttab_close(ends->tab);
    xengntshr_close(ends->shr);
    close(ends->file);
}

/* Requests at once; the result of the worst, or bytes of each. */
static long transfer_many(int fd, bool is_write, uint8_t *const *pages, unsigned count, size_t bytes,
                          off_t offset)
{
    io_context_t context = NULL;
    struct iocb iocbs[8], *list[8];
    struct io_event events[8];
    long worst = (long)bytes;
    int done;

    CHECK(io_setup(8, &context) == 0, "io_setup");
    for (unsigned i = 0; i < count; i++) {
        list[i] = &iocbs[i];
        if (is_write)
            io_prep_pwrite(&iocbs[i], fd, pages[i], bytes, offset + (off_t)(i * bytes));
        else
            io_prep_pread(&iocbs[i], fd, pages[i], bytes, offset + (off_t)(i * bytes));
    }
    done = io_submit(context, count, list);
    if (done != (int)count)
        worst = done < 0 ? done : -EAGAIN;
    for (int i = 0, got; i < done; i += got) {
        do
            got = io_getevents(context, 1, 8, events, NULL);
        while (got == -EINTR);
        CHECK(got > 0, "io_getevents: %d", got);
        for (int e = 0; e < got; e++)
            worst = (long)events[e].res < worst ? (long)events[e].res : worst;
    }
    io_destroy(context);
    return worst;
}

static long transfer(int fd, bool is_write, uint8_t *page, size_t bytes, off_t offset)
{
    return transfer_many(fd, is_write, &page, 1, bytes, offset);
}

static uint8_t *own_page(void)
{
    uint8_t *page = aligned_alloc(PAGE, PAGE);

    CHECK(page, "no memory");
    return page;
}

/* Data of the file into the guest's pages, and of those into the file, which is read by ordinary means. */
static void check_both_directions(struct ends *ends, uint8_t *mapped)
{
    uint8_t *own = own_page();

    for (uint32_t i = 0; i < PAGES; i++) {
        page_fill(own, OTHER + i);
        CHECK(pwrite(ends->file, own, PAGE, i * PAGE) == PAGE, "pwrite");
    }
    CHECK(transfer(ends->file, false, mapped, PAGES * PAGE, 0) == PAGES * PAGE, "read: %s", strerror(errno));
    row_check("after a read into the pages");
    for (uint32_t i = 0; i < PAGES; i++) {
        CHECK(page_differs(ends->pages + i * PAGE, OTHER + i) < 0,
              "the granter's page %u is wrong at byte %d", i,
              page_differs(ends->pages + i * PAGE, OTHER + i));
        page_fill(ends->pages + i * PAGE, i);
    }
    CHECK(transfer(ends->file, true, mapped, PAGES * PAGE, 0) == PAGES * PAGE, "write: %s", strerror(errno));
    for (uint32_t i = 0; i < PAGES; i++) {
        CHECK(pread(ends->file, own, PAGE, i * PAGE) == PAGE, "pread");
        CHECK(page_differs(own, i) < 0, "what was written of page %u is wrong at byte %d", i,
              page_differs(own, i));
    }
    free(own);
}

/* Every engine has the guest's data, whichever view of the page it uses. */
static void every_engine_is_right(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct ends ends;

        ends_open(&ends, engines[i]);
        check_both_directions(&ends, ends.mapped);
        ends_close(&ends);
    }
}

/* Two kernel aliases of one page at a time: each is returned. */
static void a05_each_temporary_alias_is_returned(void)
{
    struct ends ends;
    uint8_t *twice[2];

    ends_open(&ends, "cpu");
    twice[0] = twice[1] = ends.mapped;
    for (int round = 0; round < 4; round++)
        CHECK(transfer_many(ends.file, true, twice, 2, PAGE, 0) == PAGE, "write");
    ends_close(&ends);
}

/* A domain that maps what itself has granted: I/O finds the mapping, not the page that was granted. */
static void a08_io_on_a_grant_to_oneself(void)
{
    granter = mapper;
    every_engine_is_right();
}

struct slow_read {
    int file;
    uint8_t *page;
    long result;
};

static void *read_slowly(void *arg)
{
    struct slow_read *request = arg;

    request->result = transfer(request->file, false, request->page, PAGE, 0);
    return NULL;
}

/* One frame mapped twice: I/O on one mapping has nothing to do with the other, which may go meanwhile. */
static void a10_io_pins_the_page_at_its_address(void)
{
    struct ends ends;
    struct slow_read request;
    uint8_t *own = own_page(), *second, *third;
    pthread_t thread;

    ends_open(&ends, "cpu,delay=300ms");
    second = xengnttab_map_domain_grant_refs(ends.tab, PAGES, granter, ends.ref, RW);
    third = xengnttab_map_domain_grant_refs(ends.tab, PAGES, granter, ends.ref, RW);
    CHECK(second && third, "map");
    page_fill(own, OTHER);
    CHECK(pwrite(ends.file, own, PAGE, 0) == PAGE, "pwrite");
    request = (struct slow_read){ .file = ends.file, .page = second };
    CHECK(pthread_create(&thread, NULL, read_slowly, &request) == 0, "no thread");
    /* Until it is under way: nothing shows that, and if it is not yet there the row proves less, not more. */
    usleep(100 * 1000);
    CHECK(xengnttab_unmap(ends.tab, third, PAGES) == 0, "unmap");
    pthread_join(thread, NULL);
    CHECK(request.result == PAGE, "read: %ld", request.result);
    CHECK(page_differs(ends.pages, OTHER) < 0, "the granter's page is wrong at byte %d",
          page_differs(ends.pages, OTHER));
    CHECK(xengnttab_unmap(ends.tab, second, PAGES) == 0, "unmap");
    ends_close(&ends);
    free(own);
}

struct impatient {
    _Atomic(uint8_t *) address;
    _Atomic bool ends;
    int file;
    _Atomic int wrong; /* byte of the page; -1: none */
};

/* Writes from an address as long as it is told to, whether something is mapped there or not. */
static void *write_impatiently(void *arg)
{
    struct impatient *impatient = arg;
    uint8_t *own = own_page(), *address;

    while (!atomic_load(&impatient->ends)) {
        address = atomic_load(&impatient->address);
        if (!address || transfer(impatient->file, true, address, PAGE, 0) != PAGE)
            continue;
        if (pread(impatient->file, own, PAGE, 0) == PAGE && page_differs(own, 0) >= 0)
            atomic_store(&impatient->wrong, page_differs(own, 0));
    }
    free(own);
    return NULL;
}

/* Who submits I/O the moment that a mapping becomes visible gets its data, or an error. */
static void a16_a_visible_mapping_is_complete(void)
{
    struct impatient impatient = { .wrong = -1 };
    struct ends ends;
    pthread_t thread;
    uint8_t *before;

    faults_set("show:*=delay/20000");
    ends_open(&ends, "cpu");
    impatient.file = file_open();
    CHECK(pthread_create(&thread, NULL, write_impatiently, &impatient) == 0, "no thread");
    for (int round = 0; round < 10; round++) {
        before = ends.mapped;
        CHECK(xengnttab_unmap(ends.tab, ends.mapped, PAGES) == 0, "unmap");
        /* It will most often be mapped where it was. */
        atomic_store(&impatient.address, before);
        ends.mapped = xengnttab_map_domain_grant_refs(ends.tab, PAGES, granter, ends.ref, RW);
        CHECK(ends.mapped, "map");
        atomic_store(&impatient.address, NULL);
    }
    atomic_store(&impatient.ends, true);
    pthread_join(thread, NULL);
    CHECK(atomic_load(&impatient.wrong) < 0, "what was written is wrong at byte %d",
          atomic_load(&impatient.wrong));
    close(impatient.file);
    ends_close(&ends);
}

/* A mapping that only the kernel uses (a copy) beside one that a program does I/O on. */
static void a17_copies_and_io_side_by_side(void)
{
    xengnttab_grant_copy_segment_t segment = { .len = PAGE, .flags = GNTCOPY_source_gref };
    struct ends ends;
    uint8_t *own = own_page();

    ends_open(&ends, "cpu");
    segment.source.foreign.domid = granter;
    segment.source.foreign.ref = ends.ref[1];
    segment.dest.virt = own;
    CHECK(xengnttab_grant_copy(ends.tab, 1, &segment) == 0 && segment.status == GNTST_okay, "copy");
    CHECK(page_differs(own, 1) < 0, "the copy is wrong");
    check_both_directions(&ends, ends.mapped);
    ends_close(&ends);
    free(own);
}

const struct row rows_views[] = {
    { "A05", "each temporary kernel alias is returned", IN_PV32, NEED_AIO,
      a05_each_temporary_alias_is_returned },
    { "A08", "I/O on a grant to oneself ends", IN_BOTH_PV, NEED_AIO, a08_io_on_a_grant_to_oneself, 8 },
    { "A10", "I/O pins the page at its address", IN_ALL, NEED_AIO, a10_io_pins_the_page_at_its_address },
    { "A12", "what the m2p says of a foreign frame is not believed", IN_ALL, NEED_AIO | NEED_GUEST,
      every_engine_is_right },
    { "A13", "a device and a CPU see the granter's frame", IN_ALL, NEED_AIO, every_engine_is_right },
    { "A16", "a mapping that is visible is complete", IN_ALL, NEED_AIO | NEED_FAULTS,
      a16_a_visible_mapping_is_complete },
    { "A17", "pages with a user alias have an override", IN_ALL, NEED_AIO, a17_copies_and_io_side_by_side },
    { "H07", "asynchronous I/O reaches the granter's frame by every path", IN_ALL, NEED_AIO,
      every_engine_is_right },
    { 0 },
};
