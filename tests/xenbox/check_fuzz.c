// SPDX-License-Identifier: MIT
/*
 * check_fuzz.c: one domain scribbles over all that is its own in the tables (scribble.h) and is killed, again and
 * again, while another one and domain 0 share pages, map, copy and notify, with all contents verified. The hypervisor
 * process must live, nothing of the others may be hurt, the audit must survive whatever it finds, and when the
 * scribbling domain is destroyed the tables are in balance again.
 *
 * The seed is printed. XS_FUZZ_SEED=N repeats a run as far as the scheduler lets it; XS_FUZZ_SECONDS=N lengthens one.
 */
#include <config.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/xenbox/grants.h"
#include "tests/xenbox/scribble.h"

#define SECONDS 4
#define PAGES 8
#define KILL_MS_MAX 40u /* how long a scribbler lives at most */

struct bystander {
    struct fixture *f;
    _Atomic bool is_stopped;
    unsigned rounds;
    xenevtchn_handle *guest, *host;
    int guest_port, host_port;
    xengnttab_handle *backend; /* domain 0's that serves the scribbler */
    uint32_t scribbler;
};

static int setup(void **state)
{
    return grants_setup(state, NULL);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + now.tv_nsec / 1e9;
}

static uint64_t from_environment(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 0) : fallback;
}

/*
 * An event from one end to the other. Says false when it does not come. With a forged listener the scribbler's own
 * ports may be heard of, too: numbers that mean nothing here.
 */
static bool event_goes(xenevtchn_handle *from, int from_port, xenevtchn_handle *to, int to_port)
{
    int port;

    if (xenevtchn_notify(from, (evtchn_port_t)from_port) < 0)
        return false;
    do
        port = test_box_pending(to);
    while (port >= 0 && port != to_port);
    return port == to_port && xenevtchn_unmask(to, (evtchn_port_t)to_port) == 0;
}

/* What domain 0 does with the scribbler's pages may fail in any way, and must hurt nobody. */
static void serve_scribbler(struct bystander *b)
{
    for (uint32_t ref = XB_RESERVED_REFS; ref < XB_RESERVED_REFS + PAGES; ref++) {
        char *page = xengnttab_map_grant_ref(b->backend, b->scribbler, ref, RW), copied[64];
        xengnttab_grant_copy_segment_t segment = { .source.virt = copied,
                                                   .dest.foreign = { .ref = ref,
                                                                     .domid = (domid_t)b->scribbler },
                                                   .len = sizeof(copied),
                                                   .flags = GNTCOPY_dest_gref };

        memset(copied, 'c', sizeof(copied));
        xengnttab_grant_copy(b->backend, 1, &segment);
        if (page) {
            memset(page, 'm', PAGE);
            xengnttab_unmap(b->backend, page, 1);
        }
    }
}

static bool pages_are(const char *pages, char byte)
{
    for (unsigned i = 0; i < PAGES * PAGE; i++) {
        if (pages[i] != byte)
            return false;
    }
    return true;
}

static bool page_is_copied(struct fixture *f, uint32_t ref, char byte)
{
    char copied[PAGE];
    xengnttab_grant_copy_segment_t segment = { .source.foreign = { .ref = ref, .domid = (domid_t)f->guest },
                                               .dest.virt = copied,
                                               .len = PAGE,
                                               .flags = GNTCOPY_source_gref };

    return xengnttab_grant_copy(f->tab, 1, &segment) == 0 && segment.status == GNTST_okay &&
           copied[0] == byte && memcmp(copied, copied + 1, PAGE - 1) == 0;
}

/* Pages are shared, mapped, written from both sides, copied, let go of. NULL, or what was wrong. */
static const char *work_once(struct bystander *b)
{
    struct fixture *f = b->f;
    uint32_t refs[PAGES];
    char byte = (char)(b->rounds % 255 + 1), *mapped,
         *shared = xengntshr_share_pages(f->shr, 0, PAGES, refs, 1);

    if (!shared)
        return "pages cannot be shared";
    if (!pages_are(shared, 0))
        return "a shared page is not empty";
    mapped = xengnttab_map_domain_grant_refs(f->tab, PAGES, f->guest, refs, RW);
    if (!mapped)
        return "pages cannot be mapped";
    memset(shared, byte, PAGES * PAGE);
    serve_scribbler(b);
    if (!pages_are(mapped, byte))
        return "a mapped page is not what its owner has written";
    if (!page_is_copied(f, refs[b->rounds % PAGES], byte))
        return "a copied page is not what its owner has written";
    memset(mapped, ~byte, PAGES * PAGE);
    serve_scribbler(b);
    if (!pages_are(shared, (char)~byte))
        return "a page is not what its mapper has written";
    if (!event_goes(b->guest, b->guest_port, b->host, b->host_port) ||
        !event_goes(b->host, b->host_port, b->guest, b->guest_port))
        return "an event is lost";
    if (xengnttab_unmap(f->tab, mapped, PAGES) < 0 || xengntshr_unshare(f->shr, shared, PAGES) < 0)
        return "pages cannot be let go of";
    return NULL;
}

static void *bystander_main(void *arg)
{
    struct bystander *b = arg;
    const char *wrong = NULL;

    for (; !wrong && !b->is_stopped; b->rounds++)
        wrong = work_once(b);
    return (void *)wrong;
}

/* Lets a scribbler live for a moment. */
static void scribbler_run(struct fixture *f, uint32_t domid, uint64_t *random)
{
    const struct timespec life = { .tv_nsec = (long)(scribble_random(random) % KILL_MS_MAX + 1) * 1000000 };
    struct scribble scribble = { .domid = domid,
                                 .victim = f->guest,
                                 .victim_refs = XB_RESERVED_REFS + 2 * PAGES,
                                 .seed = scribble_random(random) };
    char why[256];
    pid_t pid = fork();

    assert_return_code(pid, 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(null, STDERR_FILENO); /* it complains about what it has done to itself */
        signal(SIGABRT, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        scribble_run(&scribble);
    }
    nanosleep(&life, NULL);
    /* What it finds does not matter, only that it comes back. */
    audit_tables(f->box.tool.tables, why, sizeof(why));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool domain_is_gone(struct test_box *box, void *arg)
{
    return atomic_load(&box->tool.tables->domain[*(uint32_t *)arg].state) == XB_DOMAIN_FREE;
}

static void bystander_open(struct bystander *b, struct fixture *f)
{
    *b = (struct bystander){ .f = f };
    test_box_enter(f->guest);
    b->guest = xenevtchn_open(NULL, 0);
    test_box_enter(0);
    b->host = xenevtchn_open(NULL, 0);
    b->backend = xengnttab_open(NULL, 0);
    assert_true(b->guest && b->host && b->backend);
    b->guest_port = xenevtchn_bind_unbound_port(b->guest, 0);
    b->host_port = xenevtchn_bind_interdomain(b->host, f->guest, (evtchn_port_t)b->guest_port);
    assert_true(b->guest_port > 0 && b->host_port > 0);
    /* Binding has set it pending. */
    assert_int_equal(test_box_pending(b->host), b->host_port);
    xenevtchn_unmask(b->host, (evtchn_port_t)b->host_port);
}

static void bystander_close(struct bystander *b)
{
    xenevtchn_close(b->guest);
    xenevtchn_close(b->host);
    xengnttab_close(b->backend);
}

static void test_scribbling_domain_hurts_only_itself(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 0, random;
    double end = now_s() + (double)from_environment("XS_FUZZ_SECONDS", SECONDS);
    unsigned scribblers = 0, domains = 0;
    struct bystander bystander;
    pthread_t thread;
    void *wrong;

    assert_int_equal(getrandom(&seed, 4, 0), 4);
    seed = random = from_environment("XS_FUZZ_SEED", seed);
    fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    bystander_open(&bystander, f);
    while (now_s() < end) {
        uint32_t domid = test_box_create_domain(&f->box);
        struct xb_u32 request = { .value = domid };

        bystander.scribbler = domid;
        bystander.is_stopped = false;
        assert_int_equal(pthread_create(&thread, NULL, bystander_main, &bystander), 0);
        for (unsigned i = 0; i < 8; i++, scribblers++)
            scribbler_run(f, domid, &random);
        bystander.is_stopped = true;
        pthread_join(thread, &wrong);
        if (wrong)
            fail_msg("seed %llu: %s (round %u)", (unsigned long long)seed, (char *)wrong, bystander.rounds);
        assert_int_equal(
            client_call(&f->box.tool, XB_OP_DOMAIN_DESTROY, &request, sizeof(request), NULL, 0, NULL), 0);
        if (!test_box_wait(&f->box, domain_is_gone, &domid, 5000))
            fail_msg("seed %llu: domain %u stays as a zombie", (unsigned long long)seed, domid);
        test_box_audit(&f->box);
        domains++;
    }
    fprintf(stderr, "%u scribblers of %u domains, %u rounds beside them\n", scribblers, domains,
            bystander.rounds);
    assert_true(bystander.rounds > domains);
    bystander_close(&bystander);
    assert_nothing_left(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_scribbling_domain_hurts_only_itself, setup, grants_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
