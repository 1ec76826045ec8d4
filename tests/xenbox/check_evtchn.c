// SPDX-License-Identifier: MIT
/* check_evtchn.c: event channels as the header and Linux's evtchn device have them. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <xenevtchn.h>
#include <xen/xen.h>

#include "tests/xenbox/box.h"

/* A handle of a guest and one of domain 0, with a channel between them that has had its first event. */
struct fixture {
    struct test_box box;
    uint32_t guest;
    xenevtchn_handle *far, *near;
    int far_port, near_port;
    struct audit_counts before; /* without the handles */
};

static xenevtchn_handle *handle_open(uint32_t domid)
{
    xenevtchn_handle *handle;

    test_box_enter(domid);
    handle = xenevtchn_open(NULL, 0);
    test_box_enter(0);
    assert_non_null(handle);
    return handle;
}

static bool is_readable(xenevtchn_handle *handle)
{
    struct pollfd fd = { .fd = xenevtchn_fd(handle), .events = POLLIN };

    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN);
}

/* The next port, at once. */
static int taken(xenevtchn_handle *handle)
{
    assert_true(is_readable(handle));
    return xenevtchn_pending(handle);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    test_box_start(&f->box, NULL);
    f->guest = test_box_create_domain(&f->box);
    audit_count(f->box.tool.tables, &f->before);
    f->far = handle_open(f->guest);
    f->near = handle_open(0);
    f->far_port = xenevtchn_bind_unbound_port(f->far, 0);
    assert_true(f->far_port > 0);
    f->near_port = xenevtchn_bind_interdomain(f->near, f->guest, f->far_port);
    assert_true(f->near_port > 0);
    /* Who binds gets a first event: what was sent before has been lost. */
    assert_int_equal(taken(f->near), f->near_port);
    assert_int_equal(xenevtchn_unmask(f->near, f->near_port), 0);
    assert_false(is_readable(f->near));
    assert_false(is_readable(f->far));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->far)
        xenevtchn_close(f->far);
    if (f->near)
        xenevtchn_close(f->near);
    assert_true(test_box_wait_counts(&f->box, &f->before));
    test_box_audit(&f->box);
    test_box_stop(&f->box);
    free(f);
    return 0;
}

static void test_event_is_delivered_once_until_unmasked(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(xenevtchn_notify(f->near, f->near_port), 0);
    assert_int_equal(taken(f->far), f->far_port);
    assert_false(is_readable(f->far));
    /* What came while it was masked is one more event. */
    assert_int_equal(xenevtchn_unmask(f->far, f->far_port), 0);
    assert_int_equal(taken(f->far), f->far_port);
    assert_int_equal(xenevtchn_unmask(f->far, f->far_port), 0);
    assert_false(is_readable(f->far));
    assert_int_equal(xenevtchn_notify(f->near, f->near_port), 0);
    assert_int_equal(taken(f->far), f->far_port);
    assert_int_equal(xenevtchn_notify(f->far, f->far_port), 0);
    assert_int_equal(taken(f->near), f->near_port);
}

static void test_notify_wants_the_handle_that_bound(void **state)
{
    struct fixture *f = *state;
    xenevtchn_handle *other = handle_open(0);

    assert_int_equal(xenevtchn_notify(other, f->near_port), -1);
    assert_int_equal(errno, ENOTCONN);
    assert_int_equal(xenevtchn_unbind(other, f->near_port), -1);
    assert_int_equal(errno, ENOTCONN);
    assert_int_equal(xenevtchn_notify(f->near, 4000), -1);
    assert_int_equal(errno, ENOTCONN);
    assert_int_equal(xenevtchn_notify(f->near, UINT32_MAX), -1);
    assert_int_equal(errno, ENOTCONN);
    assert_int_equal(xenevtchn_unbind(f->near, 1 << 20), -1);
    assert_int_equal(errno, EINVAL);
    /* Unmasking what is not ours does nothing, and is no error. */
    assert_int_equal(xenevtchn_notify(f->far, f->far_port), 0);
    assert_int_equal(xenevtchn_unmask(other, f->near_port), 0);
    assert_int_equal(xenevtchn_unmask(other, UINT32_MAX), 0);
    assert_int_equal(taken(f->near), f->near_port);
    assert_false(is_readable(f->near));
    xenevtchn_close(other);
}

static void test_bind_refuses_what_is_not_offered(void **state)
{
    struct fixture *f = *state;
    int port = xenevtchn_bind_unbound_port(f->far, 55);

    assert_true(port > 0); /* a domain that does not exist yet may be named */
    assert_int_equal(xenevtchn_bind_interdomain(f->near, f->guest, port), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(xenevtchn_bind_interdomain(f->near, f->guest, f->far_port), -1); /* taken */
    assert_int_equal(errno, EINVAL);
    assert_int_equal(xenevtchn_bind_interdomain(f->near, f->guest, 0), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(xenevtchn_bind_interdomain(f->near, f->guest, UINT32_MAX), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(xenevtchn_bind_interdomain(f->near, 77, 1), -1);
    assert_int_equal(errno, ESRCH);
}

static void test_notify_of_an_unconnected_port_is_silent(void **state)
{
    struct fixture *f = *state;
    int port = xenevtchn_bind_unbound_port(f->far, 0);

    assert_int_equal(xenevtchn_notify(f->far, port), 0);
    assert_int_equal(xenevtchn_unbind(f->near, f->near_port), 0);
    assert_int_equal(xenevtchn_notify(f->far, f->far_port), 0);
    assert_false(is_readable(f->near));
    assert_false(is_readable(f->far));
}

/* The end that is left waits for whoever closed, and can be bound again. */
static void test_close_leaves_the_peer_unbound(void **state)
{
    struct fixture *f = *state;
    xenevtchn_handle *third = handle_open(f->guest);

    assert_int_equal(xenevtchn_unbind(f->near, f->near_port), 0);
    assert_int_equal(xenevtchn_bind_interdomain(third, f->guest, f->far_port), -1);
    xenevtchn_close(third);
    f->near_port = xenevtchn_bind_interdomain(f->near, f->guest, f->far_port);
    assert_true(f->near_port > 0);
    assert_int_equal(xenevtchn_notify(f->near, f->near_port), 0);
    assert_int_equal(taken(f->far), f->far_port);
    assert_int_equal(xenevtchn_close(f->near), 0);
    f->near = handle_open(0);
    f->near_port = xenevtchn_bind_interdomain(f->near, f->guest, f->far_port);
    assert_true(f->near_port > 0);
}

static void test_a_freed_port_is_given_out_again(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 5000; i++) {
        int port = xenevtchn_bind_unbound_port(f->near, 9);

        assert_int_equal(port, f->near_port + 1);
        assert_int_equal(xenevtchn_unbind(f->near, port), 0);
    }
}

static void test_all_ports_at_once(void **state)
{
    struct fixture *f = *state;
    static int far[XB_MAX_PORTS], near[XB_MAX_PORTS];
    static bool seen[XB_MAX_PORTS];
    unsigned count = 0;

    while ((far[count] = xenevtchn_bind_unbound_port(f->far, 0)) > 0) {
        near[count] = xenevtchn_bind_interdomain(f->near, f->guest, far[count]);
        if (near[count] < 0)
            break;
        count++;
    }
    assert_int_equal(errno, ENOSPC);
    assert_in_range(count, 4000, XB_MAX_PORTS);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(xenevtchn_notify(f->near, near[i]), 0);
    for (unsigned i = 0; i < count; i++)
        seen[taken(f->far)] = true;
    assert_false(is_readable(f->far));
    for (unsigned i = 0; i < count; i++)
        assert_true(seen[far[i]]);
}

static void test_virq_is_bound_once(void **state)
{
    struct fixture *f = *state;
    struct xb_domain_shutdown shutdown = { .domid = f->guest, .reason = 1 };
    xenevtchn_handle *other = handle_open(0);
    int port = xenevtchn_bind_virq(f->near, VIRQ_DOM_EXC);

    assert_true(port > 0);
    assert_false(is_readable(f->near));
    assert_int_equal(xenevtchn_bind_virq(other, VIRQ_DOM_EXC), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(xenevtchn_bind_virq(other, 9999), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(
        client_call(&f->box.tool, XB_OP_DOMAIN_SHUTDOWN, &shutdown, sizeof(shutdown), NULL, 0, NULL), 0);
    assert_int_equal(test_box_pending(f->near), port);
    /* When the handle is closed, the virq is free: not a little later. */
    for (unsigned i = 0; i < 100; i++) {
        xenevtchn_close(f->near);
        f->near = other;
        assert_true(xenevtchn_bind_virq(f->near, VIRQ_DOM_EXC) > 0);
        other = handle_open(0);
    }
    xenevtchn_close(other);
}

static void test_restricted_handle_binds_to_one_domain(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(xenevtchn_restrict(f->near, 0), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(xenevtchn_restrict(f->near, f->guest), 0);
    assert_int_equal(xenevtchn_restrict(f->near, f->guest), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(xenevtchn_bind_unbound_port(f->near, f->guest + 1), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(xenevtchn_bind_interdomain(f->near, 0, 1), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(xenevtchn_bind_virq(f->near, VIRQ_DOM_EXC), -1);
    assert_int_equal(errno, EACCES);
    assert_true(xenevtchn_bind_unbound_port(f->near, f->guest) > 0);
    assert_int_equal(xenevtchn_notify(f->near, f->near_port), 0);
}

static void test_pending_honours_nonblocking(void **state)
{
    struct fixture *f = *state;

    fcntl(xenevtchn_fd(f->near), F_SETFL, O_NONBLOCK);
    assert_int_equal(xenevtchn_pending(f->near), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(xenevtchn_notify(f->far, f->far_port), 0);
    assert_int_equal(test_box_pending(f->near), f->near_port);
}

static void test_cloexec_unless_told_otherwise(void **state)
{
    struct fixture *f = *state;
    xenevtchn_handle *kept = xenevtchn_open(NULL, XENEVTCHN_NO_CLOEXEC);

    assert_int_equal(fcntl(xenevtchn_fd(f->near), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(xenevtchn_fd(kept), F_GETFD) & FD_CLOEXEC, 0);
    xenevtchn_close(kept);
    assert_null(xenevtchn_open(NULL, 2));
    assert_null(xenevtchn_fdopen(NULL, xenevtchn_fd(f->near), XENEVTCHN_NO_CLOEXEC));
    assert_int_equal(errno, EINVAL);
    assert_null(xenevtchn_fdopen(NULL, 0, 0));
}

/*
 * A successor has the descriptor only: it gets what was queued, and notifies and binds as if it had opened
 * it.
 */
static void test_fdopen_takes_the_handle_over(void **state)
{
    struct fixture *f = *state;
    int fd = dup(xenevtchn_fd(f->near)), port;

    assert_int_equal(xenevtchn_notify(f->far, f->far_port), 0);
    assert_int_equal(xenevtchn_close(f->near), 0);
    f->near = xenevtchn_fdopen(NULL, fd, 0);
    assert_non_null(f->near);
    assert_int_equal(taken(f->near), f->near_port);
    assert_int_equal(xenevtchn_notify(f->far, f->far_port), 0);
    assert_false(is_readable(f->near));
    assert_int_equal(xenevtchn_unmask(f->near, f->near_port), 0);
    assert_int_equal(taken(f->near), f->near_port);
    assert_int_equal(xenevtchn_notify(f->near, f->near_port), 0);
    assert_int_equal(taken(f->far), f->far_port);
    port = xenevtchn_bind_unbound_port(f->near, f->guest);
    assert_true(port > 0);
    assert_int_equal(xenevtchn_unbind(f->near, port), 0);
}

/* What a program does that was started with a descriptor: argv[2] is its number, argv[3] a port of it. */
static int successor_main(int fd, int port)
{
    xenevtchn_handle *handle = xenevtchn_fdopen(NULL, fd, 0);

    return !handle || xenevtchn_pending(handle) != port || xenevtchn_unmask(handle, port) < 0 ||
           xenevtchn_notify(handle, port) < 0;
}

static void test_handle_survives_exec(void **state)
{
    struct fixture *f = *state;
    char number[16], port[16];
    int status;
    pid_t pid;

    snprintf(number, sizeof(number), "%d", dup(xenevtchn_fd(f->near)));
    snprintf(port, sizeof(port), "%d", f->near_port);
    assert_int_equal(xenevtchn_notify(f->far, f->far_port), 0);
    pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "check_evtchn", "--successor", number, port, NULL);
        _exit(127);
    }
    close(atoi(number));
    assert_int_equal(xenevtchn_close(f->near), 0);
    f->near = NULL;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(test_box_pending(f->far), f->far_port);
}

/* A daemon forks into the background: the ports stay, and its child goes on with the handle. */
static void test_child_goes_on_with_the_handle(void **state)
{
    struct fixture *f = *state;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        /* In the child both connections to the hypervisor process are new ones. */
        int port = xenevtchn_pending(f->near);

        _exit(port != f->near_port || xenevtchn_unmask(f->near, port) < 0 ||
              xenevtchn_notify(f->near, port) < 0 || xenevtchn_bind_unbound_port(f->near, f->guest) < 0);
    }
    assert_int_equal(xenevtchn_notify(f->far, f->far_port), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(test_box_pending(f->far), f->far_port);
    /* And the parent's conversation was not disturbed. */
    assert_true(xenevtchn_bind_unbound_port(f->near, f->guest) > 0);
    assert_int_equal(xenevtchn_notify(f->near, f->near_port), 0);
}

static bool port_is_unbound(struct test_box *box, void *arg)
{
    struct fixture *f = (struct fixture *)box;

    return XB_LINK_TYPE(atomic_load(&box->tool.tables->domain[f->guest].port[f->far_port].link)) ==
           XB_PORT_UNBOUND;
}

static void test_ports_go_with_the_last_copy_of_the_descriptor(void **state)
{
    struct fixture *f = *state;
    int gate[2], status;
    pid_t pid;

    assert_int_equal(pipe(gate), 0);
    pid = fork();
    if (pid == 0) {
        char c;

        close(gate[1]);
        _exit(read(gate[0], &c, 1) != 0);
    }
    assert_int_equal(xenevtchn_close(f->near), 0);
    f->near = NULL;
    assert_false(port_is_unbound(&f->box, NULL));
    assert_int_equal(xenevtchn_notify(f->far, f->far_port), 0);
    close(gate[1]);
    close(gate[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(test_box_wait(&f->box, port_is_unbound, NULL, 5000));
}

struct producer {
    xenevtchn_handle *handle;
    int port;
    _Atomic unsigned *produced;
};

#define PRODUCED 20000u

static void *producer_main(void *arg)
{
    struct producer *producer = arg;

    for (unsigned i = 0; i < PRODUCED; i++) {
        atomic_fetch_add(producer->produced, 1);
        if (xenevtchn_notify(producer->handle, producer->port) < 0)
            return producer;
    }
    return NULL;
}

/*
 * Who looks after each event, and unmasks before looking, sees everything: an event is never lost in a race.
 */
static void test_no_event_is_lost(void **state)
{
    struct fixture *f = *state;
    _Atomic unsigned produced = 0;
    struct producer producer = { f->near, f->near_port, &produced };
    pthread_t threads[2];
    void *failed;

    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, producer_main, &producer), 0);
    for (unsigned seen = 0; seen < 2 * PRODUCED; seen = atomic_load(&produced)) {
        assert_int_equal(test_box_pending(f->far), f->far_port);
        assert_int_equal(xenevtchn_unmask(f->far, f->far_port), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

/* A listener: unmasks each port and says so. */
static void listener_main(struct fixture *f, int port, int says)
{
    xenevtchn_handle *handle = xenevtchn_open(NULL, 0);
    int bound = xenevtchn_bind_interdomain(handle, f->guest, port);

    while (xenevtchn_pending(handle) == bound && xenevtchn_unmask(handle, bound) == 0 &&
           write(says, "", 1) == 1) {
    }
    _exit(1);
}

/* A listener that was killed is no reason to die: also not in the moment before its ports are closed. */
static void test_no_sigpipe(void **state)
{
    struct fixture *f = *state;
    int port = xenevtchn_bind_unbound_port(f->far, 0), says[2], status;
    char byte;
    pid_t pid;

    assert_int_equal(pipe(says), 0);
    pid = fork();
    if (pid == 0)
        listener_main(f, port, says[1]);
    assert_int_equal(read(says[0], &byte, 1), 1);
    assert_int_equal(xenevtchn_notify(f->far, port), 0);
    assert_int_equal(read(says[0], &byte, 1), 1);
    kill(f->box.pid, SIGSTOP);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(xenevtchn_notify(f->far, port), 0);
    assert_int_equal(xenevtchn_notify(f->far, port), 0);
    kill(f->box.pid, SIGCONT);
    assert_int_equal(xenevtchn_unbind(f->far, port), 0);
    close(says[0]);
    close(says[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_event_is_delivered_once_until_unmasked),
        TEST(test_notify_wants_the_handle_that_bound),
        TEST(test_bind_refuses_what_is_not_offered),
        TEST(test_notify_of_an_unconnected_port_is_silent),
        TEST(test_close_leaves_the_peer_unbound),
        TEST(test_a_freed_port_is_given_out_again),
        TEST(test_all_ports_at_once),
        TEST(test_virq_is_bound_once),
        TEST(test_restricted_handle_binds_to_one_domain),
        TEST(test_pending_honours_nonblocking),
        TEST(test_cloexec_unless_told_otherwise),
        TEST(test_fdopen_takes_the_handle_over),
        TEST(test_handle_survives_exec),
        TEST(test_child_goes_on_with_the_handle),
        TEST(test_ports_go_with_the_last_copy_of_the_descriptor),
        TEST(test_no_event_is_lost),
        TEST(test_no_sigpipe),
    };

    if (argc == 4 && strcmp(argv[1], "--successor") == 0)
        return successor_main(atoi(argv[2]), atoi(argv[3]));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
