// SPDX-License-Identifier: MIT
/*
 * rows_mapping.c: group A of the catalogue, what map and unmap have to get right: each operation judged by its own
 * status, undo that mirrors what was done, and nothing left when a process goes.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/regress/regress.h"

#define REFS_MAX 1024u

/* Pages that the granter shares, each filled with its own pattern. */
struct shared {
    xengntshr_handle *shr;
    uint8_t *pages;
    uint32_t count;
    uint32_t ref[REFS_MAX];
};

static struct shared share(uint32_t count)
{
    struct shared shared = { .shr = granter_share(), .count = count };

    shared.pages = xengntshr_share_pages(shared.shr, mapper, count, shared.ref, 1);
    CHECK(shared.pages, "%u pages cannot be shared: %s", count, strerror(errno));
    for (uint32_t i = 0; i < count; i++)
        page_fill(shared.pages + i * PAGE, i);
    return shared;
}

static uint8_t *map_all(xengnttab_handle *tab, struct shared *shared, int prot)
{
    return xengnttab_map_domain_grant_refs(tab, shared->count, granter, shared->ref, prot);
}

static void check_pages(const uint8_t *mapped, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        CHECK(page_differs(mapped + i * PAGE, i) < 0, "page %u is wrong at byte %d", i,
              page_differs(mapped + i * PAGE, i));
}

/* Maps and unmaps once more: what failed before has left nothing that is in the way. */
static void check_usable(xengnttab_handle *tab, struct shared *shared)
{
    uint8_t *mapped = map_all(tab, shared, RW);

    CHECK(mapped, "cannot be mapped any more");
    check_pages(mapped, 0, shared->count);
    CHECK(xengnttab_unmap(tab, mapped, shared->count) == 0, "unmap: %s", strerror(errno));
    row_check("after map and unmap");
}

struct map_thread {
    xengnttab_handle *tab;
    struct shared *shared;
    uint8_t *mapped;
};

static void *map_in_thread(void *arg)
{
    struct map_thread *thread = arg;

    thread->mapped = map_all(thread->tab, thread->shared, RW);
    return NULL;
}

/* A map may be issued from any thread, also one that has never seen the kernel's area for aliases. */
static void a01_any_thread_may_map(void)
{
    struct shared shared = share(4);
    struct map_thread thread = { .tab = mapper_tab(), .shared = &shared };
    pthread_t id;

    check_usable(thread.tab, &shared);
    CHECK(pthread_create(&id, NULL, map_in_thread, &thread) == 0, "no thread");
    pthread_join(id, NULL);
    CHECK(thread.mapped, "a thread cannot map");
    check_pages(thread.mapped, 0, 4);
    CHECK(xengnttab_unmap(thread.tab, thread.mapped, 4) == 0, "unmap");
}

/* A connect of a device with two rings and an event channel, which fails at step `fail_at`; then two disconnects. */
static void connect_and_disconnect(int fail_at)
{
    struct shared tx = share(1), rx = share(1);
    xenevtchn_handle *theirs = granter_events(), *ours;
    xengnttab_handle *tab;
    uint8_t *rings[2] = { NULL, NULL };
    int offered, port = -1;

    faults_set(fail_at < 2 ? "map-user:%d=status/-1" : "seed=%d", fail_at + 1);
    tab = mapper_tab();
    faults_set(NULL);
    ours = mapper_events();
    offered = xenevtchn_bind_unbound_port(theirs, fail_at == 2 ? mapper + 1000 : mapper);
    rings[0] = map_all(tab, &tx, RW);
    CHECK(!rings[0] == (fail_at == 0), "the first ring");
    rings[1] = rings[0] ? map_all(tab, &rx, RW) : NULL;
    CHECK(!rings[1] == (fail_at <= 1), "the second ring");
    if (rings[1] && offered >= 0)
        port = xenevtchn_bind_interdomain(ours, granter, offered);
    CHECK((port < 0) == (fail_at <= 2), "the event channel: %d", port);
    for (int again = 0; again < 2; again++) {
        if (port >= 0)
            CHECK((xenevtchn_unbind(ours, port) == 0) == !again, "unbind %d", again);
        for (int i = 1; i >= 0; i--)
            CHECK((xengnttab_unmap(tab, rings[i], 1) == 0) == (rings[i] && !again), "unmap ring %d, time %d",
                  i, again);
        row_check("after a disconnect");
    }
    xengnttab_close(tab);
    xenevtchn_close(ours);
}

static void a02_disconnect_releases_what_there_was(void)
{
    for (int fail_at = 0; fail_at <= 3; fail_at++)
        connect_and_disconnect(fail_at);
}

/* Without kernel aliases there is no operation for one, whatever the index of the page. */
static void a03_no_kernel_operation_without_an_array(void)
{
    struct shared shared = share(3);
    xengnttab_handle *tab = mapper_tab();
    uint8_t *mapped = map_all(tab, &shared, RW);

    CHECK(mapped, "map");
    check_pages(mapped, 0, 3);
    row_check("while mapped");
    CHECK(xengnttab_unmap(tab, mapped, 3) == 0, "unmap");
    row_check("after the unmap");
}

static void a04_a_failed_kernel_alias_fails_the_map(void)
{
    struct shared shared = share(4);
    xengnttab_handle *tab;

    for (int k = 1; k <= 4; k++) {
        faults_set("map-kernel:%d=status/-1", k);
        tab = mapper_tab();
        CHECK(!map_all(tab, &shared, RW), "mapped although kernel alias %d failed", k);
        row_check("after the failed map");
        check_usable(tab, &shared);
        xengnttab_close(tab);
    }
}

/* What a kernel wants to keep it does not keep in the output fields of an operation. */
static void a06_output_fields_are_the_hypervisors(void)
{
    struct shared shared = share(3);
    xengnttab_handle *tab;

    faults_set("map-user:*=scribble;map-kernel:*=scribble;unmap-user:*=scribble;unmap-kernel:*=scribble");
    tab = mapper_tab();
    for (int round = 0; round < 3; round++)
        check_usable(tab, &shared);
}

/* An unmap that comes at once finds the kernel alias mapped, or cancels it: none appears afterwards. */
static void a07_no_alias_comes_after_its_unmap(void)
{
    struct shared shared = share(3);
    xengnttab_handle *tab = mapper_tab();

    for (int round = 0; round < 3; round++) {
        uint8_t *mapped = map_all(tab, &shared, RW);

        CHECK(mapped, "map");
        row_check("while mapped");
        CHECK(xengnttab_unmap(tab, mapped, 3) == 0, "unmap");
        row_check("after the unmap");
    }
}

/* Two mappings of one page of our own: the page counts as shared until the second is gone. */
static void a09_the_mark_goes_with_the_last_mapping(void)
{
    struct shared shared;
    xengnttab_handle *tab;
    uint8_t *first, *second;

    granter = mapper;
    shared = share(1);
    tab = mapper_tab();
    first = map_all(tab, &shared, RW);
    second = map_all(tab, &shared, RW);
    CHECK(first && second, "map");
    row_check("with both");
    CHECK(xengnttab_unmap(tab, first, 1) == 0, "unmap");
    row_check("with one of them");
    check_pages(second, 0, 1);
    CHECK(xengnttab_unmap(tab, second, 1) == 0, "unmap");
    row_check("without");
    check_pages(shared.pages, 0, 1);
}

static void a11_a_frame_out_of_range_is_refused(void)
{
    static const uint32_t frames[] = { 0xffffffff, 1u << 22, (1u << 22) + 1, 0 };
    struct shared shared = share(1);

    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        xengnttab_handle *tab;

        faults_set("entry:1=frame/%u", frames[i]);
        tab = mapper_tab();
        CHECK(!map_all(tab, &shared, RW), "frame %u was mapped", frames[i]);
        check_usable(tab, &shared);
        xengnttab_close(tab);
    }
}

/* Whoever reads the kernel's memory while pages are mapped and unmapped finds it there. */
static void a14_a_kernel_alias_is_never_empty(void)
{
    struct shared shared = share(8);
    xengnttab_handle *tab;

    faults_set("reader");
    tab = mapper_tab();
    for (int round = 0; round < 3000; round++) {
        uint8_t *mapped = map_all(tab, &shared, RW);

        CHECK(mapped, "map, round %d", round);
        CHECK(xengnttab_unmap(tab, mapped, 8) == 0, "unmap, round %d", round);
    }
    row_check("at the end");
    xengnttab_close(tab);
}

/* An operation's arguments may change after it was done: what is undone is what was done. */
static void a15_unmap_knows_what_was_mapped(void)
{
    struct shared shared = share(4);
    xengnttab_handle *tab;

    faults_set("args:*=scribble");
    tab = mapper_tab();
    for (int round = 0; round < 3; round++)
        check_usable(tab, &shared);
}

/* Any set of operations of a batch may fail: the map fails, and nothing of it stays. */
static void a18_each_status_of_a_batch_counts(void)
{
    struct shared shared = share(4);

    for (unsigned mask = 1; mask < 16; mask++) {
        char plan[256] = "";
        xengnttab_handle *tab;

        for (int i = 0; i < 4; i++) {
            if (mask >> i & 1)
                sprintf(plan + strlen(plan), "map-user:%d=status/-1;", i + 1);
        }
        faults_set("%s", plan);
        tab = mapper_tab();
        CHECK(!map_all(tab, &shared, RW), "mapped although operations failed");
        row_check("after the failed map");
        check_usable(tab, &shared);
        xengnttab_close(tab);
    }
}

static void a19_a_failed_p2m_update_fails_the_map(void)
{
    struct shared shared = share(4);

    for (int k = 1; k <= 4; k++) {
        xengnttab_handle *tab;

        faults_set("p2m:%d=status/-12", k);
        tab = mapper_tab();
        CHECK(!map_all(tab, &shared, RW), "mapped although the p2m was not updated");
        row_check("after the failed map");
        check_usable(tab, &shared);
        xengnttab_close(tab);
    }
}

static void a20_a_placeholder_has_no_frame_of_its_own(void)
{
    struct shared shared = share(4);
    xengnttab_handle *tab;

    faults_set("pool:2=owned;pool:5=owned");
    tab = mapper_tab();
    for (int round = 0; round < 3; round++)
        check_usable(tab, &shared);
}

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
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        _exit(*(volatile uint8_t *)mapped == 0 ? 1 : 2);
    }
    CHECK(waitpid(child, &status, 0) == child, "wait");
    CHECK(WIFSIGNALED(status), "a child reads the page, status %#x", status);
    check_pages(mapped, 0, 2);
    CHECK(xengnttab_unmap(tab, mapped, 2) == 0, "unmap");
}

/* Two pages, each with a user and a kernel operation: all sixteen outcomes. */
static void a23_no_success_is_forgotten(void)
{
    struct shared shared = share(2);

    for (unsigned mask = 0; mask < 16; mask++) {
        char plan[256] = "seed=0;";
        xengnttab_handle *tab;
        uint8_t *mapped;

        for (int i = 0; i < 4; i++) {
            if (mask >> i & 1)
                sprintf(plan + strlen(plan), "map-%s:%d=status/-1;", i < 2 ? "user" : "kernel", i % 2 + 1);
        }
        faults_set("%s", plan);
        tab = mapper_tab();
        mapped = map_all(tab, &shared, RW);
        CHECK(!mapped == (mask != 0), "outcome %#x", mask);
        row_check("after the map");
        CHECK(!mapped || xengnttab_unmap(tab, mapped, 2) == 0, "unmap");
        row_check("after the unmap");
        xengnttab_close(tab);
    }
}

/* The undo of a map in which some pages were never mapped skips those and returns the others. */
static void a24_what_was_never_mapped_is_not_unmapped(void)
{
    struct shared shared = share(6);

    for (int k = 1; k <= 6; k++) {
        xengnttab_handle *tab;

        faults_set("map-user:%d=status/-1", k);
        tab = mapper_tab();
        CHECK(!map_all(tab, &shared, RW), "mapped although operation %d failed", k);
        row_check("after the failed map");
        check_usable(tab, &shared);
        xengnttab_close(tab);
    }
}

/* Unmap of a page whose operation gave another form of address than the map did: refused, and nothing changes. */
static void a34_unmap_in_another_form_changes_nothing(void)
{
    struct shared shared = share(2);
    xengnttab_handle *tab;
    uint8_t *mapped;

    faults_set("unmap-user:1=form;unmap-kernel:1=form");
    tab = mapper_tab();
    mapped = map_all(tab, &shared, RW);
    CHECK(mapped, "map");
    xengnttab_unmap(tab, mapped, 2);
    row_check("after the unmap");
    check_usable(tab, &shared);
}

static void a31_a_placeholder_is_in_the_right_state(void)
{
    struct shared shared = share(4);
    xengnttab_handle *tab;
    uint8_t *mapped;

    faults_set("pool:1-2=offline");
    tab = mapper_tab();
    mapped = map_all(tab, &shared, RW);
    CHECK(mapped, "map");
    row_check("while mapped");
    check_pages(mapped, 0, 4);
    CHECK(xengnttab_unmap(tab, mapped, 4) == 0, "unmap");
    row_check("after the unmap");
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

static void a35_addresses_are_64_bits_wide(void)
{
    struct shared shared = share(3);
    xengnttab_handle *tab = mapper_tab();

    check_usable(tab, &shared);
}

/* Neighbours of an unmapped page stay. */
static void a36_unmap_counts_in_grants(void)
{
    struct shared shared = share(32);
    xengnttab_handle *tab = mapper_tab();
    uint8_t *page[32];

    for (uint32_t i = 0; i < 32; i++)
        CHECK((page[i] = xengnttab_map_grant_ref(tab, granter, shared.ref[i], RW)), "map %u", i);
    for (uint32_t i = 0; i < 32; i += 2)
        CHECK(xengnttab_unmap(tab, page[i], 1) == 0, "unmap %u", i);
    for (uint32_t i = 1; i < 32; i += 2) {
        CHECK(page_differs(page[i], i) < 0, "page %u", i);
        CHECK(xengnttab_unmap(tab, page[i], 1) == 0, "unmap %u", i);
    }
}

static void a37_every_ref_of_a_call_arrives(void)
{
    static const uint32_t counts[] = { 1, 2, 300 };
    struct shared shared = share(300);
    xengnttab_handle *tab = mapper_tab();
    uint32_t domids[300];

    for (uint32_t i = 0; i < 300; i++)
        domids[i] = granter;
    for (size_t i = 0; i < 3; i++) {
        uint8_t *one = xengnttab_map_domain_grant_refs(tab, counts[i], granter, shared.ref, RW);
        uint8_t *many = xengnttab_map_grant_refs(tab, counts[i], domids, shared.ref, RW);

        CHECK(one && many, "map %u", counts[i]);
        check_pages(one, 0, counts[i]);
        check_pages(many, 0, counts[i]);
        CHECK(xengnttab_unmap(tab, one, counts[i]) == 0 && xengnttab_unmap(tab, many, counts[i]) == 0,
              "unmap");
    }
}

static void a39_try_again_is_tried_again(void)
{
    struct shared shared = share(2);
    xengnttab_handle *tab;

    faults_set("map-user:1-3=again");
    tab = mapper_tab();
    check_usable(tab, &shared);
    xengnttab_close(tab);
    faults_set("map-user:2-1000000=again");
    tab = mapper_tab();
    CHECK(!map_all(tab, &shared, RW), "mapped although it never could be");
    row_check("after it was given up");
}

/* The granter takes a page back that is still mapped: it stays as it was until it is unmapped. */
static void a40_a_page_in_use_is_not_reused(void)
{
    struct shared shared = share(4);
    xengnttab_handle *tab = mapper_tab();
    uint8_t *mapped = map_all(tab, &shared, RW), *more;
    uint32_t refs[64];

    CHECK(mapped, "map");
    CHECK(xengntshr_unshare(shared.shr, shared.pages, 4) == 0, "unshare");
    row_check("while mapped");
    more = xengntshr_share_pages(shared.shr, mapper, 64, refs, 1);
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

static sigjmp_buf no_page;

static void page_is_away(int signal)
{
    siglongjmp(no_page, 1);
}

/* Ends when the page is away. Whether it has had that byte before. */
static void *watch_page(void *arg)
{
    volatile uint8_t *page = arg;
    static volatile bool has_seen;

    signal(SIGSEGV, page_is_away);
    if (sigsetjmp(no_page, 1) == 0) {
        for (;;)
            has_seen |= page[0] == 'x';
    }
    return has_seen ? arg : NULL;
}

/* Maps with an event for the unmap, and unmaps when it is told to; fails if it sees the page after the event. */
static void map_with_event(struct shared *shared, evtchn_port_t offered, int ready, int go_on)
{
    xengnttab_handle *tab;
    xenevtchn_handle *events = mapper_events();
    int port = xenevtchn_bind_interdomain(events, granter, offered);
    uint8_t *mapped;
    pthread_t watcher;
    void *seen;
    char byte;

    faults_set("notify:*=delay/300000");
    tab = mapper_tab();
    mapped = xengnttab_map_grant_ref_notify(tab, granter, shared->ref[0], RW, -1, port);
    CHECK(port >= 0 && mapped, "map, port %d", port);
    CHECK(pthread_create(&watcher, NULL, watch_page, mapped) == 0, "no thread");
    CHECK(write(ready, "x", 1) == 1 && read(go_on, &byte, 1) == 1, "a pipe");
    CHECK(xengnttab_unmap(tab, mapped, 1) == 0, "unmap");
    pthread_join(watcher, &seen);
    _exit(seen != NULL);
}

/* The event of an unmap comes when the page is away from the mapper, and once. */
static void a28_the_event_comes_after_the_unmap(void)
{
    struct shared shared = share(1);
    xenevtchn_handle *events = granter_events();
    int offered = xenevtchn_bind_unbound_port(events, mapper), ready[2], go_on[2];
    char byte;

    CHECK(offered >= 0 && pipe(ready) == 0 && pipe(go_on) == 0, "an event channel and pipes");
    shared.pages[0] = 0;
    if (fork() == 0)
        map_with_event(&shared, offered, ready[1], go_on[0]);
    close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 1, "the child did not map");
    while (event_wait(events, 20) >= 0) /* that of the bind */
        ;
    CHECK(write(go_on[1], "x", 1) == 1, "a pipe");
    CHECK(event_wait(events, 5000) == offered, "no event");
    shared.pages[0] = 'x';
    CHECK(children_succeed(1), "the mapper still saw the page after the event");
    CHECK(event_wait(events, 50) < 0, "a second event");
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

/* What a copy names of a granted page lies in that page, and one end at least is granted. */
static void a41_a_copy_stays_in_its_page(void)
{
    static const struct {
        uint16_t offset, length;
        bool is_good;
    } cases[] = {
        { 4000, 200, false }, { 4000, 96, true }, { 0, 4096, true }, { 1, 4096, false }, { 4095, 1, true }
    };
    struct shared shared = share(2);
    xengnttab_handle *tab = mapper_tab();
    static uint8_t local[2 * PAGE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int is_into = 0; is_into < 2; is_into++) {
            xengnttab_grant_copy_segment_t segment = { .len = cases[i].length };

            segment.flags = is_into ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
            *(is_into ? &segment.source.virt : &segment.dest.virt) = local;
            if (is_into) {
                segment.dest.foreign.ref = shared.ref[0];
                segment.dest.foreign.domid = granter;
                segment.dest.foreign.offset = cases[i].offset;
            } else {
                segment.source.foreign.ref = shared.ref[0];
                segment.source.foreign.domid = granter;
                segment.source.foreign.offset = cases[i].offset;
            }
            CHECK((xengnttab_grant_copy(tab, 1, &segment) == 0 && segment.status == GNTST_okay) ==
                      cases[i].is_good,
                  "offset %u, %u bytes: status %d", cases[i].offset, cases[i].length, segment.status);
        }
    }
    CHECK(page_differs(shared.pages + PAGE, 1) < 0, "the page behind was written");
}

const struct row rows_mapping[] = {
    { "A01", "any thread may map", IN_BOTH_PV, 0, a01_any_thread_may_map },
    { "A02", "a disconnect releases exactly what the connect had got", IN_ALL, NEED_FAULTS,
      a02_disconnect_releases_what_there_was },
    { "A03", "no kernel operation where there are no kernel aliases", IN_AUTO, 0,
      a03_no_kernel_operation_without_an_array },
    { "A04", "a kernel alias that failed fails the map", IN_PV, NEED_FAULTS,
      a04_a_failed_kernel_alias_fails_the_map },
    { "A06", "private state is not kept in output fields", IN_BOTH_PV, NEED_FAULTS,
      a06_output_fields_are_the_hypervisors },
    { "A07", "no alias comes into being after its unmap", IN_PV, 0, a07_no_alias_comes_after_its_unmap },
    { "A09", "a page of our own counts as shared until its last mapping is gone", IN_PV, 0,
      a09_the_mark_goes_with_the_last_mapping },
    { "A11", "a frame number out of range is refused", IN_ALL, NEED_FAULTS,
      a11_a_frame_out_of_range_is_refused },
    { "A14", "a kernel alias is never empty", IN_PV, NEED_FAULTS, a14_a_kernel_alias_is_never_empty },
    { "A15", "unmap undoes what was mapped, whatever became of the arguments", IN_PV, NEED_FAULTS,
      a15_unmap_knows_what_was_mapped },
    { "A18", "each status of a batch counts", IN_ALL, NEED_FAULTS, a18_each_status_of_a_batch_counts },
    { "A19", "a p2m update that failed fails the map", IN_BOTH_PV, NEED_FAULTS,
      a19_a_failed_p2m_update_fails_the_map },
    { "A20", "a page that has a frame is no placeholder", IN_BOTH_PV, NEED_FAULTS,
      a20_a_placeholder_has_no_frame_of_its_own },
    { "A21", "a handle closed with a thousand mappings ends them", IN_ALL, 0, a21_close_with_mappings_left },
    { "A22", "a forked child has no alias", IN_ALL, 0, a22_a_child_has_no_alias },
    { "A23", "all outcomes of two user and two kernel operations", IN_PV, NEED_FAULTS,
      a23_no_success_is_forgotten },
    { "A24", "what was never mapped is not unmapped", IN_ALL, NEED_FAULTS,
      a24_what_was_never_mapped_is_not_unmapped },
    { "A25", "a munmap of a part unmaps that part", IN_ALL, 0, a25_part_of_a_mapping_goes },
    { "A26", "an unmap takes what is left of a mapping with holes", IN_ALL, 0, a26_an_unmap_with_holes },
    { "A27", "a read-only mapping asks for no byte to be cleared", IN_ALL, 0,
      a27_no_byte_of_a_readonly_mapping },
    { "A28", "the event of an unmap comes when it is done, and once", IN_ALL, 0,
      a28_the_event_comes_after_the_unmap },
    { "A31", "a placeholder is in the right state", IN_BOTH_PV, NEED_FAULTS,
      a31_a_placeholder_is_in_the_right_state },
    { "A33", "a killed process leaves no mapping", IN_ALL, 0, a33_death_returns_every_mapping },
    { "A34", "an unmap in another form than the map changes nothing", IN_PV, NEED_FAULTS,
      a34_unmap_in_another_form_changes_nothing },
    { "A35", "addresses are 64 bits wide", IN_ALL, 0, a35_addresses_are_64_bits_wide },
    { "A36", "an unmap takes as many grants as it says", IN_ALL, 0, a36_unmap_counts_in_grants },
    { "A37", "every ref of a call arrives", IN_ALL, 0, a37_every_ref_of_a_call_arrives },
    { "A38", "no offset means no byte", IN_ALL, 0, a38_no_offset_no_byte },
    { "A39", "\"try again\" is tried again, and given up at last", IN_ALL, NEED_FAULTS,
      a39_try_again_is_tried_again },
    { "A40", "a page that is still mapped is not used again", IN_ALL, NEED_GUEST,
      a40_a_page_in_use_is_not_reused },
    { "A41", "a copy stays in its page", IN_ALL, 0, a41_a_copy_stays_in_its_page },
    { 0 },
};
