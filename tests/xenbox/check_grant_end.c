// SPDX-License-Identifier: MIT
/* check_grant_end.c: what happens when one end of a grant lets go first, or dies. */
#include <config.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/xenbox/grants.h"

static int setup(void **state)
{
    return grants_setup(state, NULL);
}

static bool ref_is_free(struct test_box *box, void *arg)
{
    const struct fixture *f = (const struct fixture *)box;

    return f->box.tool.tables->domain[f->guest].grant[*(uint32_t *)arg].flags == 0;
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
    assert_int_equal(active_of(f, refs[9])->pins_ro, test_box_pins(&f->box));
    assert_int_equal(xengnttab_close(tab), 0);
    assert_true(test_box_wait_counts(&f->box, &f->before));
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, grants_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unshare_waits_for_the_mapper),   TEST(test_closing_a_handle_undoes_it),
        TEST(test_unmap_notifies_byte_and_port),   TEST(test_death_of_the_mapper_notifies),
        TEST(test_unshare_notifies_byte_and_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
