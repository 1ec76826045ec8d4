// SPDX-License-Identifier: MIT
/*
 * rows_entry.c: group B of the catalogue, what a shared grant entry says against what the hypervisor has recorded. The
 * entry is its domain's to write: here the toolstack does it for the granter, which maps the grant table.
 */
#define __XEN_TOOLS__ 1
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "tests/regress/regress.h"

#define MAPS_MAX 300 /* more than any hypervisor counts of one page */
#define MAPS_XEN 128
#define COPIES 5000 /* while another thread changes the entry */
#define FRAMES_ONCE 32u /* of a table: what was once the most in a call */

/*
 * A domain that has never granted anything, as a real one is only before its first program runs: each operation on its
 * grants is refused, and then it can grant as any other.
 */
static void b04_a_domain_without_grants_is_refused(void)
{
    static const uint32_t refs[] = { 8, 9, 511, 512, 0x7fffffff, 0xffffffff };
    xengnttab_handle *tab = mapper_tab();
    uint32_t ref;
    char bytes[16];
    void *page, *mapped;

    for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
        CHECK(!xengnttab_map_grant_ref(tab, granter, refs[i], PROT_READ), "ref %u is mapped", refs[i]);
        CHECK(errno == EINVAL, "errno %d", errno);
        CHECK(grant_read(tab, refs[i], bytes, sizeof(bytes)) < GNTST_okay, "ref %u is copied", refs[i]);
    }
    row_check("after the refusals");
    page = pages_share(granter_share(), mapper, 1, &ref, 1);
    CHECK(page, "it cannot grant");
    mapped = xengnttab_map_grant_ref(tab, granter, ref, RW);
    CHECK(mapped && xengnttab_unmap(tab, mapped, 1) == 0, "what it grants cannot be mapped");
}

/* What is mapped twice is in use until both are gone, whatever becomes of it meanwhile. */
static void b05_in_use_until_the_last_unmap(void)
{
    xengntshr_handle *shr = granter_share();
    xengnttab_handle *tab = mapper_tab();
    uint32_t ref, others[8];
    char *page = pages_share(shr, mapper, 1, &ref, 1), *other, *first, *second;

    CHECK(page, "nothing is shared");
    page_fill(page, 5);
    first = xengnttab_map_grant_ref(tab, granter, ref, RW);
    second = xengnttab_map_grant_ref(tab, granter, ref, RW);
    CHECK(first && second, "it cannot be mapped twice");
    CHECK(xengnttab_unmap(tab, first, 1) == 0, "unmap");
    row_check("after the first of two unmaps");
    CHECK(pages_unshare(shr, page, 1) == 0, "unshare");
    other = pages_share(shr, mapper, 8, others, 1);
    CHECK(other, "nothing more can be shared");
    for (unsigned i = 0; i < 8; i++)
        page_fill(other + i * PAGE, 100 + i);
    CHECK(page_differs(second, 5) < 0, "the page was given to somebody else while it was mapped");
    page_fill(second, 6);
    for (unsigned i = 0; i < 8; i++)
        CHECK(page_differs(other + i * PAGE, 100 + i) < 0, "a write through the mapping hit another page");
    CHECK(xengnttab_unmap(tab, second, 1) == 0, "unmap");
    row_check("after both");
}

/* While a page is pinned it is the one that was recorded, not the one that the entry has come to name. */
static void b28_copy_from_a_pinned_entry(void)
{
    xengntshr_handle *shr = granter_share();
    xengnttab_handle *tab = mapper_tab();
    uint32_t refs[2], frame;
    char *pages = pages_share(shr, mapper, 2, refs, 1), *mapped, bytes[16];
    volatile grant_entry_v1_t *entry;
    int status;

    CHECK(pages, "nothing is shared");
    entry = granter_entry(refs[0]);
    memset(pages, 'a', PAGE);
    memset(pages + PAGE, 'b', PAGE);
    mapped = xengnttab_map_grant_ref(tab, granter, refs[0], RW);
    CHECK(mapped, "map");
    frame = entry->frame;
    entry->frame = granter_entry(refs[1])->frame;
    status = grant_read(tab, refs[0], bytes, sizeof(bytes));
    entry->frame = frame;
    CHECK(status != GNTST_okay || bytes[0] == 'a',
          "the copy is of another page than the one that is pinned: '%c'", bytes[0]);
    CHECK(mapped[0] == 'a', "the mapping has changed");
    CHECK(grant_read(tab, refs[0], bytes, sizeof(bytes)) == GNTST_okay && bytes[0] == 'a',
          "it does not work any more");
    CHECK(xengnttab_unmap(tab, mapped, 1) == 0, "unmap");
    row_check("at the end");
}

static void b31_only_access_grants_are_mapped(void)
{
    static const uint16_t types[] = { GTF_invalid, GTF_accept_transfer, GTF_transitive };
    xengntshr_handle *shr = granter_share();
    xengnttab_handle *tab = mapper_tab();
    uint32_t ref;
    void *page = pages_share(shr, mapper, 1, &ref, 1), *mapped;
    volatile grant_entry_v1_t *entry;
    char bytes[16];

    CHECK(page, "nothing is shared");
    entry = granter_entry(ref);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        uint16_t flags = entry->flags;
        int status;

        entry->flags = (uint16_t)((flags & ~GTF_type_mask) | types[i]);
        mapped = xengnttab_map_grant_ref(tab, granter, ref, RW);
        status = grant_read(tab, ref, bytes, sizeof(bytes));
        entry->flags = flags;
        CHECK(!mapped, "an entry of type %u was mapped", types[i]);
        CHECK(status != GNTST_okay, "an entry of type %u was copied", types[i]);
    }
    mapped = xengnttab_map_grant_ref(tab, granter, ref, RW);
    CHECK(mapped, "the grant cannot be used any more");
    CHECK(xengnttab_unmap(tab, mapped, 1) == 0, "unmap");
    row_check("at the end");
}

/* The counters of an entry do not wrap: one mapping too many is refused, and costs nothing. */
static void b39_pins_are_counted_to_the_end(void)
{
    xengntshr_handle *shr = granter_share();
    xengnttab_handle *tab = mapper_tab();
    static void *mapped[MAPS_MAX];
    unsigned count = 0;
    uint32_t ref;

    CHECK(pages_share(shr, mapper, 1, &ref, 0), "nothing is shared");
    while (count < MAPS_MAX && (mapped[count] = xengnttab_map_grant_ref(tab, granter, ref, PROT_READ)))
        count++;
    CHECK(count > 0 && count <= MAPS_XEN, "%u mappings of one page", count);
    CHECK(errno == EINVAL, "errno %d", errno);
    row_check("at the limit");
    CHECK(xengnttab_unmap(tab, mapped[--count], 1) == 0, "unmap");
    mapped[count] = xengnttab_map_grant_ref(tab, granter, ref, PROT_READ);
    CHECK(mapped[count], "what was unmapped cannot be mapped again");
    for (count++; count > 0; count--)
        CHECK(xengnttab_unmap(tab, mapped[count - 1], 1) == 0, "unmap");
    row_check("at the end");
}

/* What the granter makes of its entry: no two of these words have a permission to write in them. */
struct toggled {
    volatile uint32_t *word;
    uint32_t ours_readonly, others_writable;
    atomic_uint rounds;
    atomic_bool has_ended;
    bool is_spoilt; /* somebody else has written to the word */
};

static void *toggle(void *arg)
{
    struct toggled *toggled = arg;

    while (!toggled->has_ended) {
        __atomic_store_n(toggled->word, toggled->others_writable, __ATOMIC_SEQ_CST);
        __atomic_store_n(toggled->word, toggled->ours_readonly, __ATOMIC_SEQ_CST);
        toggled->is_spoilt |= *toggled->word != toggled->ours_readonly;
        toggled->rounds++;
    }
    return NULL;
}

/* Flags and domain of an entry are looked at together: a permission is never put together from two of its states. */
static void b35_one_snapshot_of_an_entry(void)
{
    xengntshr_handle *shr = granter_share();
    xengnttab_handle *tab = mapper_tab();
    uint32_t refs[3], flags, neighbours[2];
    uint8_t *pages = pages_share(shr, mapper, 3, refs, 1);
    volatile uint32_t *word;
    struct toggled toggled = { .is_spoilt = false };
    static uint8_t bytes[16] = { 'x' };
    pthread_t thread;

    CHECK(pages, "nothing is shared");
    word = (volatile uint32_t *)granter_entry(refs[1]);
    flags = *word & UINT16_MAX;
    toggled.word = word;
    toggled.ours_readonly = *word | GTF_readonly;
    toggled.others_writable = flags | (granter << 16);
    for (int i = 0; i < 2; i++)
        neighbours[i] = *(volatile uint32_t *)granter_entry(refs[2 * i]);
    CHECK(pthread_create(&thread, NULL, toggle, &toggled) == 0, "no thread");
    while (toggled.rounds == 0)
        sched_yield();
    for (unsigned i = 0; i < COPIES || toggled.rounds < COPIES; i++) {
        xengnttab_grant_copy_segment_t segment = { .len = 16, .flags = GNTCOPY_dest_gref, .status = 1 };

        segment.source.virt = bytes;
        segment.dest.foreign.ref = refs[1];
        segment.dest.foreign.domid = (domid_t)granter;
        CHECK(xengnttab_grant_copy(tab, 1, &segment) == 0 && segment.status < 0,
              "copy %u was permitted by neither state: status %d", i, segment.status);
    }
    toggled.has_ended = true;
    pthread_join(thread, NULL);
    CHECK(pages[PAGE] == 0 && !toggled.is_spoilt, "something was written");
    for (int i = 0; i < 2; i++)
        CHECK(*(volatile uint32_t *)granter_entry(refs[2 * i]) == neighbours[i], "a neighbour has changed");
    __atomic_store_n(word, flags | (mapper << 16), __ATOMIC_SEQ_CST);
    CHECK(grant_read(tab, refs[1], bytes, 16) == GNTST_okay, "the grant cannot be used any more");
    row_check("at the end");
}

static void b43_tables_are_mapped_whole(void)
{
    size_t frames = table_frames();
    xenforeignmemory_resource_handle *whole, *half;
    char *address, *second;

    CHECK(frames > FRAMES_ONCE, "the table has %zu frames only", frames);
    whole = table_map(0, frames, (void **)&address);
    CHECK(whole, "%zu frames in one call: errno %d", frames, errno);
    half = table_map(frames / 2, frames - frames / 2, (void **)&second);
    CHECK(half, "the second half: errno %d", errno);
    CHECK(memcmp(address + frames / 2 * PAGE, second, (frames - frames / 2) * PAGE) == 0,
          "they are not the same");
    CHECK(table_unmap(half) == 0 && table_unmap(whole) == 0, "unmap");
}

const struct row rows_entry[] = {
    { "B04", "a domain that has granted nothing is refused cleanly", IN_ALL, NEED_GUEST | NEED_FAULTS,
      b04_a_domain_without_grants_is_refused, 0 },
    { "B05", "what is mapped twice is in use until both are gone", IN_ALL, NEED_GUEST,
      b05_in_use_until_the_last_unmap, 0 },
    { "B28", "a copy by a pinned entry is of the page that was pinned", IN_ALL, NEED_GUEST,
      b28_copy_from_a_pinned_entry, 0 },
    { "B31", "only entries that permit access are mapped or copied", IN_ALL, NEED_GUEST,
      b31_only_access_grants_are_mapped, 0 },
    { "B35", "flags and domain of an entry are one snapshot", IN_ALL, NEED_GUEST,
      b35_one_snapshot_of_an_entry, 0 },
    { "B39", "one mapping of a page too many is refused, and costs nothing", IN_ALL, NEED_GUEST,
      b39_pins_are_counted_to_the_end, 0 },
    { "B43", "a grant table is mapped in one piece, however large", IN_ALL, NEED_GUEST,
      b43_tables_are_mapped_whole, 0 },
    { 0 },
};
