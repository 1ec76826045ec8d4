// SPDX-License-Identifier: MIT
/*
 * rows_calls.c: group A of the catalogue, what a call carries arrives: addresses, counts, refs,
 * offsets.
 */
#include <config.h>

#include <string.h>

#include "tests/regress/shared.h"

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

const struct row rows_calls[] = {
    { "A35", "addresses are 64 bits wide", IN_ALL, 0, a35_addresses_are_64_bits_wide },
    { "A36", "an unmap takes as many grants as it says", IN_ALL, 0, a36_unmap_counts_in_grants },
    { "A37", "every ref of a call arrives", IN_ALL, 0, a37_every_ref_of_a_call_arrives },
    { "A41", "a copy stays in its page", IN_ALL, 0, a41_a_copy_stays_in_its_page },
    { 0 },
};
