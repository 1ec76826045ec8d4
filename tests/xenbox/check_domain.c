// SPDX-License-Identifier: MIT
/* check_domain.c: the life of a domain, and what becomes of a box whose hypervisor process is killed. */
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
#include <xen/xen.h>

#include "tests/xenbox/box.h"
#include "xenbox/lib/evtchn.h"

#define RW (PROT_READ | PROT_WRITE)

static int setup(void **state)
{
    struct test_box *box = calloc(1, sizeof(*box));

    test_box_start(box, NULL);
    *state = box;
    return 0;
}

static int teardown(void **state)
{
    struct test_box *box = *state;

    test_box_stop(box);
    free(box);
    return 0;
}

static struct xb_domain *domain_of(struct test_box *box, uint32_t domid)
{
    return &box->tool.tables->domain[domid];
}

static bool domain_is_free(struct test_box *box, void *arg)
{
    return atomic_load(&domain_of(box, *(uint32_t *)arg)->state) == XB_DOMAIN_FREE;
}

static int domain_ask(struct test_box *box, uint32_t op, uint32_t domid)
{
    struct xb_u32 request = { .value = domid };

    return client_call(&box->tool, op, &request, sizeof(request), NULL, 0, NULL);
}

static void destroy_and_wait(struct test_box *box, uint32_t domid)
{
    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_DESTROY, domid), 0);
    assert_true(test_box_wait(box, domain_is_free, &domid, 5000));
}

static void test_domain_zero_is_there(void **state)
{
    struct test_box *box = *state;
    struct xb_domain *zero = domain_of(box, 0);
    xenevtchn_handle *store = xenevtchn_open(NULL, 0);

    assert_int_equal(zero->state, XB_DOMAIN_RUNNING);
    assert_int_not_equal(zero->store_frame, XB_NO_FRAME);
    assert_true(xenevtchn_bind_interdomain(store, 0, zero->store_port) > 0);
    xenevtchn_close(store);
    /* The kernel's port is there for the next store. */
    store = xenevtchn_open(NULL, 0);
    assert_true(xenevtchn_bind_interdomain(store, 0, zero->store_port) > 0);
    xenevtchn_close(store);
    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_DESTROY, 0), -EINVAL);
    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_PAUSE, 0), -EINVAL);
    test_box_audit(box);
}

static void test_new_domain_has_rings_for_domain_zero(void **state)
{
    struct test_box *box = *state;
    uint32_t domid = test_box_create_domain(box);
    struct xb_domain *guest = domain_of(box, domid);
    xengnttab_handle *tab = xengnttab_open(NULL, 0);
    char *ring = xengnttab_map_grant_ref(tab, domid, XB_REF_STORE, RW);

    assert_non_null(ring);
    for (unsigned i = 0; i < XB_FRAME_SIZE; i++)
        assert_int_equal(ring[i], 0);
    assert_non_null(xengnttab_map_grant_ref(tab, domid, XB_REF_CONSOLE, RW));
    assert_null(xengnttab_map_grant_ref(tab, domid, 0, RW));
    assert_int_not_equal(guest->store_port, guest->console_port);
    assert_string_equal(guest->name, "Domain-1");
    xengnttab_close(tab);
    test_box_audit(box);
}

static void test_a_new_domain_is_not_taken_for_the_old_one(void **state)
{
    struct test_box *box = *state;
    struct xb_domain_create create = { .name = "again" };
    struct xb_u32 answer;
    uint32_t domid = test_box_create_domain(box), generation = domain_of(box, domid)->generation;
    uint8_t uuid[16];

    memcpy(uuid, domain_of(box, domid)->uuid, sizeof(uuid));
    create.domid = domid;
    assert_int_equal(
        client_call(&box->tool, XB_OP_DOMAIN_CREATE, &create, sizeof(create), &answer, sizeof(answer), NULL),
        -EEXIST);
    destroy_and_wait(box, domid);
    assert_int_not_equal(test_box_create_domain(box), domid); /* a domid rests */
    assert_int_equal(
        client_call(&box->tool, XB_OP_DOMAIN_CREATE, &create, sizeof(create), &answer, sizeof(answer), NULL),
        0);
    assert_int_equal(answer.value, domid);
    assert_string_equal(domain_of(box, domid)->name, "again");
    assert_int_equal(domain_of(box, domid)->generation, generation + 1);
    assert_memory_not_equal(domain_of(box, domid)->uuid, uuid, sizeof(uuid));
    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_DESTROY, 1999), -ESRCH);
    create.domid = XB_MAX_DOMAINS;
    assert_int_equal(
        client_call(&box->tool, XB_OP_DOMAIN_CREATE, &create, sizeof(create), &answer, sizeof(answer), NULL),
        -EINVAL);
}

static void test_pause_and_shutdown(void **state)
{
    struct test_box *box = *state;
    uint32_t domid = test_box_create_domain(box);
    struct xb_domain_shutdown shutdown = { .domid = domid, .reason = 3 };

    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_PAUSE, domid), 0);
    assert_int_equal(domain_of(box, domid)->state, XB_DOMAIN_PAUSED);
    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_UNPAUSE, domid), 0);
    assert_int_equal(domain_of(box, domid)->state, XB_DOMAIN_RUNNING);
    assert_int_equal(
        client_call(&box->tool, XB_OP_DOMAIN_SHUTDOWN, &shutdown, sizeof(shutdown), NULL, 0, NULL), 0);
    assert_int_equal(domain_of(box, domid)->state, XB_DOMAIN_SHUTDOWN);
    assert_int_equal(domain_of(box, domid)->shutdown_reason, 3);
    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_UNPAUSE, domid), -EINVAL);
    destroy_and_wait(box, domid);
}

/* A guest's program: shares a page full of `byte`, says so, waits to be killed. */
static pid_t guest_fork(uint32_t domid, char byte, uint32_t *ref)
{
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        xengntshr_handle *shr;
        uint32_t shared;
        char *page;

        test_box_enter(domid);
        shr = xengntshr_open(NULL, 0);
        page = xengntshr_share_pages(shr, 0, 1, &shared, 1);
        memset(page, byte, XB_FRAME_SIZE);
        if (write(ends[1], &shared, sizeof(shared)) == sizeof(shared))
            pause();
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], ref, sizeof(*ref)), sizeof(*ref));
    close(ends[0]);
    return pid;
}

static void test_destroy_kills_and_waits_for_the_mapper(void **state)
{
    struct test_box *box = *state;
    uint32_t domid = test_box_create_domain(box), ref;
    xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
    xengnttab_handle *tab = xengnttab_open(NULL, 0);
    int virq = xenevtchn_bind_virq(evtchn, VIRQ_DOM_EXC), status;
    pid_t guest = guest_fork(domid, 'g', &ref);
    char *page = xengnttab_map_grant_ref(tab, domid, ref, RW);

    assert_non_null(page);
    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_DESTROY, domid), 0);
    assert_int_equal(test_box_pending(evtchn), virq);
    assert_int_equal(xenevtchn_unmask(evtchn, virq), 0);
    assert_int_equal(waitpid(guest, &status, 0), guest);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    /* A zombie: the page is still the dead guest's, and nothing of it can be had any more. */
    assert_int_equal(domain_of(box, domid)->state, XB_DOMAIN_DYING);
    assert_int_equal(page[4095], 'g');
    assert_null(xengnttab_map_grant_ref(tab, domid, ref, RW));
    assert_int_equal(xenevtchn_bind_interdomain(evtchn, domid, 1), -1);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_DESTROY, domid), -ESRCH);
    test_box_enter(domid);
    assert_null(xengnttab_open(NULL, 0));
    test_box_enter(0);

    assert_int_equal(xengnttab_unmap(tab, page, 1), 0);
    assert_true(test_box_wait(box, domain_is_free, &domid, 5000));
    assert_int_equal(test_box_pending(evtchn), virq);
    xenevtchn_close(evtchn);
    xengnttab_close(tab);
    test_box_audit(box);
}

static void test_destroy_leaves_the_peer_unbound(void **state)
{
    struct test_box *box = *state;
    uint32_t domid = test_box_create_domain(box);
    xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
    int port = xenevtchn_bind_interdomain(evtchn, domid, domain_of(box, domid)->console_port);

    assert_true(port > 0);
    destroy_and_wait(box, domid);
    assert_int_equal(XB_LINK_TYPE(domain_of(box, 0)->port[port].link), XB_PORT_UNBOUND);
    assert_int_equal(xenevtchn_notify(evtchn, port), 0);
    assert_int_equal(xenevtchn_unbind(evtchn, port), 0);
    xenevtchn_close(evtchn);
    test_box_audit(box);
}

/* Frames that a daemon maps without a grant are held as well. */
static void test_foreign_map_holds_the_frame(void **state)
{
    struct test_box *box = *state;
    uint32_t domid = test_box_create_domain(box), frame;
    struct { /* struct xb_foreign_map with one gfn */
        uint32_t domid, count;
        uint64_t gfn;
    } map = { .domid = domid, .count = 1, .gfn = domain_of(box, domid)->console_frame };
    struct client foreign;

    assert_int_equal(client_open_as(&foreign, "test", NULL, XB_CONN_FOREIGN, 0, 0, -1, NULL), 0);
    assert_int_equal(client_call(&foreign, XB_OP_FOREIGN_MAP, &map, sizeof(map), &frame, sizeof(frame), NULL),
                     0);
    assert_int_equal(frame, map.gfn);
    map.gfn = domain_of(box, 0)->store_frame;
    assert_int_equal(client_call(&foreign, XB_OP_FOREIGN_MAP, &map, sizeof(map), &frame, sizeof(frame), NULL),
                     -EINVAL);
    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_DESTROY, domid), 0);
    assert_int_equal(domain_of(box, domid)->state, XB_DOMAIN_DYING);
    client_close(&foreign);
    assert_true(test_box_wait(box, domain_is_free, &domid, 5000));
    test_box_audit(box);
}

/* What plays a guest's kernel hears of the domain's death, is not killed, and is waited for. */
static void test_kernel_connection_sees_the_end(void **state)
{
    struct test_box *box = *state;
    uint32_t domid = test_box_create_domain(box), port = domain_of(box, domid)->store_port;
    xenevtchn_handle *kernel = evtchn_open_as(domid, XB_HELLO_KERNEL), *store = xenevtchn_open(NULL, 0);
    struct pollfd end = { .fd = evtchn_conn_fd(kernel), .events = POLLIN };
    int bound = xenevtchn_bind_interdomain(store, domid, port);

    assert_int_equal(xenevtchn_notify(store, bound), 0);
    assert_int_equal(evtchn_adopt(kernel, port), 0);
    assert_int_equal(test_box_pending(kernel), (int)port); /* what came before anybody listened */
    assert_int_equal(evtchn_adopt(kernel, port), -EBUSY);
    assert_int_equal(poll(&end, 1, 0), 0);
    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_DESTROY, domid), 0);
    assert_int_equal(poll(&end, 1, 5000), 1);
    assert_int_equal(domain_of(box, domid)->state, XB_DOMAIN_DYING);
    xenevtchn_close(kernel);
    assert_true(test_box_wait(box, domain_is_free, &domid, 5000));
    xenevtchn_close(store);
    test_box_audit(box);
}

/* A port of a kernel outlives its listener, and keeps what the listener did not get round to. */
static void test_kernel_port_can_be_adopted_again(void **state)
{
    struct test_box *box = *state;
    uint32_t domid = test_box_create_domain(box), port = domain_of(box, domid)->store_port;
    xenevtchn_handle *kernel = evtchn_open_as(domid, XB_HELLO_KERNEL), *store = xenevtchn_open(NULL, 0);
    int bound = xenevtchn_bind_interdomain(store, domid, port);

    assert_int_equal(evtchn_adopt(kernel, port), 0);
    assert_int_equal(xenevtchn_notify(store, bound), 0);
    xenevtchn_close(kernel);
    kernel = evtchn_open_as(domid, XB_HELLO_KERNEL);
    assert_int_equal(evtchn_adopt(kernel, port), 0);
    assert_int_equal(test_box_pending(kernel), (int)port);
    assert_int_equal(evtchn_adopt(kernel, 1000), -EINVAL);
    xenevtchn_close(kernel);
    xenevtchn_close(store);
}

/* Calls fail with EIO, memory stays, nothing hangs. */
static void test_box_that_was_killed(void **state)
{
    struct test_box *box = *state;
    uint32_t domid = test_box_create_domain(box), ref, refs[2];
    xengntshr_handle *shr;
    xengnttab_handle *tab = xengnttab_open(NULL, 0);
    xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
    int port = xenevtchn_bind_unbound_port(evtchn, domid), status;
    char *shared, *mapped, byte;
    xengnttab_grant_copy_segment_t segment = { .dest.virt = &byte, .len = 1, .flags = GNTCOPY_source_gref };

    test_box_enter(domid);
    shr = xengntshr_open(NULL, 0);
    test_box_enter(0);
    shared = xengntshr_share_pages(shr, 0, 1, &ref, 1);
    mapped = xengnttab_map_grant_ref(tab, domid, ref, RW);
    shared[0] = 'x';
    assert_int_equal(kill(box->pid, SIGKILL), 0);
    assert_int_equal(waitpid(box->pid, &status, 0), box->pid);

    assert_int_equal(mapped[0], 'x');
    assert_null(xengntshr_share_pages(shr, 0, 2, refs, 1));
    assert_int_equal(errno, EIO);
    assert_int_equal(xenevtchn_bind_unbound_port(evtchn, 0), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(xenevtchn_unbind(evtchn, port), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(xenevtchn_pending(evtchn), -1);
    assert_int_equal(errno, EIO);
    segment.source.foreign.ref = ref;
    segment.source.foreign.domid = domid;
    assert_int_equal(xengnttab_grant_copy(tab, 1, &segment), 0);
    assert_int_equal(byte, 'x');
    /* An entry whose holder is gone is never unlocked again: a copy must not wait for ever. */
    atomic_store(&domain_of(box, domid)->active[ref].lock, 0x12345);
    assert_int_equal(xengnttab_grant_copy(tab, 1, &segment), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(segment.status, GNTST_general_error);
    atomic_store(&domain_of(box, domid)->active[ref].lock, 0);
    assert_int_equal(xengnttab_unmap(tab, mapped, 1), 0);
    assert_null(xengnttab_open(NULL, 0));
    assert_int_equal(errno, ECONNREFUSED);
    xengnttab_close(tab);
    xengntshr_close(shr);
    xenevtchn_close(evtchn);
}

static void test_open_says_what_is_missing(void **state)
{
    struct test_box *box = *state;

    unsetenv(XB_ENV_BOX);
    assert_null(xengnttab_open(NULL, 0));
    assert_int_equal(errno, ENOENT);
    setenv(XB_ENV_BOX, "/nonexistent", 1);
    assert_null(xenevtchn_open(NULL, 0));
    assert_int_equal(errno, ENOENT);
    setenv(XB_ENV_BOX, box->dir, 1);
    setenv(XB_ENV_DOMID, "seven", 1);
    assert_null(xengntshr_open(NULL, 0));
    assert_int_equal(errno, EINVAL);
    test_box_enter(7);
    assert_null(xengntshr_open(NULL, 0));
    assert_int_equal(errno, ESRCH);
}

/* Two boxes in one process: each handle works on the box that it was opened in. */
static void test_boxes_do_not_mix(void **state)
{
    struct test_box *box = *state, other;
    xengntshr_handle *here = xengntshr_open(NULL, 0), *there;
    uint32_t ref_here, ref_there;
    char *page_here = xengntshr_share_pages(here, 0, 1, &ref_here, 1), *page_there;

    test_box_start(&other, NULL);
    there = xengntshr_open(NULL, 0);
    page_there = xengntshr_share_pages(there, 0, 1, &ref_there, 1);
    page_here[0] = 'h';
    assert_int_equal(ref_here, ref_there);
    assert_int_equal(page_there[0], 0);
    xengntshr_close(there);
    test_box_stop(&other);
    xengntshr_close(here);
    setenv(XB_ENV_BOX, box->dir, 1);
}

/* A client that sends nonsense is hung up on; the others do not notice. */
static void test_nonsense_ends_the_connection(void **state)
{
    struct test_box *box = *state;
    uint32_t payload[64] = { 0 };
    struct client client;

    for (uint32_t kind = XB_CONN_GNTTAB; kind <= XB_CONN_TOOL; kind++) {
        for (uint32_t op = 0; op <= XB_OP_CLOSE + 1; op++) {
            int sink = -1;

            if (op == XB_OP_STOP)
                continue;
            assert_int_equal(client_open_as(&client, "test", NULL, kind, 0, 0, -1, &sink), 0);
            client.is_lost = true; /* no log line when we are hung up on */
            memset(payload, rand(), sizeof(payload));
            for (size_t size = 0; size <= sizeof(payload); size += 20)
                client_call(&client, op, payload, size, payload, sizeof(payload), &(size_t){ 0 });
            client_close(&client);
            if (sink >= 0)
                close(sink);
        }
    }
    assert_int_equal(domain_ask(box, XB_OP_DOMAIN_DESTROY, 1234), -ESRCH);
    test_box_audit(box);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_domain_zero_is_there),
        TEST(test_new_domain_has_rings_for_domain_zero),
        TEST(test_a_new_domain_is_not_taken_for_the_old_one),
        TEST(test_pause_and_shutdown),
        TEST(test_destroy_kills_and_waits_for_the_mapper),
        TEST(test_destroy_leaves_the_peer_unbound),
        TEST(test_foreign_map_holds_the_frame),
        TEST(test_kernel_connection_sees_the_end),
        TEST(test_kernel_port_can_be_adopted_again),
        TEST(test_box_that_was_killed),
        TEST(test_open_says_what_is_missing),
        TEST(test_boxes_do_not_mix),
        TEST(test_nonsense_ends_the_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
