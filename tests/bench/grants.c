// SPDX-License-Identifier: MIT
/*
 * grants.c: what the libraries of a box add to the system calls they cannot do without. Each row is measured in
 * turns with its limit, in one process, and is a ratio:
 *
 *   map N    map, touch and unmap N scattered pages; the limit: mmap and munmap of the same kind of pages
 *   copy N   N grant copies of a page in one call; the limit: memcpy of as much
 *   notify   a notification there and back between two threads; the limit: the same with two eventfds
 *   + pipe   the same; the limit: two pipes, which is what carries the port numbers, since the end of a pipe is seen
 *            when its last reader has closed it, and the end of an eventfd is not
 *
 * All is measured in a strict box. It runs in domain 0 of the box, and opens the other end in the guest whose number
 * is its argument.
 */
#include <config.h>

#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "tests/bench/bench.h"

#define PAGE 4096u
#define PAGES 1024u /* shared */
#define PAGES_MAX 256u /* in a row */
#define STRIDE 7u /* from one page of a row to the next: no two are neighbours */
#define COPIES 16u
#define ROUNDS_MAX 1000u
#define SLICE_NS 4000000u /* of one side in one round */
#define DOMID_VARIABLE "XENBOX_DOMID"

static struct {
    uint32_t guest;
    xengntshr_handle *shr;
    xengnttab_handle *tab;
    xenevtchn_handle *evtchn[2];
    evtchn_port_t port[2];
    int event[2];
    int pipe[2][2];
    uint32_t refs[PAGES]; /* in the scattered order */
    void *shared;
    int memfd;
    volatile char sum;
} bench;

static void map_ours(unsigned count)
{
    char *pages =
        xengnttab_map_domain_grant_refs(bench.tab, count, bench.guest, bench.refs, PROT_READ | PROT_WRITE);

    if (!pages)
        bench_die("xengnttab_map_domain_grant_refs");
    for (unsigned i = 0; i < count; i++)
        bench.sum += pages[i * PAGE];
    xengnttab_unmap(bench.tab, pages, count);
}

static void map_bare(unsigned count)
{
    const int prot = PROT_READ | PROT_WRITE;
    char *pages = mmap(NULL, count * PAGE, prot, MAP_SHARED, bench.memfd, 0);

    for (unsigned i = 1; pages != MAP_FAILED && i < count; i++)
        if (mmap(pages + i * PAGE, PAGE, prot, MAP_SHARED | MAP_FIXED, bench.memfd,
                 (off_t)(i * STRIDE % PAGES * PAGE)) == MAP_FAILED)
            bench_die("mmap");
    if (pages == MAP_FAILED)
        bench_die("mmap");
    for (unsigned i = 0; i < count; i++)
        bench.sum += pages[i * PAGE];
    munmap(pages, count * PAGE);
}

/* Both sides go round all pages, as I/O does: what is copied is not in the nearest cache. */
static char local[PAGES * PAGE];

static unsigned copy_next(unsigned count)
{
    static unsigned first;

    first = first + 2 * count <= PAGES ? first + count : 0;
    return first;
}

static void copy_ours(unsigned count)
{
    xengnttab_grant_copy_segment_t segments[COPIES];
    unsigned first = copy_next(count);

    for (unsigned i = 0; i < count; i++)
        segments[i] = (xengnttab_grant_copy_segment_t){
            .source.foreign = { .ref = bench.refs[first + i], .domid = (uint16_t)bench.guest },
            .dest.virt = local + (first + i) * PAGE,
            .len = PAGE,
            .flags = GNTCOPY_source_gref,
        };
    if (xengnttab_grant_copy(bench.tab, count, segments) < 0)
        bench_die("xengnttab_grant_copy");
}

static void copy_bare(unsigned count)
{
    unsigned first = copy_next(count);

    for (unsigned i = 0; i < count; i++)
        memcpy(local + (first + i) * PAGE, (char *)bench.shared + (first + i) * STRIDE % PAGES * PAGE, PAGE);
    __asm__ volatile("" : : "r"(local) : "memory");
}

static void fd_await(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };

    while (poll(&wait, 1, -1) != 1)
        ;
}

/* One end's part of a round trip: waits, takes the event, makes the next one possible. */
static void port_take(unsigned end)
{
    fd_await(xenevtchn_fd(bench.evtchn[end]));
    if (xenevtchn_unmask(bench.evtchn[end], (evtchn_port_t)xenevtchn_pending(bench.evtchn[end])) < 0)
        bench_die("xenevtchn_unmask");
}

static void event_take(unsigned end)
{
    eventfd_t value;

    fd_await(bench.event[end]);
    eventfd_read(bench.event[end], &value);
}

static void notify_ours(unsigned count)
{
    xenevtchn_notify(bench.evtchn[0], bench.port[0]);
    port_take(0);
}

static void notify_bare(unsigned count)
{
    eventfd_write(bench.event[1], 1);
    event_take(0);
}

static void pipe_take(unsigned end)
{
    evtchn_port_t port;

    fd_await(bench.pipe[end][0]);
    if (read(bench.pipe[end][0], &port, sizeof(port)) != sizeof(port))
        bench_die("read");
}

static void pipe_give(unsigned end)
{
    if (write(bench.pipe[end][1], &bench.port[end], sizeof(bench.port[end])) != sizeof(bench.port[end]))
        bench_die("write");
}

static void notify_pipe(unsigned count)
{
    pipe_give(1);
    pipe_take(0);
}

/* The other ends answer for as long as the program runs. */
static void *port_echo(void *arg)
{
    for (;;) {
        port_take(1);
        xenevtchn_notify(bench.evtchn[1], bench.port[1]);
    }
    return arg;
}

static void *event_echo(void *arg)
{
    for (;;) {
        event_take(1);
        eventfd_write(bench.event[0], 1);
    }
    return arg;
}

static void *pipe_echo(void *arg)
{
    for (;;) {
        pipe_take(1);
        pipe_give(0);
    }
    return arg;
}

static const struct row {
    const char *name;
    void (*ours)(unsigned count);
    void (*bare)(unsigned count);
    unsigned count;
    double at_most; /* the ratio that we want */
} rows[] = {
    { "map 1", map_ours, map_bare, 1, 1.2 },        { "map 11", map_ours, map_bare, 11, 1.2 },
    { "map 32", map_ours, map_bare, 32, 1.2 },      { "map 256", map_ours, map_bare, PAGES_MAX, 1.2 },
    { "copy 1", copy_ours, copy_bare, 1, 1.5 },     { "copy 16", copy_ours, copy_bare, COPIES, 1.5 },
    { "notify", notify_ours, notify_bare, 1, 1.1 }, { "+ pipe", notify_ours, notify_pipe, 1, 1.1 },
};

/* A handle's domain is that of the environment when it is opened. */
static void enter(uint32_t domid)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", domid);
    setenv(DOMID_VARIABLE, text, 1);
}

static void prepare(void)
{
    uint32_t refs[PAGES];
    pthread_t thread;
    cpu_set_t one;
    int port;

    /* One processor: what a wakeup costs, and not where the other thread happens to be. */
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    enter(bench.guest);
    bench.shr = xengntshr_open(NULL, 0);
    bench.evtchn[1] = xenevtchn_open(NULL, 0);
    enter(0);
    bench.tab = xengnttab_open(NULL, 0);
    bench.evtchn[0] = xenevtchn_open(NULL, 0);
    if (!bench.shr || !bench.tab || !bench.evtchn[0] || !bench.evtchn[1])
        bench_die("cannot open the box");
    bench.shared = xengntshr_share_pages(bench.shr, 0, PAGES, refs, 1);
    bench.memfd = memfd_create("bench", MFD_CLOEXEC);
    if (!bench.shared || bench.memfd < 0 || ftruncate(bench.memfd, PAGES * PAGE) < 0)
        bench_die("cannot share pages");
    for (unsigned i = 0; i < PAGES; i++) {
        bench.refs[i] = refs[i * STRIDE % PAGES];
        memset((char *)bench.shared + i * PAGE, (int)i, PAGE);
        if (pwrite(bench.memfd, (char *)bench.shared + i * PAGE, PAGE, (off_t)i * PAGE) != PAGE)
            bench_die("pwrite");
    }
    port = xenevtchn_bind_unbound_port(bench.evtchn[1], 0);
    bench.port[1] = (evtchn_port_t)port;
    port = port < 0 ? port : xenevtchn_bind_interdomain(bench.evtchn[0], bench.guest, bench.port[1]);
    if (port < 0)
        bench_die("cannot connect an event channel");
    bench.port[0] = (evtchn_port_t)port;
    if (pipe(bench.pipe[0]) < 0 || pipe(bench.pipe[1]) < 0)
        bench_die("pipe");
    bench.event[0] = eventfd(0, EFD_CLOEXEC);
    bench.event[1] = eventfd(0, EFD_CLOEXEC);
    if (pthread_create(&thread, NULL, port_echo, NULL) || pthread_create(&thread, NULL, event_echo, NULL) ||
        pthread_create(&thread, NULL, pipe_echo, NULL))
        bench_die("pthread_create");
    port_take(0); /* binding has set it pending, and the other end answers its own */
}

/* Nanoseconds of one operation. */
static double measure(void (*operate)(unsigned count), unsigned count)
{
    uint64_t start = bench_now_ns(), now;
    unsigned done = 0;

    do {
        operate(count);
        done++;
        now = bench_now_ns();
    } while (now - start < SLICE_NS);
    return (double)(now - start) / done;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

static void run(const struct row *row, unsigned rounds, bool is_json)
{
    static double ours[ROUNDS_MAX], bare[ROUNDS_MAX], ratio[ROUNDS_MAX];
    double a, b, r;

    row->ours(row->count);
    row->bare(row->count);
    for (unsigned i = 0; i < rounds; i++) {
        ours[i] = measure(row->ours, row->count);
        bare[i] = measure(row->bare, row->count);
        ratio[i] = ours[i] / bare[i];
    }
    a = median(ours, rounds) / 1000;
    b = median(bare, rounds) / 1000;
    r = median(ratio, rounds);
    if (is_json)
        printf("{\"name\":\"%s\",\"ours_us\":%.3f,\"limit_us\":%.3f,\"ratio\":%.3f,\"at_most\":%.1f}\n",
               row->name, a, b, r, row->at_most);
    else
        printf("%-10s %10.2f %10.2f %8.2f %8.1f%s\n", row->name, a, b, r, row->at_most,
               r > row->at_most ? "  more" : "");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "rounds", required_argument, NULL, 'r' },
        { 0 },
    };
    unsigned rounds = 25;
    bool is_json = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'j')
            is_json = true;
        else if (option == 'r')
            rounds = (unsigned)atoi(optarg);
        else
            return 2;
    }
    if (optind != argc - 1 || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench-grants [--json] [--rounds N] GUEST\n");
        return 2;
    }
    bench.guest = (uint32_t)atoi(argv[optind]);
    prepare();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        run(&rows[i], rounds, is_json);
    return 0;
}
