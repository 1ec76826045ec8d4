// SPDX-License-Identifier: MIT
/*
 * check_kill.c: a mapper and a sharer are killed with SIGKILL at random points, a thousand times; after each
 * time tables, ports, frames, connections, chunks and the hypervisor's descriptors are what they were before.
 *
 * Half of the victims are killed after a random time, the others are stopped then and single-stepped through
 * a random number of instructions first: the few instructions between two steps of an operation are where a
 * mistake would be, and no clock finds them. XS_SEED=N starts a run with the same choices; XS_ROUNDS=N sets
 * its length.
 */
#include <config.h>

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "tests/xenbox/box.h"

#define RW (PROT_READ | PROT_WRITE)
#define ROUNDS 1000u
#define SECONDS 90 /* a bound for slow machines: half of it is enough on two quiet cores */
#define STEPS_MAX 1500u /* from one system call to well past the next, at most places */
#define NOTIFY_STEPS 600u /* one notification and some more */
#define STABLE_REFS 4u /* shared by this process, so that a mapper always finds some */
#define FRESH_REFS 8u /* shared by the child that may be killed */

/* What the children tell each other, in memory that they share. */
struct board {
    uint32_t stable[STABLE_REFS];
    _Atomic uint32_t fresh[FRESH_REFS]; /* may be stale at any time */
    _Atomic int port; /* unbound, of the sharer, for domain 0 */
};

struct fixture {
    struct test_box box;
    uint32_t guest;
    xengntshr_handle *shr;
    struct board *board;
    struct audit_counts before;
    unsigned descriptors;
};

/* Children say so when their handles are open, then work until they are killed. */
static void child_start(int ready_fd, unsigned seed)
{
    int null = open("/dev/null", O_WRONLY);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    srand(seed);
    dup2(null, STDERR_FILENO); /* refusals are expected here */
    if (write(ready_fd, "", 1) != 1)
        _exit(1);
    close(ready_fd);
}

static void mapper_copy(xengnttab_handle *tab, const struct fixture *f, uint32_t fresh)
{
    char buffer[2 * XB_FRAME_SIZE];
    xengnttab_grant_copy_segment_t segments[3] = {
        { .source.foreign = { .ref = f->board->stable[0], .domid = f->guest },
          .dest.virt = buffer,
          .len = XB_FRAME_SIZE,
          .flags = GNTCOPY_source_gref },
        { .source.foreign = { .ref = f->board->stable[1], .domid = f->guest },
          .dest.foreign = { .ref = f->board->stable[2], .domid = f->guest },
          .len = 512,
          .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref },
        { .source.virt = buffer,
          .dest.foreign = { .ref = fresh, .domid = f->guest },
          .len = 100,
          .flags = GNTCOPY_dest_gref },
    };

    xengnttab_grant_copy(tab, 3, segments);
}

static void mapper_main(const struct fixture *f, int ready_fd, unsigned seed)
{
    xengnttab_handle *tab = xengnttab_open(NULL, 0);
    xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
    const struct board *board = f->board;

    child_start(ready_fd, seed);
    for (unsigned cycle = 0;; cycle++) {
        uint32_t fresh = atomic_load(&board->fresh[cycle % FRESH_REFS]);
        uint32_t refs[STABLE_REFS];
        int port = xenevtchn_bind_interdomain(evtchn, f->guest, atomic_load(&board->port));
        void *all, *one, *noted;

        memcpy(refs, board->stable, sizeof(refs));
        all = xengnttab_map_domain_grant_refs(tab, STABLE_REFS, f->guest, refs, PROT_READ);
        one = xengnttab_map_grant_ref(tab, f->guest, fresh, RW);
        noted = xengnttab_map_grant_ref_notify(tab, f->guest, refs[0], RW, 64, port > 0 ? port : -1);
        mapper_copy(tab, f, fresh);
        if (port > 0)
            xenevtchn_notify(evtchn, port);
        if (noted)
            xengnttab_unmap(tab, noted, 1);
        if (one && cycle % 3)
            xengnttab_unmap(tab, one, 1);
        if (all)
            xengnttab_unmap(tab, all, STABLE_REFS);
        if (port > 0 && cycle % 2)
            xenevtchn_unbind(evtchn, port);
        if (cycle % 64 == 63) {
            xengnttab_close(tab);
            tab = xengnttab_open(NULL, 0);
        }
    }
}

static void sharer_main(const struct fixture *f, int ready_fd, unsigned seed)
{
    xengntshr_handle *shr;
    xenevtchn_handle *evtchn;
    struct board *board = f->board;
    void *region[FRESH_REFS] = { NULL };

    test_box_enter(f->guest);
    shr = xengntshr_open(NULL, 0);
    evtchn = xenevtchn_open(NULL, 0);
    child_start(ready_fd, seed);
    for (unsigned cycle = 0;; cycle++) {
        unsigned at = cycle % FRESH_REFS;
        int port = xenevtchn_bind_unbound_port(evtchn, 0);
        uint32_t ref = 0;

        if (region[at])
            xengntshr_unshare(shr, region[at], 1);
        region[at] = xengntshr_share_page_notify(shr, 0, &ref, 1, 64, port);
        atomic_store(&board->fresh[at], ref);
        atomic_store(&board->port, port);
        xenevtchn_notify(evtchn, port);
        xenevtchn_unmask(evtchn, port);
        xenevtchn_unbind(evtchn, port);
    }
}

/* Stops a child wherever it is. False: that is not allowed here. */
static bool child_stop(pid_t pid)
{
    int status;

    return ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 && ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 &&
           waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
}

/* Steps a stopped child on. */
static void child_step(pid_t pid, unsigned steps)
{
    int status;

    while (steps-- && ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid &&
           WIFSTOPPED(status)) {
    }
}

static void child_kill(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    do
        assert_int_equal(waitpid(pid, &status, 0), pid);
    while (!WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void child_kill_sometime(pid_t pid)
{
    nanosleep(&(struct timespec){ .tv_nsec = rand() % 3000000 }, NULL);
    if (rand() % 2 && child_stop(pid))
        child_step(pid, rand() % STEPS_MAX);
    child_kill(pid);
}

static pid_t child_fork(struct fixture *f, void (*work)(const struct fixture *, int, unsigned))
{
    unsigned seed = rand();
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        close(ready[0]);
        work(f, ready[1], seed);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void round_run(struct fixture *f)
{
    bool is_mapper_first = rand() % 2;
    pid_t sharer = child_fork(f, sharer_main), mapper = child_fork(f, mapper_main);

    child_kill_sometime(is_mapper_first ? mapper : sharer);
    child_kill_sometime(is_mapper_first ? sharer : mapper);
}

static void notifier_main(const struct fixture *f, int ready_fd, unsigned seed)
{
    xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
    int port = xenevtchn_bind_interdomain(evtchn, f->guest, f->board->port);

    child_start(ready_fd, seed);
    for (;;)
        xenevtchn_notify(evtchn, port);
}

static unsigned number_from(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text ? strtoul(text, NULL, 10) : otherwise;
}

/* When a test that would take `seconds` ends: sooner in the short subset. */
static time_t end_after(unsigned seconds)
{
    const char *is_short = getenv("XS_SHORT");

    return time(NULL) + (is_short && *is_short ? 3 : seconds * number_from("XS_TIME_FACTOR", 1));
}

static void test_nothing_is_left_of_the_killed(void **state)
{
    unsigned seed = number_from("XS_SEED", time(NULL)), rounds = number_from("XS_ROUNDS", ROUNDS), round;
    struct fixture *f = *state;
    time_t end = end_after(SECONDS);

    srand(seed);
    print_message("seed %u\n", seed);
    for (round = 0; round < rounds && time(NULL) < end; round++) {
        round_run(f);
        if (!test_box_wait_counts(&f->box, &f->before))
            fail_msg("round %u (seed %u) left something behind", round, seed);
        test_box_audit(&f->box);
    }
    assert_int_equal(test_box_descriptors(&f->box), f->descriptors);
    print_message("%u rounds\n", round);
}

/* Unmasks `port` (if it is one), and all that comes, until nothing is queued any more. */
static void listener_drain(xenevtchn_handle *listener, int port)
{
    struct pollfd readable = { .fd = xenevtchn_fd(listener), .events = POLLIN };

    if (port)
        xenevtchn_unmask(listener, port);
    while (poll(&readable, 1, 0) == 1)
        xenevtchn_unmask(listener, xenevtchn_pending(listener));
}

/*
 * A notifier that dies between marking a port as delivered and delivering it must not silence the port:
 * nobody would ever unmask what was never seen.
 */
static void test_no_port_is_silenced_by_a_killed_notifier(void **state)
{
    struct fixture *f = *state;
    xenevtchn_handle *listener, *other = xenevtchn_open(NULL, 0);
    time_t end = end_after(SECONDS / 9);
    unsigned round;

    test_box_enter(f->guest);
    listener = xenevtchn_open(NULL, 0);
    test_box_enter(0);
    f->board->port = xenevtchn_bind_unbound_port(listener, 0);
    audit_count(f->box.tool.tables, &f->before);
    for (round = 0; round < ROUNDS && time(NULL) < end; round++) {
        pid_t pid = child_fork(f, notifier_main);
        int port;

        /* Unmasked while it is stopped, so that the next notification in its way is one to be delivered. */
        assert_int_equal(test_box_pending(listener), f->board->port);
        if (!child_stop(pid))
            break;
        listener_drain(listener, f->board->port);
        child_step(pid, rand() % NOTIFY_STEPS);
        child_kill(pid);
        assert_true(test_box_wait_counts(&f->box, &f->before));
        listener_drain(listener, 0);
        port = xenevtchn_bind_interdomain(other, f->guest, f->board->port);
        assert_true(port > 0);
        assert_int_equal(xenevtchn_notify(other, port), 0);
        assert_int_equal(test_box_pending(listener), f->board->port);
        assert_int_equal(xenevtchn_unmask(listener, f->board->port), 0);
        assert_int_equal(test_box_pending(other), port);
        assert_int_equal(xenevtchn_unbind(other, port), 0);
    }
    xenevtchn_close(listener);
    xenevtchn_close(other);
    if (round == 0)
        skip();
    print_message("%u rounds\n", round);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    test_box_start(&f->box, NULL);
    f->guest = test_box_create_domain(&f->box);
    f->board = mmap(NULL, sizeof(*f->board), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    test_box_enter(f->guest);
    f->shr = xengntshr_open(NULL, 0);
    assert_non_null(xengntshr_share_pages(f->shr, 0, STABLE_REFS, f->board->stable, 1));
    test_box_enter(0);
    audit_count(f->box.tool.tables, &f->before);
    f->descriptors = test_box_descriptors(&f->box);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    xengntshr_close(f->shr);
    test_box_stop(&f->box);
    munmap(f->board, sizeof(*f->board));
    free(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_left_of_the_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_port_is_silenced_by_a_killed_notifier, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
