// SPDX-License-Identifier: MIT
/*
 * check_copy.c: what grant copies do, and how they fail by segment.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/xen/src/xencheck.h"

#define RW (PROT_READ | PROT_WRITE)
#define BAD_REF 0x00ffffff

typedef xengnttab_grant_copy_segment_t segment;

static segment copy_from(struct check_env *env, uint32_t ref, uint16_t offset, void *to, uint16_t length)
{
    return (segment){ .source.foreign = { .ref = ref, .offset = offset, .domid = env->domid },
                      .dest.virt = to,
                      .len = length,
                      .flags = GNTCOPY_source_gref };
}

static segment copy_to(struct check_env *env, uint32_t ref, uint16_t offset, void *from, uint16_t length)
{
    return (segment){ .dest.foreign = { .ref = ref, .offset = offset, .domid = env->domid },
                      .source.virt = from,
                      .len = length,
                      .flags = GNTCOPY_dest_gref };
}

static uint8_t buffer[4 * PAGE] __attribute__((aligned(PAGE)));

static void copy_moves_both_ways(struct check_env *env)
{
    struct share share = peer_share(env, 2, true);
    segment segments[2] = { copy_from(env, share.refs[0], 0, buffer, PAGE),
                            copy_to(env, share.refs[1], 0, buffer + PAGE, PAGE) };

    pattern_fill(buffer + PAGE, 3, 1);
    EXPECT(env, !xengnttab_grant_copy(env->gnttab, 2, segments), "copy: %s", errno_name(errno));
    EXPECT(env, segments[0].status == GNTST_okay && segments[1].status == GNTST_okay, "status %d, %d",
           segments[0].status, segments[1].status);
    EXPECT(env, pattern_matches(buffer, 1, 0), "the peer's bytes did not arrive");
    EXPECT(env, !strcmp(peer_ask(env, "test %u 1 3", share.id), "1"), "our bytes did not arrive");
}

static void copy_keeps_neighbours(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    segment segments[2] = { copy_from(env, share.refs[0], 1000, buffer + PAGE - 300,
                                      700), /* over a page's end */
                            copy_to(env, share.refs[0], 512, buffer + 3 * PAGE, 512) };

    memset(buffer, 0, sizeof(buffer));
    EXPECT(env, !xengnttab_grant_copy(env->gnttab, 2, segments), "copy: %s", errno_name(errno));
    EXPECT(env, segments[0].status == GNTST_okay, "status %d of a copy over a page's end",
           segments[0].status);
    for (int i = 0; i < 700; i++)
        EXPECT(env, buffer[PAGE - 300 + i] == pattern_byte(1, 0, 1000 + i), "byte %d differs", i);
    EXPECT(env, !buffer[PAGE - 301] && !buffer[PAGE + 400], "a neighbour was written");
    EXPECT(env, !strcmp(peer_ask(env, "peek %u 0 512", share.id), "0"), "the first byte is not ours");
    EXPECT(env, !strcmp(peer_ask(env, "peek %u 0 1023", share.id), "0"), "the last byte is not ours");
    EXPECT(env, atoi(peer_ask(env, "peek %u 0 511", share.id)) == pattern_byte(1, 0, 511), "the byte before");
    EXPECT(env, atoi(peer_ask(env, "peek %u 0 1024", share.id)) == pattern_byte(1, 0, 1024),
           "the byte behind");
}

static void copy_fails_by_segment(struct check_env *env)
{
    struct share share = peer_share(env, 2, true), fixed = peer_share(env, 1, false);
    segment segments[5] = { copy_from(env, share.refs[0], 0, buffer, PAGE),
                            copy_from(env, BAD_REF, 0, buffer + PAGE, PAGE),
                            copy_from(env, share.refs[1], 0, buffer + 2 * PAGE, PAGE),
                            copy_to(env, fixed.refs[0], 0, buffer, 512),
                            copy_from(env, fixed.refs[0], 0, buffer + 3 * PAGE, PAGE) };

    memset(buffer, 0, sizeof(buffer));
    EXPECT(env, !xengnttab_grant_copy(env->gnttab, 5, segments), "copy: %s", errno_name(errno));
    EXPECT(env, segments[0].status == GNTST_okay && segments[2].status == GNTST_okay, "the good ones: %d, %d",
           segments[0].status, segments[2].status);
    EXPECT(env, segments[1].status == GNTST_bad_gntref, "a bad ref: %d, expected %d", segments[1].status,
           GNTST_bad_gntref);
    EXPECT(env, segments[3].status == GNTST_general_error, "into a read-only grant: %d, expected %d",
           segments[3].status, GNTST_general_error);
    EXPECT(env, segments[4].status == GNTST_okay, "from a read-only grant: %d", segments[4].status);
    EXPECT(env, pattern_matches(buffer, 1, 0) && pattern_matches(buffer + 2 * PAGE, 1, 1),
           "bytes of the good ones");
    EXPECT(env, !buffer[PAGE] && !buffer[2 * PAGE - 1], "bytes of the bad one");
}

static void copy_refuses_a_bad_domain(struct check_env *env)
{
    segment segments[1] = { copy_from(env, 8, 0, buffer, PAGE) };

    segments[0].source.foreign.domid = 999;
    EXPECT(env, !xengnttab_grant_copy(env->gnttab, 1, segments), "copy: %s", errno_name(errno));
    EXPECT(env, segments[0].status == GNTST_bad_domain, "status %d, expected %d", segments[0].status,
           GNTST_bad_domain);
}

static void copy_refuses_nonsense(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    segment over = copy_from(env, share.refs[0], 4000, buffer, 200);
    segment local = { .source.virt = buffer, .dest.virt = buffer + PAGE, .len = 16 };
    segment wild = copy_from(env, share.refs[0], 0, (void *)(uintptr_t)PAGE, 16);

    EXPECT_ERRNO(env, xengnttab_grant_copy(env->gnttab, 1, &over), EINVAL);
    EXPECT_ERRNO(env, xengnttab_grant_copy(env->gnttab, 1, &local), EINVAL);
    if (env->memory != MEMORY_XENBOX)
        EXPECT_ERRNO(env, xengnttab_grant_copy(env->gnttab, 1, &wild), EFAULT);
}

static void copy_of_nothing(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    segment empty = copy_from(env, share.refs[0], 0, buffer, 0);

    EXPECT(env, !xengnttab_grant_copy(env->gnttab, 0, &empty), "no segments: %s", errno_name(errno));
    EXPECT(env, !xengnttab_grant_copy(env->gnttab, 1, &empty), "no bytes: %s", errno_name(errno));
    EXPECT(env, empty.status == GNTST_okay, "no bytes: status %d", empty.status);
}

static void copy_between_grants(struct check_env *env)
{
    struct share share = peer_share(env, 2, true);
    segment both = { .source.foreign = { .ref = share.refs[0], .offset = 0, .domid = env->domid },
                     .dest.foreign = { .ref = share.refs[1], .offset = 0, .domid = env->domid },
                     .len = PAGE,
                     .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref };

    EXPECT(env, !xengnttab_grant_copy(env->gnttab, 1, &both), "copy: %s", errno_name(errno));
    EXPECT(env, both.status == GNTST_okay, "status %d", both.status);
    EXPECT(env, atoi(peer_ask(env, "peek %u 1 77", share.id)) == pattern_byte(1, 0, 77),
           "nothing was copied");
}

static void copy_of_many_segments(struct check_env *env)
{
    struct share share = peer_share(env, 128, true);
    segment *segments = calloc(1024, sizeof(*segments));
    uint8_t *pages = mmap(NULL, 128 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int good = 0;

    for (int i = 0; i < 1024; i++)
        segments[i] = copy_from(env, share.refs[i / 8], i % 8 * 512, pages + i * 512, 512);
    EXPECT(env, !xengnttab_grant_copy(env->gnttab, 1024, segments), "copy: %s", errno_name(errno));
    for (int i = 0; i < 1024; i++)
        good += segments[i].status == GNTST_okay;
    EXPECT(env, good == 1024, "only %d of 1024 segments are good", good);
    for (int i = 0; i < 128; i++)
        EXPECT(env, pattern_matches(pages + i * PAGE, 1, i), "page %d differs", i);
    munmap(pages, 128 * PAGE);
    free(segments);
}

static void copy_refuses_a_mapped_page(struct check_env *env)
{
    struct share share = peer_share(env, 2, true);
    uint8_t *page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[1], RW);
    segment segments[1];
    int ret;

    EXPECT(env, page, "map: %s", errno_name(errno));
    segments[0] = copy_from(env, share.refs[0], 0, page, PAGE);
    ret = xengnttab_grant_copy(env->gnttab, 1, segments);
    /* Xen wants a page of the caller's own there. */
    EXPECT(env, !ret, "copy: %s", errno_name(errno));
    EXPECT(env, segments[0].status == GNTST_bad_page, "status %d, expected %d", segments[0].status,
           GNTST_bad_page);
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
}

const struct check check_copy_list[] = {
    { "copy-moves-both-ways", copy_moves_both_ways },
    { "copy-keeps-neighbours", copy_keeps_neighbours },
    { "copy-fails-by-segment", copy_fails_by_segment },
    { "copy-refuses-a-bad-domain", copy_refuses_a_bad_domain },
    { "copy-refuses-nonsense", copy_refuses_nonsense },
    { "copy-of-nothing", copy_of_nothing },
    { "copy-between-grants", copy_between_grants },
    { "copy-of-many-segments", copy_of_many_segments },
    { "copy-refuses-a-mapped-page", copy_refuses_a_mapped_page },
    { NULL, NULL },
};
