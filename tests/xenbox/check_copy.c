// SPDX-License-Identifier: MIT
/* check_copy.c: grant copy. */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/xenbox/grants.h"

static int setup(void **state)
{
    return grants_setup(state, NULL);
}

static int setup_strict(void **state)
{
    return grants_setup(state, "--mapping=strict");
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

/* A thread that a fault would kill gets its error, too. */
static void *blocked_main(void *arg)
{
    xengnttab_grant_copy_segment_t *segment = ((void **)arg)[1];
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    return (void *)(intptr_t)(xengnttab_grant_copy(((void **)arg)[0], 1, segment) < 0 ? errno : 0);
}

static void test_strict_copy_in_a_thread_without_signals(void **state)
{
    struct fixture *f = *state;
    uint32_t ref;
    char *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1);
    xengnttab_grant_copy_segment_t segment = segment_in(f, ref, 0, NULL, 8);
    void *arg[] = { f->tab, &segment }, *error;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, blocked_main, arg), 0);
    pthread_join(thread, &error);
    assert_int_equal((intptr_t)error, EFAULT);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
}

static sigjmp_buf after_fault;

static void fault_seen(int number)
{
    siglongjmp(after_fault, number);
}

/* Another's faults are what they were before the first copy: here the program's own handler's. */
static void test_strict_copy_leaves_other_faults_alone(void **state)
{
    struct fixture *f = *state;
    struct sigaction action = { .sa_handler = fault_seen }, before;
    char *edge = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), local[8];
    uint32_t ref;
    char *shared = xengntshr_share_pages(f->shr, 0, 1, &ref, 1);
    xengnttab_grant_copy_segment_t segment = segment_out(f, ref, 0, local, 8);
    pid_t pid;
    int status;

    /* In a process of its own, whose first copy it is. */
    pid = fork();
    if (pid == 0) {
        xengnttab_handle *tab;

        test_box_enter(0);
        tab = xengnttab_open(NULL, 0);
        sigaction(SIGSEGV, &action, &before);
        if (!tab || xengnttab_grant_copy(tab, 1, &segment) < 0)
            _exit(1);
        segment.dest.virt = edge;
        if (xengnttab_grant_copy(tab, 1, &segment) == 0 || errno != EFAULT)
            _exit(2);
        if (sigsetjmp(after_fault, 1) == 0) {
            *(volatile char *)edge = 1;
            _exit(3);
        }
        xengnttab_close(tab);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    munmap(edge, PAGE);
    assert_int_equal(xengntshr_unshare(f->shr, shared, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, grants_teardown)
#define STRICT(name) cmocka_unit_test_setup_teardown(name, setup_strict, grants_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_copy_moves_exactly_its_bytes),        TEST(test_copy_has_a_status_a_segment),
        TEST(test_copy_refuses_to_leave_the_page),      TEST(test_threads_do_not_disturb_each_other),
        TEST(test_copy_does_not_go_through_a_mapping),  STRICT(test_strict_copy_leaves_other_faults_alone),
        STRICT(test_strict_copy_reports_a_bad_address), STRICT(test_strict_copy_in_a_thread_without_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
