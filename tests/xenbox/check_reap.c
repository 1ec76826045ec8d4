// SPDX-License-Identifier: MIT
/*
 * check_reap.c: a domain whose processes have mapped a hundred thousand pages is destroyed; nothing is left of
 * it, and the hypervisor process does not work for long on that before it serves a call of a bystander's. What is
 * measured is its processor time, whatever else the machine does.
 */
#include <config.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "tests/xenbox/box.h"

#define MAPPERS 4u /* processes: each has room for some 65,000 mappings */
#define HANDLES 2u /* of each */
#define SHARED 2000u /* pages of domain 0 */
#define TIMES 13u /* that each mapper maps each of them: 104,000 mappings */
#define SHARE_CALL 500u
#define STRIDE 7u /* between neighbours in a mapping, so that no two of its pages are one piece */
#define LONGEST_MS 100.0 /* of processor time; some 5 are usual */

struct fixture {
    struct test_box box;
    xengntshr_handle *shr;
    xenevtchn_handle *evtchn;
    uint32_t refs[SHARED];
    uint32_t guest;
    pid_t mappers[MAPPERS];
};

/* What the hypervisor process has worked so far. */
static double worked_ms(const struct fixture *f)
{
    struct timespec worked;
    clockid_t clock;

    assert_int_equal(clock_getcpuclockid(f->box.pid, &clock), 0);
    assert_int_equal(clock_gettime(clock, &worked), 0);
    return worked.tv_sec * 1e3 + worked.tv_nsec / 1e6;
}

/* A sanitized build works longer for the same. */
static double time_factor(void)
{
    const char *text = getenv("XS_TIME_FACTOR");

    return text ? strtod(text, NULL) : 1;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    test_box_start(&f->box, "--limit=gntalloc-pages=4096");
    f->shr = xengntshr_open(NULL, 0);
    f->evtchn = xenevtchn_open(NULL, 0);
    assert_non_null(f->shr);
    assert_non_null(f->evtchn);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    xenevtchn_close(f->evtchn);
    xengntshr_close(f->shr);
    test_box_stop(&f->box);
    free(f);
    return 0;
}

/* Maps its part of the pages by several handles, says so, and stays. */
static void mapper_main(struct fixture *f, int ready_fd)
{
    xengnttab_handle *tab[HANDLES];
    uint32_t refs[SHARED];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    test_box_enter(f->guest);
    for (unsigned i = 0; i < HANDLES; i++)
        tab[i] = xengnttab_open(NULL, 0);
    for (unsigned i = 0; i < SHARED; i++)
        refs[i] = f->refs[i * STRIDE % SHARED];
    for (unsigned i = 0; i < TIMES; i++)
        if (!tab[i % HANDLES] ||
            !xengnttab_map_domain_grant_refs(tab[i % HANDLES], SHARED, 0, refs, PROT_READ))
            _exit(1);
    if (write(ready_fd, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void mappers_start(struct fixture *f)
{
    for (unsigned i = 0; i < MAPPERS; i++) {
        int ready[2];
        char byte;

        assert_int_equal(pipe(ready), 0);
        f->mappers[i] = fork();
        assert_true(f->mappers[i] >= 0);
        if (f->mappers[i] == 0)
            mapper_main(f, ready[1]);
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
    }
}

static void *destroy_main(void *arg)
{
    struct fixture *f = arg;
    struct xb_u32 domid = { f->guest };

    return (void *)(intptr_t)client_call(&f->box.tool, XB_OP_DOMAIN_DESTROY, &domid, sizeof(domid), NULL, 0,
                                         NULL);
}

/* The longest work during a bystander's call until the box holds what it held before. */
static double longest_work_ms(struct fixture *f, const struct audit_counts *before, unsigned *calls)
{
    struct audit_counts counts = { 0 };
    double longest = 0;

    do {
        double from = worked_ms(f), worked;
        int port = xenevtchn_bind_unbound_port(f->evtchn, 0);

        assert_true(port > 0);
        assert_int_equal(xenevtchn_unbind(f->evtchn, port), 0);
        worked = worked_ms(f) - from;
        longest = worked > longest ? worked : longest;
        ++*calls;
        if (*calls % 64 == 0)
            audit_count(f->box.tool.tables, &counts);
    } while (*calls < 64 || memcmp(&counts, before, sizeof(counts)) != 0);
    print_message("%u calls, the most work during one: %.2f ms\n", *calls, longest);
    return longest;
}

static void test_death_of_a_hundred_thousand_mappings_stalls_nobody(void **state)
{
    struct fixture *f = *state;
    struct audit_counts before, counts;
    unsigned calls = 0;
    pthread_t destroyer;
    double longest;
    void *ret;

    for (unsigned i = 0; i < SHARED; i += SHARE_CALL)
        assert_non_null(xengntshr_share_pages(f->shr, 1, SHARE_CALL, &f->refs[i], 0));
    audit_count(f->box.tool.tables, &before);
    f->guest = test_box_create_domain(&f->box);
    assert_int_equal(f->guest, 1);
    mappers_start(f);
    audit_count(f->box.tool.tables, &counts);
    assert_int_equal(counts.maps, MAPPERS * TIMES * SHARED * test_box_pins(&f->box));

    assert_int_equal(pthread_create(&destroyer, NULL, destroy_main, f), 0);
    longest = longest_work_ms(f, &before, &calls);
    pthread_join(destroyer, &ret);
    assert_int_equal((intptr_t)ret, 0);
    for (unsigned i = 0; i < MAPPERS; i++)
        assert_int_equal(waitpid(f->mappers[i], NULL, 0), f->mappers[i]);
    assert_true(test_box_wait_counts(&f->box, &before));
    test_box_audit(&f->box);
    if (longest > LONGEST_MS * time_factor())
        fail_msg("expected at most %.0f ms of work before a call is served, found %.0f ms", LONGEST_MS,
                 longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_death_of_a_hundred_thousand_mappings_stalls_nobody, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
