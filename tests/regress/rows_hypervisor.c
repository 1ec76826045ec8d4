// SPDX-License-Identifier: MIT
/* rows_hypervisor.c: group B of the catalogue, what the hypervisor's grant-table operations must get right. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "tests/regress/regress.h"

static xengnttab_grant_copy_segment_t segment_into(uint32_t ref, uint16_t offset, const void *from,
                                                   uint16_t length)
{
    xengnttab_grant_copy_segment_t segment = { .len = length, .flags = GNTCOPY_dest_gref, .status = 1 };

    segment.source.virt = (void *)from;
    segment.dest.foreign.ref = ref;
    segment.dest.foreign.domid = granter;
    segment.dest.foreign.offset = offset;
    return segment;
}

/* A map that is refused for access leaves the entry as it was: the granter sees it unused and can take it back. */
static void b34_refused_map_leaves_no_bits(void)
{
    xengntshr_handle *shr = granter_share();
    xengnttab_handle *tab = mapper_tab();
    uint32_t ref;
    void *page = pages_share(shr, mapper, 1, &ref, 0), *mapped;

    CHECK(page, "nothing is shared");
    CHECK(!xengnttab_map_grant_ref(tab, granter, ref, RW), "a read-only grant was mapped writable");
    row_check("after the refused map");
    mapped = xengnttab_map_grant_ref(tab, granter, ref, PROT_READ);
    CHECK(mapped, "the grant cannot be used any more");
    CHECK(xengnttab_unmap(tab, mapped, 1) == 0, "unmap");
    row_check("after map and unmap");
}

static void b36_copies_keep_to_the_grant(void)
{
    static const struct {
        uint16_t offset, length;
        bool is_good;
    } cases[] = {
        { 0, 4096, true },  { 4095, 1, true },   { 0, 4097, false },
        { 4095, 2, false }, { 65535, 2, false }, { 1, 65535, false },
    };
    xengntshr_handle *shr = granter_share();
    xengnttab_handle *tab = mapper_tab();
    uint32_t ref, readonly;
    static uint8_t local[65536];
    uint8_t *page = pages_share(shr, mapper, 1, &ref, 1);
    uint8_t *readonly_page = pages_share(shr, mapper, 1, &readonly, 0);
    xengnttab_grant_copy_segment_t segment;

    CHECK(page && readonly_page, "nothing is shared");
    memset(local, 'x', sizeof(local));
    segment = segment_into(readonly, 0, local, 16);
    CHECK(xengnttab_grant_copy(tab, 1, &segment) == 0 && segment.status != GNTST_okay,
          "a read-only grant was written, status %d", segment.status);
    CHECK(readonly_page[0] == 0, "a byte of a read-only grant is %#x", readonly_page[0]);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        segment = segment_into(ref, cases[i].offset, local, cases[i].length);
        CHECK((xengnttab_grant_copy(tab, 1, &segment) == 0 && segment.status == GNTST_okay) ==
                  cases[i].is_good,
              "offset %u, %u bytes: status %d, errno %d", cases[i].offset, cases[i].length, segment.status,
              errno);
    }
}

static void b38_no_bytes_are_a_success(void)
{
    xengnttab_handle *tab = mapper_tab();
    char local[1] = { 'x' };
    xengnttab_grant_copy_segment_t segments[] = {
        segment_into(31337, 0, local, 0),
        segment_into(31337, 4096, local, 0),
        segment_into(0xffffffff, 17, local, 0),
    };

    segments[2].dest.foreign.domid = 999;
    CHECK(xengnttab_grant_copy(tab, 3, segments) == 0, "the call failed, errno %d", errno);
    for (int i = 0; i < 3; i++)
        CHECK(segments[i].status == GNTST_okay, "segment %d: status %d", i, segments[i].status);
}

#define POISON 0x55 /* no status */
#define SEGMENTS 8

static bool is_failure(int status)
{
    return status < GNTST_okay && status >= GNTST_no_space;
}

/* Each way to be refused has a status, and a status is one of those that there are. */
static void b20_failures_have_defined_statuses(void)
{
    xengntshr_handle *shr = granter_share();
    xengnttab_handle *tab = mapper_tab();
    uint32_t ref, others, readonly;
    char local[16] = "x";
    void *page = pages_share(shr, mapper, 1, &ref, 1);
    void *others_page = pages_share(shr, granter, 1, &others, 1);
    void *readonly_page = pages_share(shr, mapper, 1, &readonly, 0);
    xengnttab_grant_copy_segment_t segments[5];

    CHECK(page && others_page && readonly_page, "nothing is shared");
    segments[0] = segment_into(others, 0, local, 16);
    segments[1] = segment_into(readonly, 0, local, 16);
    segments[2] = segment_into(31337, 0, local, 16);
    segments[3] = segment_into(0xffffffff, 0, local, 16);
    segments[4] = segment_into(ref, 0, local, 16);
    segments[4].dest.foreign.domid = 30000;
    for (int i = 0; i < 5; i++)
        segments[i].status = POISON;
    CHECK(xengnttab_grant_copy(tab, 5, segments) == 0, "the call failed, errno %d", errno);
    for (int i = 0; i < 5; i++)
        CHECK(is_failure(segments[i].status), "segment %d: status %d", i, segments[i].status);
    for (int i = 0; i < 5; i++) {
        errno = 0;
        CHECK(!xengnttab_map_grant_ref(tab, segments[i].dest.foreign.domid, segments[i].dest.foreign.ref, RW),
              "case %d was mapped", i);
        CHECK(errno == EINVAL, "case %d: errno %d", i, errno);
    }
    row_check("at the end");
}

/* Wherever a batch has failures, each of its elements ends with a status of its own, and the good ones are done. */
static void b21_each_element_has_a_status(void)
{
    xengntshr_handle *shr = granter_share();
    xengnttab_handle *tab = mapper_tab();
    uint32_t refs[SEGMENTS];
    uint8_t *pages = pages_share(shr, mapper, SEGMENTS, refs, 1);

    CHECK(pages, "nothing is shared");
    for (unsigned bad = 0; bad < 1u << SEGMENTS; bad++) {
        xengnttab_grant_copy_segment_t segments[SEGMENTS];
        uint8_t byte = (uint8_t)(bad + 1);

        memset(pages, 0, SEGMENTS * PAGE);
        for (int i = 0; i < SEGMENTS; i++) {
            segments[i] = segment_into(bad >> i & 1 ? 31337 : refs[i], 7, &byte, 1);
            segments[i].status = POISON;
        }
        CHECK(xengnttab_grant_copy(tab, SEGMENTS, segments) == 0, "failures %#x: errno %d", bad, errno);
        for (int i = 0; i < SEGMENTS; i++) {
            int status = segments[i].status;

            CHECK(bad >> i & 1 ? is_failure(status) : status == GNTST_okay,
                  "failures %#x, element %d: status %d", bad, i, status);
            CHECK(pages[i * PAGE + 7] == (bad >> i & 1 ? 0 : byte), "failures %#x, element %d: wrong bytes",
                  bad, i);
        }
    }
}

const struct row rows_hypervisor[] = {
    { "B20", "whatever is refused has a status that there is", IN_ALL, NEED_GUEST,
      b20_failures_have_defined_statuses },
    { "B21", "each element of a batch ends with a status, wherever others fail", IN_ALL, NEED_GUEST,
      b21_each_element_has_a_status },
    { "B34", "a refused map leaves the in-use bits as they were", IN_ALL, NEED_GUEST,
      b34_refused_map_leaves_no_bits },
    { "B36", "a copy keeps to the access and to the bounds of the grant", IN_ALL, 0,
      b36_copies_keep_to_the_grant },
    { "B38", "a copy of no bytes succeeds whatever its fields say", IN_ALL, 0, b38_no_bytes_are_a_success },
    { 0 },
};
