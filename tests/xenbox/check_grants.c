// SPDX-License-Identifier: MIT
/* check_grants.c: sharing and mapping, while both ends are there. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/xenbox/grants.h"

static int setup(void **state)
{
    return grants_setup(state, NULL);
}

static int setup_small(void **state)
{
    return grants_setup(state, "--limit=gntalloc-pages=16");
}

static void assert_map_fails(struct fixture *f, uint32_t domid, uint32_t ref, int prot)
{
    errno = 0;
    assert_null(xengnttab_map_grant_ref(f->tab, domid, ref, prot));
    assert_int_equal(errno, EINVAL);
}

static void test_map_shows_the_same_memory(void **state)
{
    struct fixture *f = *state;
    uint32_t refs[20], shuffled[20];
    char *shared = xengntshr_share_pages(f->shr, 0, 20, refs, 1), *mapped;

    assert_non_null(shared);
    for (unsigned i = 0; i < 20; i++) {
        shared[i * PAGE] = 'a' + i;
        shuffled[i] = refs[i * 7 % 20];
    }
    mapped = xengnttab_map_domain_grant_refs(f->tab, 20, f->guest, shuffled, RW);
    assert_non_null(mapped);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(mapped[i * PAGE], 'a' + i * 7 % 20);
    mapped[19 * PAGE + 4095] = 'x';
    assert_int_equal(shared[19 * 7 % 20 * PAGE + 4095], 'x');
    test_box_audit(&f->box);
    assert_int_equal(xengnttab_unmap(f->tab, mapped, 20), 0);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 20), 0);
    assert_nothing_left(f);
}

static void test_shared_pages_are_zeroed(void **state)
{
    struct fixture *f = *state;
    uint32_t refs[64];

    for (unsigned round = 0; round < 2000; round++) {
        char *shared = xengntshr_share_pages(f->shr, 0, 64, refs, 1);

        assert_non_null(shared);
        assert_int_equal(shared[63 * PAGE], 0);
        shared[63 * PAGE] = 1;
        assert_int_equal(xengntshr_unshare(f->shr, shared, 64), 0);
    }
    assert_nothing_left(f);
}

static void test_in_use_bits_follow_the_maps(void **state)
{
    struct fixture *f = *state;
    uint32_t ref;
    void *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1);
    void *ro = xengnttab_map_grant_ref(f->tab, f->guest, ref, PROT_READ), *rw;

    assert_non_null(ro);
    assert_int_equal(flags_of(f, ref), GTF_permit_access | GTF_reading);
    rw = xengnttab_map_grant_ref(f->tab, f->guest, ref, RW);
    assert_non_null(rw);
    assert_int_equal(flags_of(f, ref), GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(active_of(f, ref)->pins_ro, test_box_pins(&f->box));
    assert_int_equal(active_of(f, ref)->pins_rw, test_box_pins(&f->box));
    assert_int_equal(xengnttab_unmap(f->tab, rw, 1), 0);
    assert_int_equal(flags_of(f, ref), GTF_permit_access | GTF_reading);
    assert_int_equal(xengnttab_unmap(f->tab, ro, 1), 0);
    assert_int_equal(flags_of(f, ref), GTF_permit_access);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
}

static void test_map_refuses_what_was_not_granted(void **state)
{
    struct fixture *f = *state;
    uint32_t ref, other = test_box_create_domain(&f->box);
    void *readonly = xengntshr_share_pages(f->shr, 0, 1, &ref, 0), *elsewhere;

    assert_map_fails(f, f->guest, ref, RW);
    assert_map_fails(f, f->guest, ref + 1, PROT_READ);
    assert_map_fails(f, f->guest, 0, PROT_READ);
    assert_map_fails(f, f->guest, UINT32_MAX, PROT_READ);
    assert_map_fails(f, other, ref, PROT_READ);
    assert_map_fails(f, 77, ref, PROT_READ);
    assert_map_fails(f, UINT32_MAX, ref, PROT_READ);
    assert_int_equal(xengntshr_unshare(f->shr, readonly, 1), 0);

    elsewhere = xengntshr_share_pages(f->shr, other, 1, &ref, 1);
    assert_map_fails(f, f->guest, ref, PROT_READ);
    assert_int_equal(xengntshr_unshare(f->shr, elsewhere, 1), 0);
    assert_null(xengnttab_map_domain_grant_refs(f->tab, 0, f->guest, &ref, RW));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(active_of(f, ref)->pins_ro, 0);
}

static void test_map_that_fails_half_way_is_undone(void **state)
{
    struct fixture *f = *state;
    uint32_t refs[8], bad[8];
    void *shared = xengntshr_share_pages(f->shr, 0, 8, refs, 1);
    struct audit_counts before, after;

    audit_count(f->box.tool.tables, &before);
    for (unsigned at = 0; at < 8; at++) {
        memcpy(bad, refs, sizeof(bad));
        bad[at] = 30000;
        assert_null(xengnttab_map_domain_grant_refs(f->tab, 8, f->guest, bad, RW));
        assert_int_equal(errno, EINVAL);
    }
    audit_count(f->box.tool.tables, &after);
    assert_int_equal(before.maps, after.maps);
    test_box_audit(&f->box);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 8), 0);
    assert_nothing_left(f);
}

static void test_unmap_wants_what_map_gave(void **state)
{
    struct fixture *f = *state;
    uint32_t refs[4];
    char *shared = xengntshr_share_pages(f->shr, 0, 4, refs, 1);
    char *mapped = xengnttab_map_domain_grant_refs(f->tab, 4, f->guest, refs, RW);

    assert_int_equal(xengnttab_unmap(f->tab, mapped, 3), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(xengnttab_unmap(f->tab, mapped + PAGE, 3), -1);
    assert_int_equal(xengnttab_unmap(f->tab, mapped, 0), -1);
    assert_int_equal(mapped[0], 0);
    assert_int_equal(xengnttab_unmap(f->tab, mapped, 4), 0);
    assert_int_equal(xengnttab_unmap(f->tab, mapped, 4), -1);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 5), -1);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 4), 0);
}

static void test_thousands_of_maps(void **state)
{
    struct fixture *f = *state;
    uint32_t refs[1000];
    char *shared = xengntshr_share_pages(f->shr, 0, 1000, refs, 1), *mapped[1000], *whole;

    for (unsigned i = 0; i < 1000; i++) {
        mapped[i] = xengnttab_map_grant_ref(f->tab, f->guest, refs[i], RW);
        assert_non_null(mapped[i]);
        mapped[i][0] = i;
    }
    whole = xengnttab_map_domain_grant_refs(f->tab, 1000, f->guest, refs, PROT_READ);
    assert_non_null(whole);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal((unsigned char)whole[i * PAGE], i & 0xff);
    assert_int_equal(xengnttab_unmap(f->tab, whole, 1000), 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(xengnttab_unmap(f->tab, mapped[i * 331 % 1000], 1), 0);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1000), 0);
    assert_nothing_left(f);
}

static void test_share_stops_at_the_limit(void **state)
{
    struct fixture *f = *state;
    uint32_t refs[17];
    void *shared;

    assert_null(xengntshr_share_pages(f->shr, 0, 17, refs, 1));
    assert_int_equal(errno, ENOSPC);
    shared = xengntshr_share_pages(f->shr, 0, 16, refs, 1);
    assert_non_null(shared);
    assert_null(xengntshr_share_pages(f->shr, 0, 1, refs + 16, 1));
    assert_int_equal(xengntshr_unshare(f->shr, shared, 16), 0);
    shared = xengntshr_share_pages(f->shr, 0, 16, refs, 1);
    assert_non_null(shared);
    assert_null(xengntshr_share_pages(f->shr, 0, 0, refs, 1));
    assert_null(xengntshr_share_pages(f->shr, 0, -1, refs, 1));
}

/* A22: a child holds no alias; its close of what it inherited changes nothing for its parent. */
static void test_fork_does_not_share_maps(void **state)
{
    struct fixture *f = *state;
    unsigned char resident;
    uint32_t ref;
    char *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1);
    char *mapped = xengnttab_map_grant_ref(f->tab, f->guest, ref, RW);
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        bool has_alias = mincore(mapped, PAGE, &resident) == 0 || mincore(shared, PAGE, &resident) == 0;

        if (xengnttab_map_grant_ref(f->tab, f->guest, ref, RW) || xengntshr_unshare(f->shr, shared, 1) == 0)
            has_alias = true;
        xengnttab_close(f->tab);
        xengntshr_close(f->shr);
        _exit(has_alias);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    mapped[7] = 'p';
    assert_int_equal(shared[7], 'p');
    assert_int_equal(active_of(f, ref)->pins_rw, test_box_pins(&f->box));
    assert_int_equal(xengnttab_unmap(f->tab, mapped, 1), 0);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
    assert_nothing_left(f);
}

static void test_no_more_maps_of_a_page_than_xen_counts(void **state)
{
    struct fixture *f = *state;
    uint32_t ref;
    void *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1), *mapped[128];
    unsigned most = 128 / test_box_pins(&f->box);

    for (unsigned i = 0; i < most; i++) {
        mapped[i] = xengnttab_map_grant_ref(f->tab, f->guest, ref, RW);
        assert_non_null(mapped[i]);
    }
    assert_map_fails(f, f->guest, ref, RW);
    for (unsigned i = 0; i < most; i++)
        assert_int_equal(xengnttab_unmap(f->tab, mapped[i], 1), 0);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
    assert_nothing_left(f);
}

/* The shared half of an entry is its domain's to write: what is mapped is what was granted, or nothing. */
static void test_entry_that_names_another_frame_is_refused(void **state)
{
    struct fixture *f = *state;
    grant_entry_v1_t *table = f->box.tool.tables->domain[f->guest].grant;
    uint32_t refs[2], frame;
    char *shared = xengntshr_share_pages(f->shr, 0, 2, refs, 1);

    frame = table[refs[0]].frame;
    table[refs[0]].frame = table[refs[1]].frame;
    assert_map_fails(f, f->guest, refs[0], RW);
    table[refs[0]].frame = frame;
    assert_int_equal(xengntshr_unshare(f->shr, shared, 2), 0);
    assert_nothing_left(f);
}

static void test_dmabufs_are_refused(void **state)
{
    struct fixture *f = *state;
    uint32_t ref = 8, fd;

    assert_int_equal(xengnttab_dmabuf_exp_from_refs(f->tab, f->guest, 0, 1, &ref, &fd), -1);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(xengnttab_dmabuf_imp_release(f->tab, 1), -1);
    assert_int_equal(errno, ENOTTY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, grants_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_map_shows_the_same_memory),
        TEST(test_shared_pages_are_zeroed),
        TEST(test_in_use_bits_follow_the_maps),
        TEST(test_map_refuses_what_was_not_granted),
        TEST(test_map_that_fails_half_way_is_undone),
        TEST(test_unmap_wants_what_map_gave),
        TEST(test_thousands_of_maps),
        cmocka_unit_test_setup_teardown(test_share_stops_at_the_limit, setup_small, grants_teardown),
        TEST(test_fork_does_not_share_maps),
        TEST(test_no_more_maps_of_a_page_than_xen_counts),
        TEST(test_entry_that_names_another_frame_is_refused),
        TEST(test_dmabufs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
