// SPDX-License-Identifier: MIT
/*
 * rows_pins.c: group B of the catalogue, how the pins of a grant entry are counted. The catalogue has device mappings
 * beside host mappings; gntdev makes only the latter, but read-only and writable ones are two kinds of pins as well:
 * the in-use bits are a function of all of them, and what an unmap drops is what it has taken away.
 */
#include <config.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/regress/regress.h"

#define BATCH 4

struct mixed {
    xengntshr_handle *shr;
    xengnttab_handle *tab;
    uint8_t *page;
    uint32_t ref;
};

static struct mixed mixed_open(int is_writable)
{
    struct mixed mixed = { .shr = granter_share() };

    mixed.page = pages_share(mixed.shr, mapper, 1, &mixed.ref, is_writable);
    CHECK(mixed.page, "nothing is shared");
    page_fill(mixed.page, 8);
    mixed.tab = mapper_tab();
    return mixed;
}

static void *mixed_map(const struct mixed *mixed, int prot)
{
    void *mapped = xengnttab_map_grant_ref(mixed->tab, granter, mixed->ref, prot);

    CHECK(mapped, "it cannot be mapped, access %d", prot);
    return mapped;
}

static void check_in_use(const struct mixed *mixed, unsigned wanted, const char *when)
{
    unsigned in_use = grant_in_use(mixed->ref);

    CHECK(in_use == wanted, "%s: the bits say %u, not %u", when, in_use, wanted);
}

/* The owner takes the page back and gives others away: what is mapped still is not among them. */
static void check_page_is_kept(struct mixed *mixed, const uint8_t *mapped)
{
    uint32_t refs[8];
    uint8_t *others;

    CHECK(pages_unshare(mixed->shr, mixed->page, 1) == 0, "unshare");
    others = pages_share(mixed->shr, mapper, 8, refs, 1);
    CHECK(others, "nothing more can be shared");
    for (uint32_t i = 0; i < 8; i++)
        page_fill(others + i * PAGE, 100 + i);
    CHECK(page_differs(mapped, 8) < 0, "the page was given to somebody else while it was mapped");
}

/* Mappings of both kinds of one page go in each order: an unmap drops what it takes away, and no pin of the others. */
static void b08_an_unmap_drops_its_own_pins(void)
{
    /* Which of { writable, read-only, read-only } goes when. */
    static const uint8_t orders[][3] = { { 0, 1, 2 }, { 1, 0, 2 }, { 1, 2, 0 } };
    struct mixed mixed = mixed_open(1);

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        void *mapped[3] = { mixed_map(&mixed, RW), mixed_map(&mixed, PROT_READ),
                            mixed_map(&mixed, PROT_READ) };
        bool is_written = true;

        check_in_use(&mixed, IS_READ | IS_WRITTEN, "with three mappings");
        for (int k = 0; k < 3; k++) {
            CHECK(xengnttab_unmap(mixed.tab, mapped[orders[i][k]], 1) == 0, "unmap");
            is_written &= orders[i][k] != 0;
            check_in_use(&mixed, (k < 2 ? IS_READ : 0) | (is_written ? IS_WRITTEN : 0), "after an unmap");
            row_check("after an unmap");
        }
    }
    for (int k = 0; k < 2; k++) {
        void *mapped = mixed_map(&mixed, k ? PROT_READ : RW), *other = mixed_map(&mixed, k ? RW : PROT_READ);

        CHECK(xengnttab_unmap(mixed.tab, other, 1) == 0, "unmap");
        check_page_is_kept(&mixed, mapped);
        CHECK(xengnttab_unmap(mixed.tab, mapped, 1) == 0, "unmap");
        mixed = mixed_open(1);
    }
}

/* A mapping permits what was asked for, and not what the grant would permit as well. */
static void b09_a_mapping_is_what_was_asked_for(void)
{
    struct mixed mixed = mixed_open(1);
    char *mapped = mixed_map(&mixed, PROT_READ), *writable;
    int pipes[2];

    CHECK(pipe(pipes) == 0 && write(pipes[1], "ab", 2) == 2, "a pipe");
    check_in_use(&mixed, IS_READ, "read-only");
    CHECK(page_differs(mapped, 8) < 0, "the page is another");
    CHECK(read(pipes[0], mapped, 1) < 0 && errno == EFAULT, "a read-only mapping was written");
    CHECK(page_differs(mixed.page, 8) < 0, "the page has changed");
    writable = mixed_map(&mixed, RW);
    CHECK(read(pipes[0], writable, 1) == 1 && mixed.page[0] == (uint8_t)writable[0], "it cannot be written");
    CHECK(xengnttab_unmap(mixed.tab, writable, 1) == 0 && xengnttab_unmap(mixed.tab, mapped, 1) == 0,
          "unmap");
    row_check("at the end");
}

/* What a map has counted its unmap counts back, and a map that is refused counts nothing. */
static void b10_counts_are_as_before(void)
{
    for (int is_writable = 0; is_writable < 2; is_writable++) {
        struct mixed mixed = mixed_open(is_writable);

        for (int round = 0; round < 10; round++) {
            if (is_writable)
                CHECK(xengnttab_unmap(mixed.tab, mixed_map(&mixed, RW), 1) == 0, "unmap");
            else
                CHECK(!xengnttab_map_grant_ref(mixed.tab, granter, mixed.ref, RW), "mapped writable");
            check_in_use(&mixed, 0, "without a mapping");
            CHECK(xengnttab_unmap(mixed.tab, mixed_map(&mixed, PROT_READ), 1) == 0, "unmap");
            check_in_use(&mixed, 0, "without a mapping");
            row_check("after a round");
        }
    }
}

/* One operation of an unmap is refused for good: what it was to take away is there and in use, the others are done. */
static void b11_a_refused_unmap_is_not_finished(void)
{
    xengntshr_handle *shr = granter_share();
    xengnttab_handle *tab;
    uint32_t refs[BATCH];
    uint8_t *pages = pages_share(shr, mapper, BATCH, refs, 1), *mapped;

    CHECK(pages, "nothing is shared");
    for (int k = 0; k < BATCH; k++) {
        faults_set("unmap-user:%d-%d=status/-1", k + 1, k + 3);
        tab = mapper_tab();
        faults_set(NULL);
        mapped = xengnttab_map_domain_grant_refs(tab, BATCH, granter, refs, RW);
        CHECK(mapped, "map");
        xengnttab_unmap(tab, mapped, BATCH);
        for (int i = 0; i < BATCH; i++)
            CHECK(grant_in_use(refs[i]) == (i == k ? IS_READ | IS_WRITTEN : 0),
                  "unmap %d refused, page %d: %u", k, i, grant_in_use(refs[i]));
        xengnttab_close(tab);
        CHECK(grant_in_use(refs[k]) == 0, "the end of the handle leaves a page in use");
        row_check("after the handle");
    }
}

/* A copy comes and goes without a trace in the bits, whatever becomes of it. */
static void b14_a_copy_leaves_the_bits(void)
{
    static const struct {
        int prot;
        unsigned in_use;
    } kinds[] = { { PROT_READ, IS_READ }, { RW, IS_READ | IS_WRITTEN } };
    struct mixed mixed = mixed_open(1);
    uint8_t bytes[16];

    CHECK(grant_read(mixed.tab, mixed.ref, bytes, 16) == GNTST_okay, "copy");
    check_in_use(&mixed, 0, "after a copy without a mapping");
    for (int i = 0; i < 2; i++) {
        void *mapped = mixed_map(&mixed, kinds[i].prot);

        for (int round = 0; round < 3; round++) {
            CHECK(grant_read(mixed.tab, mixed.ref, bytes, 16) == GNTST_okay, "copy");
            check_in_use(&mixed, kinds[i].in_use, "after a copy of a mapped page");
            CHECK(grant_read(mixed.tab, 31337, bytes, 16) != GNTST_okay, "a copy of nothing");
            check_in_use(&mixed, kinds[i].in_use, "after a copy that failed");
        }
        row_check("while mapped");
        CHECK(xengnttab_unmap(mixed.tab, mapped, 1) == 0, "unmap");
        check_in_use(&mixed, 0, "after the unmap");
    }
}

/* Pins go with the mapping that they are of: an unmap that is refused, or of something else, takes none. */
static void b25_a_refused_unmap_drops_no_pin(void)
{
    struct mixed mixed = mixed_open(1);
    void *readonly = mixed_map(&mixed, PROT_READ), *mapped;
    xengnttab_handle *calm = mixed.tab;

    faults_set("unmap-user:1-2=status/-1");
    mixed.tab = mapper_tab();
    faults_set(NULL);
    mapped = mixed_map(&mixed, RW);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(xengnttab_unmap(mixed.tab, mapped, i % 7 == 1 ? 8 : i % 7) < 0, "another count of pages");
        CHECK(xengnttab_unmap(mixed.tab, readonly, 1) < 0, "a mapping of another handle");
        check_in_use(&mixed, IS_READ | IS_WRITTEN, "after a wrong unmap");
    }
    row_check("after wrong unmaps");
    CHECK(xengnttab_unmap(mixed.tab, mapped, 1) == 0, "unmap");
    check_in_use(&mixed, IS_READ, "after two refusals and an unmap");
    row_check("after two refusals and an unmap");
    mapped = mixed_map(&mixed, RW);
    check_page_is_kept(&mixed, readonly);
    CHECK(xengnttab_unmap(mixed.tab, mapped, 1) == 0 && xengnttab_unmap(calm, readonly, 1) == 0, "unmap");
    row_check("at the end");
}

/* A page that its own domain has mapped by a grant is as it was when that is gone. */
static void b32_a_page_of_our_own_is_as_before(void)
{
    struct mixed mixed;
    uint8_t bytes[16];

    granter = mapper;
    mixed = mixed_open(1);
    for (int round = 0; round < 3; round++) {
        uint8_t *mapped = mixed_map(&mixed, RW);

        CHECK(page_differs(mapped, 8) < 0, "the page is another");
        mapped[PAGE - 1] ^= 1;
        CHECK(mixed.page[PAGE - 1] == mapped[PAGE - 1], "they are two pages");
        mapped[PAGE - 1] ^= 1;
        CHECK(xengnttab_unmap(mixed.tab, mapped, 1) == 0, "unmap");
        row_check("after the unmap");
        page_fill(mixed.page, 8);
        CHECK(grant_read(mixed.tab, mixed.ref, bytes, 16) == GNTST_okay &&
                  memcmp(bytes, mixed.page, sizeof(bytes)) == 0,
              "the grant cannot be used any more");
    }
    CHECK(pages_unshare(mixed.shr, mixed.page, 1) == 0, "unshare");
    row_check("at the end");
}

const struct row rows_pins[] = {
    { "B08", "an unmap drops what it takes away, and no other pins", IN_ALL, NEED_GUEST,
      b08_an_unmap_drops_its_own_pins, 0 },
    { "B09", "a mapping permits what was asked for", IN_ALL, NEED_GUEST, b09_a_mapping_is_what_was_asked_for,
      0 },
    { "B10", "after map and unmap the counts are as before", IN_ALL, NEED_GUEST, b10_counts_are_as_before,
      0 },
    { "B11", "an unmap that is refused is not finished", IN_ALL, NEED_GUEST | NEED_FAULTS,
      b11_a_refused_unmap_is_not_finished, 0 },
    { "B14", "a copy leaves the in-use bits of a mapped page", IN_ALL, NEED_GUEST, b14_a_copy_leaves_the_bits,
      0 },
    { "B25", "a refused unmap drops no pin", IN_ALL, NEED_GUEST | NEED_FAULTS,
      b25_a_refused_unmap_drops_no_pin, 0 },
    { "B32", "a page of our own is as before when its mapping is gone", IN_ALL, NEED_GUEST,
      b32_a_page_of_our_own_is_as_before, 0 },
    { 0 },
};
