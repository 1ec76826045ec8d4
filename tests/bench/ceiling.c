// SPDX-License-Identifier: MIT
/*
 * ceiling.c: what a blkif ring can do at most on this machine: a frontend and a backend that do nothing but move
 * requests and responses through the real ring layout and its event rules, with two eventfds as event channels
 * and no store, no grants, no disk and hardly a check. Nothing real can be faster; how close the product comes
 * says what its checking and moving costs. The backend runs on the processor after the frontend's.
 */
#include <config.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/barrier.h"
#include <xen/grant_table.h>
#include <xen/io/ring.h>
#include <xen/io/blkif.h>

#include "tests/bench/bench.h"

#define RING_BYTES 4096u
#define END_OPERATION 0xffu

struct probe {
    blkif_sring_t *sring;
    int kick;
    int interrupt;
};

static void event_send(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof(one)) != sizeof(one))
        bench_die("event");
}

static void event_wait(int fd)
{
    uint64_t count;

    if (read(fd, &count, sizeof(count)) != sizeof(count))
        bench_die("event");
}

static void backend_run(const struct probe *probe, bool is_polled)
{
    blkif_back_ring_t ring;
    blkif_request_t request;
    blkif_response_t *response;
    int more, notify;

    BACK_RING_INIT(&ring, probe->sring, RING_BYTES);
    for (;;) {
        while (RING_HAS_UNCONSUMED_REQUESTS(&ring)) {
            RING_COPY_REQUEST(&ring, ring.req_cons, &request);
            ring.req_cons++;
            if (request.operation == END_OPERATION)
                _exit(0);
            response = RING_GET_RESPONSE(&ring, ring.rsp_prod_pvt++);
            response->id = request.id;
            response->operation = request.operation;
            response->status = request.nr_segments == 1 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
        }
        RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&ring, notify);
        if (notify)
            event_send(probe->interrupt);
        if (is_polled)
            continue;
        RING_FINAL_CHECK_FOR_REQUESTS(&ring, more);
        if (!more)
            event_wait(probe->kick);
    }
}

struct frontend {
    const struct probe *probe;
    const struct bench_options *options;
    struct bench_result *result;
    blkif_front_ring_t ring;
    uint64_t started_ns[BENCH_DEPTH_MAX];
    uint64_t seed;
};

static void frontend_queue(struct frontend *front, uint64_t id, uint64_t now)
{
    blkif_request_t *request = RING_GET_REQUEST(&front->ring, front->ring.req_prod_pvt++);

    request->operation = BLKIF_OP_READ;
    request->nr_segments = 1;
    request->handle = 0;
    request->id = id;
    request->sector_number = bench_random(&front->seed) & 0xffff8;
    request->seg[0] = (struct blkif_request_segment){ .gref = (grant_ref_t)id, .first_sect = 0, .last_sect = 7 };
    front->started_ns[id] = now;
}

static void frontend_push(struct frontend *front)
{
    int notify;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front->ring, notify);
    if (notify) {
        event_send(front->probe->kick);
        front->result->kicks++;
    }
}

static void frontend_wait(struct frontend *front)
{
    int more;

    while (!RING_HAS_UNCONSUMED_RESPONSES(&front->ring)) {
        if (front->options->is_polled) {
            __builtin_ia32_pause();
            continue;
        }
        RING_FINAL_CHECK_FOR_RESPONSES(&front->ring, more);
        if (more)
            break;
        event_wait(front->probe->interrupt);
        front->result->interrupts++;
    }
}

static void frontend_run(struct frontend *front)
{
    struct bench_result *result = front->result;
    uint64_t start = bench_now_ns(), cpu = bench_cpu_ns(), now = start;
    uint64_t end = start + (uint64_t)(front->options->seconds * 1e9);
    uint32_t in_flight = front->options->depth;
    blkif_response_t response;

    for (uint64_t id = 0; id < front->options->depth; id++)
        frontend_queue(front, id, now);
    frontend_push(front);
    while (in_flight > 0) {
        frontend_wait(front);
        now = bench_now_ns();
        while (RING_HAS_UNCONSUMED_RESPONSES(&front->ring)) {
            RING_COPY_RESPONSE(&front->ring, front->ring.rsp_cons, &response);
            front->ring.rsp_cons++;
            if (response.id >= front->options->depth || response.status != BLKIF_RSP_OKAY)
                exit(1);
            bench_histogram_add(&result->latency, now - front->started_ns[response.id]);
            result->ios++;
            if (now < end)
                frontend_queue(front, response.id, now);
            else
                in_flight--;
        }
        frontend_push(front);
    }
    result->elapsed_ns = now - start;
    result->cpu_ns = bench_cpu_ns() - cpu;
}

/* The backend goes to the next processor that this process may use, if there is one. */
static void backend_place(void)
{
    int own = sched_getcpu(), count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((own + 1) % count, &set);
    sched_setaffinity(0, sizeof(set), &set); /* a refusal leaves it where it is */
}

int main(int argc, char **argv)
{
    static struct bench_options options;
    static struct bench_result result;
    struct probe probe = { .kick = eventfd(0, EFD_CLOEXEC), .interrupt = eventfd(0, EFD_CLOEXEC) };
    static struct frontend front = { .options = &options, .result = &result, .seed = 88172645463325252u };
    pid_t backend;

    bench_parse(argc, argv, &options);
    probe.sring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (probe.sring == MAP_FAILED || probe.kick < 0 || probe.interrupt < 0)
        bench_die("set-up");
    SHARED_RING_INIT(probe.sring);
    front.probe = &probe;
    FRONT_RING_INIT(&front.ring, probe.sring, RING_BYTES);
    if (options.depth >= RING_SIZE(&front.ring))
        options.depth = RING_SIZE(&front.ring) - 1; /* one slot is left for the end */

    backend = fork();
    if (backend < 0)
        bench_die("fork");
    if (backend == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        backend_place();
        backend_run(&probe, options.is_polled);
    }
    frontend_run(&front);
    RING_GET_REQUEST(&front.ring, front.ring.req_prod_pvt++)->operation = END_OPERATION;
    RING_PUSH_REQUESTS(&front.ring);
    event_send(probe.kick);
    waitpid(backend, NULL, 0);
    bench_print("ceiling", &options, &result);
    return 0;
}
