// SPDX-License-Identifier: MIT
/*
 * check_unmap_io.c: mappings that go away while I/O refers to their pages. The references are taken as the
 * replacements of libaio and liburing take them, without any I/O. Catalogue H03, H04, H05.
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
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
#include "xenbox/kernel/user_pages.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGE XB_FRAME_SIZE
#define PAGES 8

/* A guest that shares pages with domain 0, which has them mapped. */
struct fixture {
    struct test_box box;
    uint32_t guest;
    xengntshr_handle *shr;
    xengnttab_handle *tab;
    struct audit_counts before; /* with both handles open */
    uint32_t ref[PAGES];
    char *shared, *mapped;
};

static int fixture_open(void **state, const char *option)
{
    struct fixture *f = calloc(1, sizeof(*f));

    test_box_start(&f->box, option);
    f->guest = test_box_create_domain(&f->box);
    test_box_enter(f->guest);
    f->shr = xengntshr_open(NULL, 0);
    test_box_enter(0);
    f->tab = xengnttab_open(NULL, 0);
    assert_non_null(f->shr);
    assert_non_null(f->tab);
    audit_count(f->box.tool.tables, &f->before);
    f->shared = xengntshr_share_pages(f->shr, 0, PAGES, f->ref, 1);
    assert_non_null(f->shared);
    f->mapped = xengnttab_map_domain_grant_refs(f->tab, PAGES, f->guest, f->ref, RW);
    assert_non_null(f->mapped);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return fixture_open(state, NULL);
}

static int setup_punish(void **state)
{
    return fixture_open(state, "--punish");
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

static struct user_pages *pin(const void *address, size_t bytes, enum xb_io_kind kind)
{
    struct iovec buffer = { .iov_base = (void *)address, .iov_len = bytes };
    struct user_pages *pins;

    assert_int_equal(user_pages_pin(&buffer, 1, true, kind, &pins), 0);
    assert_non_null(pins);
    return pins;
}

/* Does the owner see the page in use? */
static bool is_in_use(struct fixture *f, unsigned page)
{
    return f->box.tool.tables->domain[f->guest].grant[f->ref[page]].flags & (GTF_reading | GTF_writing);
}

static unsigned pins_of(struct fixture *f, unsigned page)
{
    const struct xb_active *active = &f->box.tool.tables->domain[f->guest].active[f->ref[page]];

    return active->pins_ro + active->pins_rw;
}

/* Is there anything of ours at this address? */
static bool is_mapped(const void *address)
{
    unsigned char there;

    return mincore((void *)address, PAGE, &there) == 0;
}

static void assert_maps(struct fixture *f, unsigned count)
{
    struct audit_counts now;

    audit_count(f->box.tool.tables, &now);
    assert_int_equal(now.maps, f->before.maps + count);
}

/* H03: the unmap returns at once, the address is gone at once, and the pages are let go when the I/O is over. */
static void test_h03_unmap_under_io_does_not_wait(void **state)
{
    struct fixture *f = *state;
    struct user_pages *pins = pin(f->mapped + 3 * PAGE + 512, 1024, XB_IO_URING);

    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), 0);
    assert_false(is_mapped(f->mapped));
    for (unsigned page = 0; page < PAGES; page++)
        assert_true(is_in_use(f, page));
    test_box_audit(&f->box);
    user_pages_unpin(pins);
    for (unsigned page = 0; page < PAGES; page++)
        assert_false(is_in_use(f, page));
    assert_maps(f, 0);
}

/* A program takes a part away itself, and leaves the rest to the library. */
static void test_munmap_of_a_part_under_io(void **state)
{
    struct fixture *f = *state;
    struct user_pages *pins = pin(f->mapped + PAGE, 2 * PAGE, XB_IO_AIO);

    assert_int_equal(munmap(f->mapped + PAGE, 3 * PAGE), 0);
    assert_false(is_in_use(f, 3));
    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), 0);
    assert_true(is_in_use(f, 1));
    assert_true(is_in_use(f, 2));
    test_box_audit(&f->box);
    user_pages_unpin(pins);
    for (unsigned page = 0; page < PAGES; page++)
        assert_false(is_in_use(f, page));
    assert_maps(f, 0);
}

/* The owner ends the grant meanwhile: its page is not used for anything else before the I/O is over. */
static void test_owner_ends_the_grant_under_io(void **state)
{
    struct fixture *f = *state;
    struct user_pages *pins = pin(f->mapped, PAGES * PAGE, XB_IO_AIO);
    struct audit_counts now;

    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), 0);
    assert_int_equal(xengntshr_unshare(f->shr, f->shared, PAGES), 0);
    audit_count(f->box.tool.tables, &now);
    assert_int_equal(now.frames, f->before.frames + PAGES);
    test_box_audit(&f->box);
    user_pages_unpin(pins);
    assert_true(test_box_wait_counts(&f->box, &(struct audit_counts){ .conns = f->before.conns,
                                                                      .chunks = f->before.chunks + 1,
                                                                      .maps = f->before.maps,
                                                                      .domains = f->before.domains,
                                                                      .grants = f->before.grants,
                                                                      .frames = f->before.frames,
                                                                      .ports = f->before.ports }));
}

/* H04: a second unmap of the range, and a new map of the same refs, while the first one is under way. */
static void test_h04_unmap_twice_and_map_again(void **state)
{
    struct fixture *f = *state;
    struct user_pages *pins = pin(f->mapped, PAGE, XB_IO_AIO);
    char *again;

    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), 0);
    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), -1);
    assert_int_equal(errno, EINVAL);
    again = xengnttab_map_domain_grant_refs(f->tab, PAGES, f->guest, f->ref, RW);
    assert_non_null(again);
    assert_int_equal(pins_of(f, 0), 2);
    test_box_audit(&f->box);
    user_pages_unpin(pins);
    assert_int_equal(pins_of(f, 0), 1);
    assert_int_equal(xengnttab_unmap(f->tab, again, PAGES), 0);
    assert_maps(f, 0);
}

/* H05: the handle is closed while the unmap is under way, or with the mapping in place. */
static void test_h05_close_under_io(void **state)
{
    struct fixture *f = *state;
    struct user_pages *pins[2];
    char *other = xengnttab_map_grant_ref(f->tab, f->guest, f->ref[1], PROT_READ);
    struct iovec buffer = { .iov_base = other, .iov_len = PAGE };

    assert_non_null(other);
    pins[0] = pin(f->mapped, PAGE, XB_IO_AIO);
    assert_int_equal(user_pages_pin(&buffer, 1, false, XB_IO_URING, &pins[1]), 0);
    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), 0);
    xengnttab_close(f->tab);
    f->tab = NULL;
    assert_false(is_mapped(other));
    assert_int_equal(pins_of(f, 0), 1);
    assert_int_equal(pins_of(f, 1), 2);
    test_box_audit(&f->box);
    user_pages_unpin(pins[0]);
    assert_int_equal(pins_of(f, 0), 0);
    assert_int_equal(pins_of(f, 1), 1);
    user_pages_unpin(pins[1]);
    assert_int_equal(pins_of(f, 1), 0);
    assert_maps(f, 0);
}

/*
 * As in Linux, where the byte is cleared when the unmap begins, and the last reference to a mapping sends the event:
 * what is told to be unmapped is.
 */
static void test_notification_comes_after_the_last_io(void **state)
{
    struct fixture *f = *state;
    xenevtchn_handle *listener = xenevtchn_open(NULL, 0), *notifier = xenevtchn_open(NULL, 0);
    xenevtchn_port_or_error_t port = xenevtchn_bind_unbound_port(listener, 0);
    xenevtchn_port_or_error_t remote = xenevtchn_bind_interdomain(notifier, 0, port);
    struct pollfd event = { .fd = xenevtchn_fd(listener), .events = POLLIN };
    struct user_pages *pins;
    char *page;

    assert_int_equal(test_box_pending(notifier), remote);
    f->shared[0] = f->shared[1] = 1;
    page = xengnttab_map_grant_ref_notify(f->tab, f->guest, f->ref[0], RW, 0, remote);
    assert_non_null(page);
    pins = pin(page, PAGE, XB_IO_AIO);
    assert_int_equal(xengnttab_unmap(f->tab, page, 1), 0);
    assert_int_equal(f->shared[0], 0);
    assert_int_equal(poll(&event, 1, 0), 0);
    assert_int_equal(pins_of(f, 0), 2);
    f->shared[0] = 2; /* it is the owner's again */
    user_pages_unpin(pins);
    assert_int_equal(test_box_pending(listener), port);
    assert_int_equal(f->shared[0], 2);
    assert_int_equal(f->shared[1], 1);
    assert_int_equal(pins_of(f, 0), 1);
    xenevtchn_close(notifier);
    xenevtchn_close(listener);
}

/* Only pages that are granted are pinned, over the borders of mappings, and read-only ones are not written. */
static void test_pin_finds_the_granted_pages(void **state)
{
    struct fixture *f = *state;
    char *readonly = xengnttab_map_grant_ref(f->tab, f->guest, f->ref[5], PROT_READ),
         *ordinary = malloc(PAGE);
    struct iovec buffers[] = {
        { .iov_base = ordinary, .iov_len = PAGE },
        { .iov_base = f->mapped + PAGE - 1, .iov_len = 2 },
        { .iov_base = f->mapped + 7 * PAGE + 4095, .iov_len = 1 },
        { .iov_base = readonly, .iov_len = 512 },
    };
    struct iovec pieces[4];
    struct user_pages *pins;

    assert_int_equal(user_pages_pin(buffers, 1, true, XB_IO_AIO, &pins), 0);
    assert_null(pins);
    assert_int_equal(user_pages_pin(buffers, 4, true, XB_IO_AIO, &pins), -EFAULT);
    assert_null(pins);
    assert_int_equal(user_pages_pin(buffers, 4, false, XB_IO_AIO, &pins), 0);
    assert_int_equal(user_pages_translate(pins, buffers, 4, pieces, 4), 4);
    assert_memory_equal(pieces, buffers, sizeof(pieces));
    assert_int_equal(user_pages_translate(pins, buffers, 4, pieces, 3), -E2BIG);
    user_pages_unpin(pins);
    free(ordinary);
    assert_int_equal(xengnttab_unmap(f->tab, readonly, 1), 0);
    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), 0);
    assert_maps(f, 0);
}

/* A buffer over many mappings of one page each, however they lie in the address space. */
static void test_pin_over_many_mappings(void **state)
{
    struct fixture *f = *state;
    struct iovec buffer[PAGES];
    struct user_pages *pins;

    for (unsigned page = 0; page < PAGES; page++) {
        buffer[page].iov_base = xengnttab_map_grant_ref(f->tab, f->guest, f->ref[page], RW);
        buffer[page].iov_len = PAGE;
        assert_non_null(buffer[page].iov_base);
    }
    assert_int_equal(user_pages_pin(buffer, PAGES, true, XB_IO_AIO, &pins), 0);
    for (unsigned page = 0; page < PAGES; page++)
        assert_int_equal(xengnttab_unmap(f->tab, buffer[page].iov_base, 1), 0);
    for (unsigned page = 0; page < PAGES; page++)
        assert_int_equal(pins_of(f, page), 2);
    user_pages_unpin(pins);
    for (unsigned page = 0; page < PAGES; page++)
        assert_int_equal(pins_of(f, page), 1);
}

/* A child has no mapping, so its I/O finds none. */
static void test_forked_child_has_no_mapping(void **state)
{
    struct fixture *f = *state;
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(user_pages_touch(f->mapped, PAGE) || is_mapped(f->mapped) ? 1 : 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(user_pages_touch(f->mapped, PAGE));
}

/* A process that maps the pages, pins the first of them and is killed. */
static void mapper_dies(struct fixture *f, enum xb_io_kind kind)
{
    int ends[2], status;
    char ready;
    pid_t child;

    assert_return_code(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        xengnttab_handle *tab = xengnttab_open(NULL, 0);
        char *mapped = xengnttab_map_domain_grant_refs(tab, PAGES, f->guest, f->ref, RW);

        pin(mapped, PAGE, kind);
        if (write(ends[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    assert_int_equal(pins_of(f, 0), 2);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(ends[0]);
    close(ends[1]);
}

static bool is_once_pinned(struct test_box *box, void *arg)
{
    for (unsigned page = 0; page < PAGES; page++) {
        if (pins_of(arg, page) != 1)
            return false;
    }
    return true;
}

static bool is_damaged(struct test_box *box, void *arg)
{
    return box->tool.tables->domain[0].damage != 0;
}

static void test_death_under_io_is_clean(void **state)
{
    struct fixture *f = *state;

    mapper_dies(f, XB_IO_URING);
    assert_true(test_box_wait(&f->box, is_once_pinned, f, 5000));
    mapper_dies(f, XB_IO_AIO);
    assert_true(test_box_wait(&f->box, is_once_pinned, f, 5000));
    assert_false(is_damaged(&f->box, NULL));
}

static void assert_no_direct_io(struct fixture *f)
{
    char *page = xengnttab_map_grant_ref(f->tab, f->guest, f->ref[0], RW);
    struct iovec buffer = { .iov_base = page, .iov_len = 512 };
    struct user_pages *pins;

    assert_non_null(page);
    assert_int_equal(user_pages_pin(&buffer, 1, false, XB_IO_AIO, &pins), -ENOMEM);
    assert_int_equal(user_pages_pin(&buffer, 1, true, XB_IO_URING, &pins), -ENOMEM);
    assert_int_equal(xengnttab_unmap(f->tab, page, 1), 0);
}

/* The pins stay, and direct I/O on what is mapped from then on fails; what is mapped already works. */
static void test_unmap_under_io_is_punished(void **state)
{
    struct fixture *f = *state;
    char *other = xengnttab_map_grant_ref(f->tab, f->guest, f->ref[0], RW);
    struct user_pages *pins = pin(f->mapped, PAGE, XB_IO_AIO);

    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), 0);
    assert_int_equal(f->box.tool.tables->domain[0].damage, PAGES);
    user_pages_unpin(pins);
    for (unsigned page = 1; page < PAGES; page++)
        assert_int_equal(pins_of(f, page), 1);
    test_box_audit(&f->box);
    user_pages_unpin(pin(other, PAGE, XB_IO_AIO));
    assert_int_equal(xengnttab_unmap(f->tab, other, 1), 0);
    assert_no_direct_io(f);
    /* Not even the end of the handle changes that. */
    xengnttab_close(f->tab);
    for (unsigned page = 0; page < PAGES; page++)
        assert_int_equal(pins_of(f, page), 1);
    f->tab = xengnttab_open(NULL, 0);
    assert_no_direct_io(f);
}

static void test_unmap_without_io_is_not_punished(void **state)
{
    struct fixture *f = *state;

    user_pages_unpin(pin(f->mapped, PAGE, XB_IO_AIO));
    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), 0);
    assert_false(is_damaged(&f->box, NULL));
    assert_maps(f, 0);
}

static void test_death_with_aio_is_not_punished(void **state)
{
    struct fixture *f = *state;

    mapper_dies(f, XB_IO_AIO);
    assert_true(test_box_wait(&f->box, is_once_pinned, f, 5000));
    assert_false(is_damaged(&f->box, NULL));
}

static void test_death_with_io_uring_is_punished(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(xengnttab_unmap(f->tab, f->mapped, PAGES), 0);
    f->mapped = xengnttab_map_domain_grant_refs(f->tab, PAGES, f->guest, f->ref, RW);
    mapper_dies(f, XB_IO_URING);
    assert_true(test_box_wait(&f->box, is_damaged, NULL, 5000));
    for (unsigned page = 0; page < PAGES; page++)
        assert_int_equal(pins_of(f, page), 2);
    test_box_audit(&f->box);
    assert_no_direct_io(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_h03_unmap_under_io_does_not_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_munmap_of_a_part_under_io, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owner_ends_the_grant_under_io, setup, teardown),
        cmocka_unit_test_setup_teardown(test_h04_unmap_twice_and_map_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_h05_close_under_io, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notification_comes_after_the_last_io, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pin_finds_the_granted_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pin_over_many_mappings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forked_child_has_no_mapping, setup, teardown),
        cmocka_unit_test_setup_teardown(test_death_under_io_is_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unmap_under_io_is_punished, setup_punish, teardown),
        cmocka_unit_test_setup_teardown(test_unmap_without_io_is_not_punished, setup_punish, teardown),
        cmocka_unit_test_setup_teardown(test_death_with_aio_is_not_punished, setup_punish, teardown),
        cmocka_unit_test_setup_teardown(test_death_with_io_uring_is_punished, setup_punish, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
