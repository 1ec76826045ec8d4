// SPDX-License-Identifier: MIT
/*
 * rows_mapping.c: group A of the catalogue, what a map has to get right: each operation judged by its
 * own status, and undo that mirrors what was done.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "tests/regress/shared.h"

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

/* Memory is refused at one point of a map call after another, until there is none left: whether it was mapped. */
static bool map_without_memory(struct shared *shared, int k)
{
    xengnttab_handle *tab;
    uint8_t *mapped;

    faults_set("memory:%d=status/-12", k);
    tab = mapper_tab();
    mapped = map_all(tab, shared, RW);
    CHECK(!mapped || xengnttab_unmap(tab, mapped, shared->count) == 0, "unmap");
    row_check("after the map");
    if (!mapped)
        check_usable(tab, shared);
    xengnttab_close(tab);
    return mapped;
}

/* The undo of a map in which some pages were never mapped skips those and returns the others. */
static void a24_what_was_never_mapped_is_not_unmapped(void)
{
    struct shared shared = share(6);
    int points = 1;

    for (int k = 1; k <= 6; k++) {
        xengnttab_handle *tab;

        faults_set("map-user:%d=status/-1", k);
        tab = mapper_tab();
        CHECK(!map_all(tab, &shared, RW), "mapped although operation %d failed", k);
        row_check("after the failed map");
        check_usable(tab, &shared);
        xengnttab_close(tab);
    }
    while (!map_without_memory(&shared, points))
        CHECK(++points < 20, "no end of places where memory is refused");
    CHECK(points > 4, "memory is refused in %d places only", points - 1);
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
    { "A23", "all outcomes of two user and two kernel operations", IN_PV, NEED_FAULTS,
      a23_no_success_is_forgotten },
    { "A24", "what was never mapped is not unmapped", IN_ALL, NEED_FAULTS,
      a24_what_was_never_mapped_is_not_unmapped },
    { "A31", "a placeholder is in the right state", IN_BOTH_PV, NEED_FAULTS,
      a31_a_placeholder_is_in_the_right_state },
    { "A34", "an unmap in another form than the map changes nothing", IN_PV, NEED_FAULTS,
      a34_unmap_in_another_form_changes_nothing },
    { "A39", "\"try again\" is tried again, and given up at last", IN_ALL, NEED_FAULTS,
      a39_try_again_is_tried_again },
    { 0 },
};
