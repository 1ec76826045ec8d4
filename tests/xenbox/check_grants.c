// SPDX-License-Identifier: MIT
/* check_grants.c: sharing, mapping, copying and what happens when one end lets go first. */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "tests/xenbox/box.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGE XB_FRAME_SIZE

/* A guest that shares pages with domain 0, and domain 0 that maps them. */
struct fixture {
    struct test_box box;
    uint32_t guest;
    xengntshr_handle *shr;
    xengnttab_handle *tab;
    struct audit_counts before; /* with both handles open */
};

static void fixture_open(struct fixture *f, const char *option)
{
    test_box_start(&f->box, option);
    f->guest = test_box_create_domain(&f->box);
    test_box_enter(f->guest);
    f->shr = xengntshr_open(NULL, 0);
    test_box_enter(0);
    f->tab = xengnttab_open(NULL, 0);
    assert_non_null(f->shr);
    assert_non_null(f->tab);
    audit_count(f->box.tool.tables, &f->before);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    fixture_open(f, NULL);
    *state = f;
    return 0;
}

static int setup_small(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    fixture_open(f, "--limit=gntalloc-pages=16");
    *state = f;
    return 0;
}

static int setup_strict(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    fixture_open(f, "--mapping=strict");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    test_box_audit(&f->box);
    xengnttab_close(f->tab);
    xengntshr_close(f->shr);
    test_box_stop(&f->box);
    free(f);
    return 0;
}

/* All that was mapped or shared since the fixture is gone. Chunks stay with their handle. */
static void assert_nothing_left(struct fixture *f)
{
    struct audit_counts now;

    audit_count(f->box.tool.tables, &now);
    assert_int_equal(now.maps, f->before.maps);
    assert_int_equal(now.grants, f->before.grants);
    assert_int_equal(now.frames, f->before.frames);
    assert_int_equal(now.ports, f->before.ports);
}

static struct xb_active *active_of(struct fixture *f, uint32_t ref)
{
    return &f->box.tool.tables->domain[f->guest].active[ref];
}

static uint16_t flags_of(struct fixture *f, uint32_t ref)
{
    return f->box.tool.tables->domain[f->guest].grant[ref].flags;
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
    assert_int_equal(active_of(f, ref)->pins_ro, 1);
    assert_int_equal(active_of(f, ref)->pins_rw, 1);
    assert_int_equal(xengnttab_unmap(f->tab, rw, 1), 0);
    assert_int_equal(flags_of(f, ref), GTF_permit_access | GTF_reading);
    assert_int_equal(xengnttab_unmap(f->tab, ro, 1), 0);
    assert_int_equal(flags_of(f, ref), GTF_permit_access);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
}

static void assert_map_fails(struct fixture *f, uint32_t domid, uint32_t ref, int prot)
{
    errno = 0;
    assert_null(xengnttab_map_grant_ref(f->tab, domid, ref, prot));
    assert_int_equal(errno, EINVAL);
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

static bool ref_is_free(struct test_box *box, void *arg)
{
    const struct fixture *f = (const struct fixture *)box;

    return f->box.tool.tables->domain[f->guest].grant[*(uint32_t *)arg].flags == 0;
}

/* A5: the memory goes only with the last mapping of it. */
static void test_unshare_waits_for_the_mapper(void **state)
{
    struct fixture *f = *state;
    uint32_t ref, next;
    char *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1);
    char *mapped = xengnttab_map_grant_ref(f->tab, f->guest, ref, RW);

    strcpy(shared, "still here");
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
    assert_string_equal(mapped, "still here");
    assert_true(flags_of(f, ref) & GTF_writing);
    shared = xengntshr_share_pages(f->shr, 0, 1, &next, 1);
    assert_int_not_equal(ref, next);
    assert_int_equal(shared[0], 0);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
    assert_string_equal(mapped, "still here");
    assert_int_equal(xengnttab_unmap(f->tab, mapped, 1), 0);
    assert_true(test_box_wait(&f->box, ref_is_free, &ref, 5000));
    assert_nothing_left(f);
}

static void test_closing_a_handle_undoes_it(void **state)
{
    struct fixture *f = *state;
    xengntshr_handle *shr;
    xengnttab_handle *tab = xengnttab_open(NULL, 0);
    uint32_t refs[300];

    test_box_enter(f->guest);
    shr = xengntshr_open(NULL, 0);
    assert_non_null(xengntshr_share_pages(shr, 0, 300, refs, 1));
    assert_non_null(xengnttab_map_domain_grant_refs(tab, 300, f->guest, refs, RW));
    assert_non_null(xengnttab_map_grant_ref(tab, f->guest, refs[9], PROT_READ));
    assert_int_equal(xengntshr_close(shr), 0);
    assert_int_equal(active_of(f, refs[9])->pins_ro, 1);
    assert_int_equal(xengnttab_close(tab), 0);
    assert_true(test_box_wait_counts(&f->box, &f->before));
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
    assert_int_equal(active_of(f, ref)->pins_rw, 1);
    assert_int_equal(xengnttab_unmap(f->tab, mapped, 1), 0);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
    assert_nothing_left(f);
}

/* An event channel from the guest (its end first) to domain 0. */
struct channel {
    xenevtchn_handle *guest, *host;
    int guest_port, host_port;
};

static void channel_open(struct fixture *f, struct channel *channel)
{
    test_box_enter(f->guest);
    channel->guest = xenevtchn_open(NULL, 0);
    test_box_enter(0);
    channel->host = xenevtchn_open(NULL, 0);
    channel->guest_port = xenevtchn_bind_unbound_port(channel->guest, 0);
    channel->host_port = xenevtchn_bind_interdomain(channel->host, f->guest, channel->guest_port);
    assert_true(channel->guest_port > 0 && channel->host_port > 0);
}

static void channel_close(struct channel *channel)
{
    xenevtchn_close(channel->guest);
    xenevtchn_close(channel->host);
}

static void test_unmap_notifies_byte_and_port(void **state)
{
    struct fixture *f = *state;
    struct channel channel;
    uint32_t ref;
    char *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1), *mapped;

    channel_open(f, &channel);
    shared[17] = 1;
    mapped = xengnttab_map_grant_ref_notify(f->tab, f->guest, ref, RW, 17, channel.host_port);
    assert_non_null(mapped);
    assert_int_equal(shared[17], 1);
    assert_int_equal(xengnttab_unmap(f->tab, mapped, 1), 0);
    assert_int_equal(shared[17], 0);
    assert_int_equal(test_box_pending(channel.guest), channel.guest_port);
    assert_int_equal(flags_of(f, ref), GTF_permit_access);

    /* A27: the byte could not be cleared through a read-only mapping; a port may be named with one. */
    assert_null(xengnttab_map_grant_ref_notify(f->tab, f->guest, ref, PROT_READ, 17, -1));
    assert_null(xengnttab_map_grant_ref_notify(f->tab, f->guest, ref, RW, -1, 999));
    assert_int_equal(flags_of(f, ref), GTF_permit_access);
    mapped = xengnttab_map_grant_ref_notify(f->tab, f->guest, ref, PROT_READ, -1, channel.host_port);
    assert_non_null(mapped);
    assert_int_equal(xenevtchn_unmask(channel.guest, channel.guest_port), 0);
    assert_int_equal(xengnttab_unmap(f->tab, mapped, 1), 0);
    assert_int_equal(test_box_pending(channel.guest), channel.guest_port);
    channel_close(&channel);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
    assert_nothing_left(f);
}

/* A28: the port stays open until the notification was sent, though its handle died with the process. */
static void test_death_of_the_mapper_notifies(void **state)
{
    struct fixture *f = *state;
    xenevtchn_handle *guest;
    uint32_t ref;
    char *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1);
    int guest_port, status;
    pid_t pid;

    shared[5] = 1;
    test_box_enter(f->guest);
    guest = xenevtchn_open(NULL, 0);
    guest_port = xenevtchn_bind_unbound_port(guest, 0);
    test_box_enter(0);
    pid = fork();
    if (pid == 0) {
        /* Descriptors are closed from the lowest up: this one goes before the mapping's. */
        xenevtchn_handle *host = xenevtchn_open(NULL, 0);
        xengnttab_handle *tab = xengnttab_open(NULL, 0);
        int port = xenevtchn_bind_interdomain(host, f->guest, guest_port);

        if (xengnttab_map_grant_ref_notify(tab, f->guest, ref, RW, 5, port))
            raise(SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(test_box_pending(guest), guest_port);
    assert_int_equal(shared[5], 0);
    xenevtchn_close(guest);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
    assert_true(test_box_wait_counts(&f->box, &f->before));
}

static void test_unshare_notifies_byte_and_port(void **state)
{
    struct fixture *f = *state;
    struct channel channel;
    uint32_t ref;
    char *shared, *mapped;

    channel_open(f, &channel);
    assert_int_equal(test_box_pending(channel.host), channel.host_port);
    xenevtchn_unmask(channel.host, channel.host_port);
    shared = xengntshr_share_page_notify(f->shr, 0, &ref, 1, 4095, channel.guest_port);
    assert_non_null(shared);
    shared[4095] = 1;
    mapped = xengnttab_map_grant_ref(f->tab, f->guest, ref, RW);
    assert_int_equal(mapped[4095], 1);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
    assert_int_equal(test_box_pending(channel.host), channel.host_port);
    assert_int_equal(mapped[4095], 0);
    assert_int_equal(xengnttab_unmap(f->tab, mapped, 1), 0);
    channel_close(&channel);
    assert_true(test_box_wait(&f->box, ref_is_free, &ref, 5000));
    assert_nothing_left(f);
}

static xengnttab_grant_copy_segment_t segment_out(struct fixture *f, uint32_t ref, unsigned offset, void *to,
                                                  unsigned length)
{
    return (xengnttab_grant_copy_segment_t){
        .source.foreign = { .ref = ref, .offset = offset, .domid = f->guest },
        .dest.virt = to,
        .len = length,
        .flags = GNTCOPY_source_gref,
        .status = 99
    };
}

static xengnttab_grant_copy_segment_t segment_in(struct fixture *f, uint32_t ref, unsigned offset, void *from,
                                                 unsigned length)
{
    return (
        xengnttab_grant_copy_segment_t){ .dest.foreign = { .ref = ref, .offset = offset, .domid = f->guest },
                                         .source.virt = from,
                                         .len = length,
                                         .flags = GNTCOPY_dest_gref,
                                         .status = 99 };
}

static void test_copy_moves_exactly_its_bytes(void **state)
{
    struct fixture *f = *state;
    uint32_t refs[2];
    char *shared = xengntshr_share_pages(f->shr, 0, 2, refs, 1);
    char local[3 * PAGE];
    xengnttab_grant_copy_segment_t segments[3];

    memset(shared, 's', 2 * PAGE);
    memset(local, 'l', sizeof(local));
    /* A local buffer may lie across pages. */
    segments[0] = segment_in(f, refs[0], 100, local + PAGE - 50, 3996);
    segments[1] = segment_out(f, refs[1], 0, local + PAGE + 1, PAGE);
    segments[2] = (xengnttab_grant_copy_segment_t){
        .source.foreign = { .ref = refs[0], .offset = 99, .domid = f->guest },
        .dest.foreign = { .ref = refs[1], .offset = 4000, .domid = f->guest },
        .len = 2,
        .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
        .status = 99
    };
    assert_int_equal(xengnttab_grant_copy(f->tab, 3, segments), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(segments[i].status, GNTST_okay);
    assert_int_equal(shared[99], 's');
    assert_int_equal(shared[100], 'l');
    assert_int_equal(shared[4095], 'l');
    assert_int_equal(local[PAGE], 'l');
    assert_int_equal(local[PAGE + 1], 's');
    assert_int_equal(local[2 * PAGE], 's');
    assert_int_equal(local[2 * PAGE + 1], 'l');
    assert_memory_equal(shared + PAGE + 3999, "ssls", 4);
    assert_int_equal(flags_of(f, refs[0]), GTF_permit_access);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 2), 0);
}

static void test_copy_has_a_status_a_segment(void **state)
{
    struct fixture *f = *state;
    uint32_t refs[2], readonly;
    char *shared = xengntshr_share_pages(f->shr, 0, 2, refs, 1);
    char *fixed = xengntshr_share_pages(f->shr, 0, 1, &readonly, 0);
    char local[PAGE];
    xengnttab_grant_copy_segment_t segments[7];

    memset(local, 'l', sizeof(local));
    segments[0] = segment_in(f, 30000, 0, local, 8);
    segments[1] = segment_in(f, refs[0], 0, local, 8);
    segments[2] = segment_in(f, readonly, 0, local, 8);
    segments[3] = segment_out(f, readonly, 0, local, 8);
    segments[4] = segment_in(f, refs[1], 0, local, 8);
    segments[4].dest.foreign.domid = 999;
    /* Nothing is touched, and nothing is looked at. */
    segments[5] = segment_in(f, 30000, 4096, NULL, 0);
    segments[6] = segment_out(f, UINT32_MAX, 0, local, 1);
    assert_int_equal(xengnttab_grant_copy(f->tab, 7, segments), 0);
    assert_int_equal(segments[0].status, GNTST_bad_gntref);
    assert_int_equal(segments[1].status, GNTST_okay);
    assert_int_equal(segments[2].status, GNTST_general_error);
    assert_int_equal(segments[3].status, GNTST_okay);
    assert_int_equal(segments[4].status, GNTST_bad_domain);
    assert_int_equal(segments[5].status, GNTST_okay);
    assert_int_equal(segments[6].status, GNTST_bad_gntref);
    assert_int_equal(shared[0], 'l');
    assert_int_equal(fixed[0], 0);
    assert_int_equal(local[0], 0);
    assert_int_equal(shared[PAGE], 0);
    test_box_audit(&f->box);
}

/* A41: offset and length are added in more bits than either has. */
static void test_copy_refuses_to_leave_the_page(void **state)
{
    struct fixture *f = *state;
    uint32_t ref;
    char *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1);
    static char local[70000];
    xengnttab_grant_copy_segment_t segments[2];
    static const struct {
        unsigned offset, length;
    } bad[] = { { 4000, 97 }, { 0, 4097 }, { 4096, 1 }, { 65535, 2 }, { 1, 65535 }, { 65535, 65535 } };

    memset(local, 'l', sizeof(local));
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        segments[0] = segment_in(f, ref, 0, local, 1);
        segments[1] = segment_in(f, ref, bad[i].offset, local, bad[i].length);
        assert_int_equal(xengnttab_grant_copy(f->tab, 2, segments), -1);
        assert_int_equal(errno, EINVAL);
        segments[1] = segment_out(f, ref, bad[i].offset, local, bad[i].length);
        assert_int_equal(xengnttab_grant_copy(f->tab, 2, segments), -1);
        assert_int_equal(shared[0], 0);
    }
    segments[0] = segment_in(f, ref, 0, local, 1);
    segments[0].flags = 0;
    assert_int_equal(xengnttab_grant_copy(f->tab, 1, segments), -1);
    assert_int_equal(errno, EINVAL);
}

struct worker {
    struct fixture *f;
    xengnttab_handle *tab; /* NULL: one of its own */
    uint32_t ref;
    unsigned failures;
};

/* Maps, copies and unmaps a page that others map and copy at the same time. */
static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    xengnttab_handle *tab = worker->tab ? worker->tab : xengnttab_open(NULL, 0);
    char local[PAGE];

    for (unsigned i = 0; i < 2000; i++) {
        xengnttab_grant_copy_segment_t segment = segment_out(worker->f, worker->ref, 0, local, PAGE);
        char *mapped = xengnttab_map_grant_ref(tab, worker->f->guest, worker->ref, i % 2 ? RW : PROT_READ);

        worker->failures += !mapped || mapped[0] != 's' || xengnttab_grant_copy(tab, 1, &segment) < 0;
        worker->failures += segment.status != GNTST_okay || local[PAGE - 1] != 's';
        worker->failures += mapped && xengnttab_unmap(tab, mapped, 1) < 0;
    }
    if (!worker->tab)
        xengnttab_close(tab);
    return NULL;
}

/* Two threads on one handle, two on handles of their own, all on one page. */
static void test_threads_do_not_disturb_each_other(void **state)
{
    struct fixture *f = *state;
    struct worker workers[4];
    pthread_t threads[4];
    uint32_t ref;
    char *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1);

    memset(shared, 's', PAGE);
    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (struct worker){ .f = f, .tab = i < 2 ? f->tab : NULL, .ref = ref };
        assert_int_equal(pthread_create(&threads[i], NULL, worker_main, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].failures, 0);
    }
    assert_int_equal(flags_of(f, ref), GTF_permit_access);
    test_box_audit(&f->box);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
    assert_nothing_left(f);
}

static void test_no_more_maps_of_a_page_than_xen_counts(void **state)
{
    struct fixture *f = *state;
    uint32_t ref;
    void *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1), *mapped[128];

    for (unsigned i = 0; i < 128; i++) {
        mapped[i] = xengnttab_map_grant_ref(f->tab, f->guest, ref, RW);
        assert_non_null(mapped[i]);
    }
    assert_map_fails(f, f->guest, ref, RW);
    for (unsigned i = 0; i < 128; i++)
        assert_int_equal(xengnttab_unmap(f->tab, mapped[i], 1), 0);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
    assert_nothing_left(f);
}

/* A hypervisor copies to and from the caller's own frames only. */
static void test_copy_does_not_go_through_a_mapping(void **state)
{
    struct fixture *f = *state;
    uint32_t refs[2];
    void *shared = xengntshr_share_pages(f->shr, 0, 2, refs, 1);
    char *mapped = xengnttab_map_domain_grant_refs(f->tab, 2, f->guest, refs, RW);
    xengnttab_grant_copy_segment_t segment = segment_in(f, refs[0], 0, mapped + 2 * PAGE - 1, 1);

    assert_int_equal(xengnttab_grant_copy(f->tab, 1, &segment), 0);
    assert_int_equal(segment.status, GNTST_bad_page);
    assert_int_equal(xengnttab_unmap(f->tab, mapped, 2), 0);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 2), 0);
}

/* The device finds a bad local address before the program does. */
static void test_strict_copy_reports_a_bad_address(void **state)
{
    struct fixture *f = *state;
    uint32_t ref;
    char *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1), local[8] = "before";
    char *edge = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    xengnttab_grant_copy_segment_t segment = segment_in(f, ref, 0, NULL, 8);

    assert_int_equal(xengnttab_grant_copy(f->tab, 1, &segment), -1);
    assert_int_equal(errno, EFAULT);
    munmap(edge + PAGE, PAGE);
    segment = segment_out(f, ref, 0, edge + PAGE - 4, 8);
    assert_int_equal(xengnttab_grant_copy(f->tab, 1, &segment), -1);
    assert_int_equal(errno, EFAULT);
    segment = segment_out(f, ref, 0, "constant", 8);
    assert_int_equal(xengnttab_grant_copy(f->tab, 1, &segment), -1);
    assert_int_equal(errno, EFAULT);
    strcpy(shared, "granted");
    segment = segment_out(f, ref, 0, local, 8);
    assert_int_equal(xengnttab_grant_copy(f->tab, 1, &segment), 0);
    assert_string_equal(local, "granted");
    munmap(edge, PAGE);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        cmocka_unit_test_setup_teardown(test_share_stops_at_the_limit, setup_small, teardown),
        TEST(test_unshare_waits_for_the_mapper),
        TEST(test_closing_a_handle_undoes_it),
        TEST(test_fork_does_not_share_maps),
        TEST(test_unmap_notifies_byte_and_port),
        TEST(test_death_of_the_mapper_notifies),
        TEST(test_unshare_notifies_byte_and_port),
        TEST(test_copy_moves_exactly_its_bytes),
        TEST(test_copy_has_a_status_a_segment),
        TEST(test_copy_refuses_to_leave_the_page),
        TEST(test_threads_do_not_disturb_each_other),
        TEST(test_no_more_maps_of_a_page_than_xen_counts),
        TEST(test_copy_does_not_go_through_a_mapping),
        cmocka_unit_test_setup_teardown(test_strict_copy_reports_a_bad_address, setup_strict, teardown),
        TEST(test_dmabufs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
