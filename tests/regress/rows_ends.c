// SPDX-License-Identifier: MIT
/*
 * rows_ends.c: group A of the catalogue, how mappings end: closed, forked, killed, taken apart
 * by munmap(2), with and without a notification, and what the granter does meanwhile.
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/regress/shared.h"

/* A process that maps each page, closes its handle, and stays. */
static void close_and_stay(struct shared *shared, int ready, int go_on)
{
    xengnttab_handle *tab = mapper_tab(), *other = mapper_tab();
    char byte;

    for (uint32_t i = 0; i < shared->count; i++)
        CHECK(xengnttab_map_grant_ref(tab, granter, shared->ref[i], RW), "map %u", i);
    CHECK(xengnttab_close(tab) == 0, "close");
    CHECK(write(ready, "x", 1) == 1 && read(go_on, &byte, 1) == 1, "a pipe");
    xengnttab_close(other);
    _exit(0);
}

/* A handle that is closed with a thousand mappings left: it ends, and nothing stays mapped. */
static void a21_close_with_mappings_left(void)
{
    struct shared shared = share(REFS_MAX);
    xengnttab_handle *tab = mapper_tab();
    int ready[2], go_on[2];
    char byte;

    CHECK(pipe(ready) == 0 && pipe(go_on) == 0, "pipes");
    if (fork() == 0)
        close_and_stay(&shared, ready[1], go_on[0]);
    close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 1, "the child did not map and close");
    row_check("after the close");
    check_usable(tab, &shared);
    CHECK(write(go_on[1], "x", 1) == 1 && children_succeed(1), "the child");
}

#define FAULTED 3 /* exit status of a process that could not read what it tried to */

static void end_faulted(int signal)
{
    _exit(FAULTED);
}

static void a22_a_child_has_no_alias(void)
{
    struct shared shared = share(2);
    xengnttab_handle *tab = mapper_tab();
    uint8_t *mapped = map_all(tab, &shared, RW);
    int status;
    pid_t child;

    CHECK(mapped, "map");
    child = fork();
    if (child == 0) {
        signal(SIGSEGV, end_faulted);
        signal(SIGBUS, end_faulted);
        _exit(*(volatile uint8_t *)mapped == 0 ? 1 : 2);
    }
    CHECK(waitpid(child, &status, 0) == child, "wait");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == FAULTED, "a child reads the page, status %#x", status);
    check_pages(mapped, 0, 2);
    CHECK(xengnttab_unmap(tab, mapped, 2) == 0, "unmap");
}

/* Unmapping parts of a mapping by munmap(2) alone unmaps those pages and no others. */
static void a25_part_of_a_mapping_goes(void)
{
    static const struct {
        uint32_t first, pages;
    } parts[] = { { 2, 2 }, { 0, 1 }, { 6, 1 }, { 1, 1 }, { 4, 2 }, { 7, 1 } };
    struct shared shared = share(8);
    xengnttab_handle *tab = mapper_tab();
    uint8_t *mapped = map_all(tab, &shared, RW);
    bool is_gone[8] = { false };

    CHECK(mapped, "map");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        CHECK(munmap(mapped + parts[i].first * PAGE, parts[i].pages * PAGE) == 0, "munmap");
        memset(is_gone + parts[i].first, true, parts[i].pages);
        for (uint32_t page = 0; page < 8; page++)
            CHECK(is_gone[page] || page_differs(mapped + page * PAGE, page) < 0, "page %u is wrong", page);
        row_check("after a munmap");
    }
    check_usable(tab, &shared);
}

/* A mapping in which any set of pages is gone already: the unmap takes the others, all of them. */
static void a26_an_unmap_with_holes(void)
{
    struct shared shared = share(6);
    xengnttab_handle *tab = mapper_tab();

    for (unsigned holes = 0; holes < 63; holes++) {
        uint8_t *mapped = map_all(tab, &shared, RW);

        CHECK(mapped, "map");
        for (uint32_t i = 0; i < 6; i++) {
            if (holes >> i & 1)
                CHECK(munmap(mapped + i * PAGE, PAGE) == 0, "munmap");
        }
        /* A real library finds the mapping by its first page. */
        if (holes & 1)
            CHECK(munmap(mapped, 6 * PAGE) == 0, "munmap of the rest, holes %#x", holes);
        else
            CHECK(xengnttab_unmap(tab, mapped, 6) == 0, "unmap with holes %#x: %s", holes, strerror(errno));
    }
    row_check("after all of them");
    check_usable(tab, &shared);
}

/* Whoever cannot write to a page does not get a byte of it cleared either. */
static void a27_no_byte_of_a_readonly_mapping(void)
{
    struct shared shared = share(1);
    xengnttab_handle *tab = mapper_tab();

    CHECK(!xengnttab_map_grant_ref_notify(tab, granter, shared.ref[0], PROT_READ, 0, -1),
          "a read-only mapping was armed");
    check_pages(shared.pages, 0, 1);
    check_usable(tab, &shared);
}

/* Maps with an event for the unmap, and unmaps when it is told to; fails if it sees the page after the event. */
static void map_with_event(struct shared *shared, evtchn_port_t offered, int ready, int go_on)
{
    xengnttab_handle *tab;
    xenevtchn_handle *events = mapper_events();
    int port = xenevtchn_bind_interdomain(events, granter, offered);
    struct watcher watcher;
    uint8_t *mapped;
    char byte;

    faults_set("notify:*=delay/300000");
    tab = mapper_tab();
    mapped = xengnttab_map_grant_ref_notify(tab, granter, shared->ref[0], RW, -1, port);
    CHECK(port >= 0 && mapped, "map, port %d", port);
    watch_start(&watcher, mapped);
    CHECK(write(ready, "x", 1) == 1 && read(go_on, &byte, 1) == 1, "a pipe");
    CHECK(xengnttab_unmap(tab, mapped, 1) == 0, "unmap");
    _exit(watch_end(&watcher));
}

/* The event of an unmap comes when the page is away from the mapper, and once. */
static void a28_the_event_comes_after_the_unmap(void)
{
    struct shared shared = share(1);
    xenevtchn_handle *events = granter_events();
    int offered = xenevtchn_bind_unbound_port(events, mapper), ready[2], go_on[2];
    char byte;

    CHECK(offered >= 0 && pipe(ready) == 0 && pipe(go_on) == 0, "an event channel and pipes");
    if (fork() == 0)
        map_with_event(&shared, offered, ready[1], go_on[0]);
    close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 1, "the child did not map");
    while (event_wait(events, 20) >= 0) /* that of the bind */
        ;
    CHECK(write(go_on[1], "x", 1) == 1, "a pipe");
    CHECK(event_wait(events, 5000) == offered, "no event");
    *(volatile uint64_t *)shared.pages = SECRET;
    CHECK(children_succeed(1), "the mapper still saw the page after the event");
    CHECK(event_wait(events, 50) < 0, "a second event");
}

/* A process that is killed with pages mapped: the granter gets all of them back. */
static void a33_death_returns_every_mapping(void)
{
    struct shared shared = share(64);
    xengnttab_handle *tab = mapper_tab();
    int ready[2], status;
    char byte;
    pid_t child;

    CHECK(pipe(ready) == 0, "pipe");
    child = fork();
    if (child == 0) {
        xengnttab_handle *own = mapper_tab();

        if (!map_all(own, &shared, RW) || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 1, "the child did not map");
    row_check("while mapped");
    kill(child, SIGKILL);
    CHECK(waitpid(child, &status, 0) == child, "wait");
    row_check("after the death");
    check_usable(tab, &shared);
}

/* -1 and what lies past the page mean that there is no byte. */
static void a38_no_offset_no_byte(void)
{
    static const struct {
        uint32_t offset;
        bool has_byte;
    } cases[] = {
        { (uint32_t)-1, false }, { 0, true }, { 4095, true }, { 4096, false }, { 0x80000000, false }
    };
    struct shared shared = share(1);
    xengnttab_handle *tab = mapper_tab();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t *mapped;

        memset(shared.pages, 0xff, PAGE);
        mapped = xengnttab_map_grant_ref_notify(tab, granter, shared.ref[0], RW, cases[i].offset, -1);
        CHECK(mapped, "offset %#x", cases[i].offset);
        CHECK(xengnttab_unmap(tab, mapped, 1) == 0, "unmap");
        for (uint32_t at = 0; at < PAGE; at++)
            CHECK(shared.pages[at] == (cases[i].has_byte && at == cases[i].offset ? 0 : 0xff),
                  "offset %#x: byte %u is %#x", cases[i].offset, at, shared.pages[at]);
    }
}

/* The granter takes a page back that is still mapped: it stays as it was until it is unmapped. */
static void a40_a_page_in_use_is_not_reused(void)
{
    struct shared shared = share(4);
    xengnttab_handle *tab = mapper_tab();
    uint8_t *mapped = map_all(tab, &shared, RW), *more;
    uint32_t refs[64];

    CHECK(mapped, "map");
    CHECK(pages_unshare(shared.shr, shared.pages, 4) == 0, "unshare");
    row_check("while mapped");
    more = pages_share(shared.shr, mapper, 64, refs, 1);
    CHECK(more, "share");
    memset(more, 0xee, 64 * PAGE);
    for (uint32_t i = 0; i < 64; i++) {
        for (uint32_t j = 0; j < 4; j++)
            CHECK(refs[i] != shared.ref[j], "ref %u was given out again", refs[i]);
    }
    check_pages(mapped, 0, 4);
    CHECK(xengnttab_unmap(tab, mapped, 4) == 0, "unmap");
    row_check("after the unmap");
}

const struct row rows_ends[] = {
    { "A21", "a handle closed with a thousand mappings ends them", IN_ALL, 0, a21_close_with_mappings_left },
    { "A22", "a forked child has no alias", IN_ALL, 0, a22_a_child_has_no_alias },
    { "A25", "a munmap of a part unmaps that part", IN_ALL, 0, a25_part_of_a_mapping_goes },
    { "A26", "an unmap takes what is left of a mapping with holes", IN_ALL, 0, a26_an_unmap_with_holes },
    { "A27", "a read-only mapping asks for no byte to be cleared", IN_ALL, 0,
      a27_no_byte_of_a_readonly_mapping },
    { "A28", "the event of an unmap comes when it is done, and once", IN_ALL, NEED_EVENTS,
      a28_the_event_comes_after_the_unmap },
    { "A33", "a killed process leaves no mapping", IN_ALL, 0, a33_death_returns_every_mapping },
    { "A38", "no offset means no byte", IN_ALL, 0, a38_no_offset_no_byte },
    { "A40", "a page that is still mapped is not used again", IN_ALL, NEED_GUEST,
      a40_a_page_in_use_is_not_reused },
    { 0 },
};
