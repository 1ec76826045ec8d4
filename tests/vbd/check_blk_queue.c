// SPDX-License-Identifier: MIT
/*
 * check_blk_queue.c: one queue with both ends of its ring in this process, so that every step can be looked at:
 * starts that fail half way, an empty buffer pool, stops with requests in flight, adoption at a given point.
 * Runs in a box (or a dom0), with grants and event channels of this very domain.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "backend/blk/blk_queue.h"
#include "backend/disk/disk.h"
#include "backend/disk/disk_kind.h"
#include "backend/disk/engine.h"
#include "backend/worker.h"

#define PAGES 4u
#define UNGRANTED_REF 31000u

struct fixture {
    struct worker worker;
    struct event *evtchn_event;
    struct disk *disk;
    struct blk_queue queue;
    char dir[64], image[96], inflight[96];
    unsigned int broken, stopped;
    /* the guest's side */
    xengntshr_handle *gntshr;
    xenevtchn_handle *evtchn;
    blkif_sring_t *page;
    blkif_front_ring_t front;
    uint32_t ring_ref, refs[PAGES];
    unsigned char *data;
    evtchn_port_t port;
};

static void on_evtchn(evutil_socket_t fd, short what, void *arg)
{
    channel_dispatch(arg);
}

static void on_broken(struct blk_queue *queue)
{
    ((struct fixture *)queue->owner)->broken++;
}

static void on_stopped(struct blk_queue *queue)
{
    ((struct fixture *)queue->owner)->stopped++;
}

static void worker_open(struct worker *worker)
{
    worker->base = event_base_new();
    worker->evtchn = xenevtchn_open(NULL, 0);
    worker->gnttab = xengnttab_open(NULL, 0);
    assert_non_null(worker->evtchn);
    assert_non_null(worker->gnttab);
    fcntl(xenevtchn_fd(worker->evtchn), F_SETFL, O_NONBLOCK);
    assert_int_equal(engine_create(&worker->engine, worker->base, ENGINE_AUTO), 0);
}

static void guest_open(struct fixture *f)
{
    f->gntshr = xengntshr_open(NULL, 0);
    f->evtchn = xenevtchn_open(NULL, 0);
    f->page = xengntshr_share_pages(f->gntshr, 0, 1, &f->ring_ref, 1);
    f->data = xengntshr_share_pages(f->gntshr, 0, PAGES, f->refs, 1);
    assert_non_null(f->page);
    assert_non_null(f->data);
    XEN_FRONT_RING_INIT(&f->front, f->page, 4096);
    f->port = (evtchn_port_t)xenevtchn_bind_unbound_port(f->evtchn, 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char reason[256];
    int fd;

    snprintf(f->dir, sizeof(f->dir), "/tmp/check-queue.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->image, sizeof(f->image), "%s/image", f->dir);
    snprintf(f->inflight, sizeof(f->inflight), "%s/inflight", f->dir);
    fd = open(f->image, O_CREAT | O_RDWR, 0600);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    close(fd);
    assert_int_equal(disk_open(&f->disk, f->image, false, 100, reason, sizeof(reason)), 0);
    worker_open(&f->worker);
    f->evtchn_event = event_new(f->worker.base, xenevtchn_fd(f->worker.evtchn), EV_READ | EV_PERSIST,
                                on_evtchn, &f->worker);
    event_add(f->evtchn_event, NULL);
    guest_open(f);
    f->queue = (struct blk_queue){
        .owner = f,
        .worker = &f->worker,
        .disk = f->disk,
        .limits = { .sectors = 2048, .sector_bytes = 512, .can_flush = true, .indirect_segments = 32 },
        .identity = { .ring_ref = f->ring_ref, .remote_port = f->port },
        .inflight_path = f->inflight,
        .label = "vbd 0/0 q0",
        .on_broken = on_broken,
        .on_stopped = on_stopped,
    };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    blk_queue_fini(&f->queue);
    engine_destroy(f->worker.engine);
    event_free(f->evtchn_event);
    event_base_free(f->worker.base);
    xenevtchn_close(f->worker.evtchn);
    xengnttab_close(f->worker.gnttab);
    /* Nothing of the queue may hold on to the guest's pages. */
    assert_int_equal(xengntshr_unshare(f->gntshr, f->data, PAGES), 0);
    assert_int_equal(xengntshr_unshare(f->gntshr, f->page, 1), 0);
    xenevtchn_close(f->evtchn);
    xengntshr_close(f->gntshr);
    disk_close(f->disk);
    unlink(f->image);
    unlink(f->inflight);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

static void turn(struct fixture *f)
{
    event_base_loop(f->worker.base, EVLOOP_ONCE);
}

static void stop(struct fixture *f, bool is_kept)
{
    f->stopped = 0;
    blk_queue_stop(&f->queue, is_kept);
    while (!f->stopped)
        turn(f);
    assert_int_equal(f->queue.state, BLK_QUEUE_STOPPED);
}

static void put(struct fixture *f, uint8_t operation, uint64_t id, uint64_t sector)
{
    blkif_request_t request = { .operation = operation, .nr_segments = 1, .id = id, .sector_number = sector };

    request.seg[0] = (struct blkif_request_segment){ .gref = f->refs[id % PAGES], .last_sect = 7 };
    *RING_GET_REQUEST(&f->front, f->front.req_prod_pvt) = request;
    f->front.req_prod_pvt++;
}

static void push(struct fixture *f)
{
    RING_PUSH_REQUESTS(&f->front);
    assert_int_equal(xenevtchn_notify(f->evtchn, f->port), 0);
}

/* Until this many more responses are there; all must have this status. */
static void expect(struct fixture *f, unsigned int count, int status)
{
    while (f->page->rsp_prod - f->front.rsp_cons < count)
        turn(f);
    assert_int_equal(f->page->rsp_prod - f->front.rsp_cons, count);
    while (count-- > 0)
        assert_int_equal(RING_GET_RESPONSE(&f->front, f->front.rsp_cons++)->status, status);
}

static void test_a02_starts_that_fail_hold_nothing(void **state)
{
    struct fixture *f = *state;

    f->queue.inflight_path = "/nowhere/inflight";
    assert_int_equal(blk_queue_start(&f->queue), -ENOENT);
    assert_non_null(strstr(f->queue.reason, "/nowhere/inflight"));
    f->queue.inflight_path = f->inflight;
    f->queue.identity.ring_ref = UNGRANTED_REF;
    assert_true(blk_queue_start(&f->queue) < 0);
    assert_non_null(strstr(f->queue.reason, "ref 31000"));
    f->queue.identity.ring_ref = f->ring_ref;
    f->queue.identity.remote_port = f->port + 1000;
    assert_true(blk_queue_start(&f->queue) < 0);
    assert_non_null(strstr(f->queue.reason, "event-channel"));
    assert_int_equal(access(f->inflight, F_OK), -1);
    /* The ring can still be mapped, the port still be bound: each failure gave back what it had. */
    f->queue.identity.remote_port = f->port;
    assert_int_equal(blk_queue_start(&f->queue), 0);
    stop(f, false);
    assert_int_equal(access(f->inflight, F_OK), -1);
    assert_int_equal(f->stopped, 1);
}

static void test_requests_are_served(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    memset(f->data, 'w', 4096);
    put(f, BLKIF_OP_WRITE, 0, 16);
    push(f);
    expect(f, 1, BLKIF_RSP_OKAY);
    put(f, BLKIF_OP_FLUSH_DISKCACHE, 0, 0);
    put(f, BLKIF_OP_READ, 1, 16);
    push(f);
    expect(f, 2, BLKIF_RSP_OKAY);
    assert_int_equal(f->data[4096], 'w');
    assert_int_equal(f->data[8191], 'w');
    stop(f, false);
}

static void test_an_empty_pool_makes_requests_wait_in_their_place(void **state)
{
    struct buffer_pool *pool = engine_buffers(((struct fixture *)*state)->worker.engine);
    struct buffer_waiter nobody = { 0 };
    struct fixture *f = *state;
    void *taken[BUFFER_POOL_BUFFERS];

    assert_int_equal(blk_queue_start(&f->queue), 0);
    turn(f);
    for (unsigned int i = 0; i < BUFFER_POOL_BUFFERS; i++)
        taken[i] = buffer_pool_take(pool, &nobody);
    for (unsigned int i = 0; i < 8; i++)
        put(f, BLKIF_OP_READ, i, 0);
    push(f);
    turn(f);
    assert_true(f->queue.waiter.is_waiting);
    assert_int_equal(f->queue.owed, 0);
    assert_int_equal(f->page->rsp_prod, f->front.rsp_cons);
    buffer_pool_give(pool, taken[0]); /* one is enough for all, one after the other */
    expect(f, 8, BLKIF_RSP_OKAY);
    for (unsigned int i = 0; i < 8; i++) /* and in order */
        assert_int_equal(RING_GET_RESPONSE(&f->front, i)->id, i);
    for (unsigned int i = 1; i < BUFFER_POOL_BUFFERS; i++)
        buffer_pool_give(pool, taken[i]);
    stop(f, false);
}

static void test_a_stop_while_waiting_for_a_buffer_leaves_the_line(void **state)
{
    struct buffer_pool *pool = engine_buffers(((struct fixture *)*state)->worker.engine);
    struct buffer_waiter nobody = { 0 };
    struct fixture *f = *state;
    void *taken[BUFFER_POOL_BUFFERS];

    assert_int_equal(blk_queue_start(&f->queue), 0);
    for (unsigned int i = 0; i < BUFFER_POOL_BUFFERS; i++)
        taken[i] = buffer_pool_take(pool, &nobody);
    put(f, BLKIF_OP_READ, 0, 0);
    push(f);
    while (!f->queue.waiter.is_waiting)
        turn(f);
    stop(f, false);
    assert_false(f->queue.waiter.is_waiting);
    for (unsigned int i = 0; i < BUFFER_POOL_BUFFERS; i++)
        buffer_pool_give(pool, taken[i]);
    assert_ptr_equal(pool->first, NULL);
    assert_int_equal(pool->promised, 0);
}

static void test_c14_a_stop_drains_what_is_in_flight(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    for (unsigned int i = 0; i < BLKIF_RING_SLOTS; i++)
        put(f, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, i * 8);
    push(f);
    while (f->page->rsp_prod == 0 && f->queue.owed == 0)
        turn(f);
    stop(f, false);
    assert_int_equal(f->page->rsp_prod, BLKIF_RING_SLOTS);
}

static void test_c11_a_broken_ring_is_left_alone_until_the_stop(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    f->page->req_prod = 33;
    xenevtchn_notify(f->evtchn, f->port);
    while (!f->broken)
        turn(f);
    assert_int_equal(f->queue.state, BLK_QUEUE_BROKEN);
    assert_non_null(strstr(f->queue.reason, "found 33"));
    f->page->req_prod = 1;
    xenevtchn_notify(f->evtchn, f->port); /* stays masked: nobody hears it */
    event_base_loop(f->worker.base, EVLOOP_NONBLOCK);
    assert_true(f->queue.is_masked);
    assert_int_equal(f->broken, 1);
    assert_int_equal(f->page->rsp_prod, 0);
    stop(f, false);
}

/* One round at depth count with both ends asleep before: whether the frontend had to kick. */
static bool sleeping_round(struct fixture *f, unsigned int count)
{
    bool must_notify;

    f->front.sring->rsp_event = f->front.rsp_cons + 1; /* the frontend sleeps */
    for (unsigned int i = 0; i < count; i++)
        put(f, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, i * 8);
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&f->front, must_notify);
    if (must_notify)
        assert_int_equal(xenevtchn_notify(f->evtchn, f->port), 0);
    expect(f, count, BLKIF_RSP_OKAY);
    while (f->queue.owed > 0 || f->queue.is_masked)
        turn(f);
    return must_notify;
}

static void test_one_kick_and_one_interrupt(void **state)
{
    struct fixture *f = *state;
    const struct queue_counters *counters = &f->queue.counters;
    uint64_t received, sent;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    while (counters->kicks_received == 0 || f->queue.is_masked)
        turn(f); /* of the binding */
    received = counters->kicks_received;
    sent = counters->kicks_sent;
    for (unsigned int round = 1; round <= 100; round++) {
        assert_true(sleeping_round(f, 1));
        assert_int_equal(counters->kicks_received - received, round);
        assert_int_equal(counters->kicks_sent - sent, round);
    }
    /* A whole ring at a time: one kick for all, and no interrupt that nobody asked for. */
    received = counters->kicks_received;
    sent = counters->kicks_sent;
    for (unsigned int round = 1; round <= 20; round++) {
        assert_true(sleeping_round(f, BLKIF_RING_SLOTS));
        assert_int_equal(counters->kicks_received - received, round);
        assert_int_equal(counters->kicks_sent - sent, round);
    }
    stop(f, false);
}

static void switch_notification(struct blk_queue *queue)
{
    queue->is_polled = !queue->is_polled;
    assert_int_equal(blk_queue_resume(queue, queue->worker), 0);
}

static void test_a_polled_queue_asks_for_no_kick(void **state)
{
    struct fixture *f = *state;
    const struct queue_counters *counters = &f->queue.counters;
    uint64_t received;

    f->queue.is_polled = true;
    assert_int_equal(blk_queue_start(&f->queue), 0);
    while (counters->kicks_received == 0 || f->queue.is_masked)
        turn(f);
    for (unsigned int round = 0; round < 100; round++)
        assert_false(sleeping_round(f, 1 + round % BLKIF_RING_SLOTS));
    assert_int_equal(counters->kicks_received, 1);
    assert_int_equal(counters->kicks_sent, 100); /* the frontend still sleeps */

    blk_queue_quiesce(&f->queue, switch_notification);
    while (counters->kicks_received == 1 || f->queue.is_masked)
        turn(f);
    assert_false(f->queue.poll.is_in);
    received = counters->kicks_received;
    assert_true(sleeping_round(f, 1));
    assert_int_equal(counters->kicks_received, received + 1);

    blk_queue_quiesce(&f->queue, switch_notification);
    while (counters->kicks_received == received + 1 || f->queue.is_masked)
        turn(f);
    assert_false(sleeping_round(f, 3));
    stop(f, false);
    assert_null(f->worker.poller.first);
}

/* The daemon dies without a word: what it had is dropped, the file stays. */
static void die(struct fixture *f)
{
    struct blk_queue *queue = &f->queue;

    inflight_close(&queue->inflight, true);
    channel_unbind(&queue->channel);
    event_del(&queue->pass_event);
    xengnttab_unmap(f->worker.gnttab, queue->page, 1);
    grant_io_fini(&queue->grants);
    f->queue = (struct blk_queue){
        .owner = f,
        .worker = &f->worker,
        .disk = f->disk,
        .limits = queue->limits,
        .identity = queue->identity,
        .inflight_path = f->inflight,
        .label = "vbd 0/0 q0",
        .is_adopting = true,
        .on_broken = on_broken,
        .on_stopped = on_stopped,
    };
}

static void test_an_heir_does_what_was_taken_and_not_answered(void **state)
{
    struct fixture *f = *state;
    uint64_t ids = 0;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    turn(f);
    put(f, BLKIF_OP_READ, 0, 0);
    push(f);
    expect(f, 1, BLKIF_RSP_OKAY);
    /* Two requests that the predecessor took; a third that it had not seen. */
    for (unsigned int i = 1; i <= 3; i++)
        put(f, BLKIF_OP_READ, i, 0);
    for (unsigned int i = 1; i <= 2; i++) {
        struct inflight_record *record = inflight_record(&f->queue.inflight, 10 + i);

        blkif_command_decode(&record->command, RING_GET_REQUEST(&f->front, i), BLKIF_ABI_NATIVE);
        inflight_take(&f->queue.inflight, record, i);
    }
    RING_PUSH_REQUESTS(&f->front);
    die(f);
    assert_int_equal(blk_queue_start(&f->queue), 0);
    assert_int_equal(f->queue.owed, 2);
    while (f->page->rsp_prod != 4)
        turn(f);
    for (unsigned int i = 1; i < 4; i++) {
        assert_int_equal(RING_GET_RESPONSE(&f->front, i)->status, BLKIF_RSP_OKAY);
        ids |= 1u << RING_GET_RESPONSE(&f->front, i)->id;
    }
    assert_int_equal(ids, 1u << 1 | 1u << 2 | 1u << 3);
    stop(f, false);
}

/* Segments in page 3: the first page, written to or read from sector 8. */
static void put_indirect(struct fixture *f, uint8_t operation, uint64_t id)
{
    blkif_request_indirect_t request = { .operation = BLKIF_OP_INDIRECT,
                                         .indirect_op = operation,
                                         .nr_segments = 1,
                                         .id = id,
                                         .sector_number = 8,
                                         .indirect_grefs = { f->refs[3] } };
    struct blkif_request_segment *segment = (void *)(f->data + 3 * 4096);

    *segment = (struct blkif_request_segment){ .gref = f->refs[0], .last_sect = 7 };
    memcpy(RING_GET_REQUEST(&f->front, f->front.req_prod_pvt++), &request, sizeof(request));
}

static void test_an_heir_works_with_the_segments_that_were_checked(void **state)
{
    struct fixture *f = *state;
    struct inflight_record *record;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    turn(f);
    memset(f->data, 'i', 4096);
    put_indirect(f, BLKIF_OP_WRITE, 0);
    record = inflight_record(&f->queue.inflight, 5);
    blkif_command_decode(&record->command, RING_GET_REQUEST(&f->front, 0), BLKIF_ABI_NATIVE);
    memcpy(record->command.seg, f->data + 3 * 4096, sizeof(record->command.seg[0]));
    inflight_take(&f->queue.inflight, record, 0);
    memset(f->data + 3 * 4096, 0xff, 4096); /* the guest may do what it likes with that page by now */
    RING_PUSH_REQUESTS(&f->front);
    die(f);
    assert_int_equal(blk_queue_start(&f->queue), 0);
    expect(f, 1, BLKIF_RSP_OKAY);
    memset(f->data, 0, 4096);
    put_indirect(f, BLKIF_OP_READ, 1);
    push(f);
    expect(f, 1, BLKIF_RSP_OKAY);
    assert_int_equal(RING_GET_RESPONSE(&f->front, 1)->operation, BLKIF_OP_READ);
    assert_int_equal(f->data[0], 'i');
    assert_int_equal(f->data[4095], 'i');
    stop(f, false);
}

static void test_a_kept_ring_goes_on_where_it_was(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    for (unsigned int i = 0; i < 5; i++)
        put(f, BLKIF_OP_READ, i, 0);
    push(f);
    expect(f, 5, BLKIF_RSP_OKAY);
    stop(f, true);
    assert_int_equal(access(f->inflight, F_OK), 0);
    f->queue.is_adopting = true;
    f->queue.idle = NULL;
    assert_int_equal(blk_queue_start(&f->queue), 0);
    assert_int_equal(f->queue.ring.native.req_cons, 5);
    put(f, BLKIF_OP_READ, 5, 0);
    push(f);
    expect(f, 1, BLKIF_RSP_OKAY);
    stop(f, false);
}

static void test_a_ring_that_moved_meanwhile_is_not_adopted(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    turn(f);
    die(f);
    f->page->rsp_prod = 7;
    assert_int_equal(blk_queue_start(&f->queue), -EPROTO);
    assert_non_null(strstr(f->queue.reason, "as the in-flight records say"));
}

static unsigned int quiet;

static void on_quiet(struct blk_queue *queue)
{
    quiet++;
}

static void quiesce(struct fixture *f)
{
    quiet = 0;
    blk_queue_quiesce(&f->queue, on_quiet);
    while (!quiet)
        turn(f);
    assert_int_equal(quiet, 1);
}

static void test_a_quiet_queue_has_answered_and_waits(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    for (unsigned int i = 0; i < 20; i++)
        put(f, BLKIF_OP_WRITE, i, i * 8);
    push(f);
    while (f->page->rsp_prod == 0 && f->queue.owed == 0)
        turn(f);
    quiesce(f);
    assert_int_equal(f->queue.state, BLK_QUEUE_QUIET);
    assert_int_equal(f->queue.owed, 0);
    f->front.rsp_cons = f->page->rsp_prod;
    for (unsigned int i = 0; i < 5; i++)
        put(f, BLKIF_OP_READ, 20 + i, 0);
    push(f); /* nobody hears it */
    event_base_loop(f->worker.base, EVLOOP_NONBLOCK);
    assert_int_equal(f->page->rsp_prod, f->front.rsp_cons);
    assert_int_equal(blk_queue_resume(&f->queue, &f->worker), 0);
    expect(f, f->page->req_prod - f->front.rsp_cons, BLKIF_RSP_OKAY);
    assert_int_equal(f->page->rsp_prod, 25);
    quiesce(f);
    stop(f, false); /* in the middle */
}

static void test_one_that_cannot_be_resumed_is_quiet_still(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    quiesce(f);
    f->queue.identity.remote_port += 1000;
    for (unsigned int i = 0; i < 100; i++) {
        assert_true(blk_queue_resume(&f->queue, &f->worker) < 0);
        assert_int_equal(f->queue.state, BLK_QUEUE_QUIET);
    }
    assert_non_null(strstr(f->queue.reason, "event-channel"));
    blk_queue_give_up(&f->queue);
    assert_int_equal(f->broken, 1);
    quiesce(f); /* says that it never will be */
    assert_int_equal(f->queue.state, BLK_QUEUE_BROKEN);
    stop(f, false);
}

static void test_an_heir_is_quiet_after_what_it_inherited(void **state)
{
    struct inflight_record *record;
    struct fixture *f = *state;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    put(f, BLKIF_OP_READ, 0, 0);
    put(f, BLKIF_OP_READ, 1, 0);
    record = inflight_record(&f->queue.inflight, 3);
    blkif_command_decode(&record->command, RING_GET_REQUEST(&f->front, 0), BLKIF_ABI_NATIVE);
    inflight_take(&f->queue.inflight, record, 0);
    RING_PUSH_REQUESTS(&f->front);
    die(f);
    assert_int_equal(blk_queue_start(&f->queue), 0);
    quiesce(f);
    assert_int_equal(f->queue.state, BLK_QUEUE_QUIET);
    assert_true(f->page->rsp_prod >= 1);
    assert_int_equal(blk_queue_resume(&f->queue, &f->worker), 0);
    expect(f, 2 - f->front.rsp_cons, BLKIF_RSP_OKAY);
    stop(f, false);
}

static uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Catalogue G01. Seventeen events are heard at once, then one every 5 ms. */
static void test_g01_an_event_storm_is_heard_late(void **state)
{
    struct fixture *f = *state;
    uint64_t began, lasted;

    assert_int_equal(blk_queue_start(&f->queue), 0);
    event_base_loop(f->worker.base, EVLOOP_NONBLOCK);
    began = now_us();
    do {
        for (int i = 0; i < 100; i++)
            xenevtchn_notify(f->evtchn, f->port);
        event_base_loop(f->worker.base, EVLOOP_NONBLOCK);
        lasted = now_us() - began;
    } while (lasted < 100000);
    assert_true(f->queue.counters.kicks_received <= 17 + lasted / 5000 + 2);
    put(f, BLKIF_OP_READ, 0, 0); /* and it is served on */
    push(f);
    expect(f, 1, BLKIF_RSP_OKAY);
    assert_int_equal(f->queue.idle_events, 0);
    stop(f, false);
}

#define GREEDY_REQUESTS 20000u

static struct fixture *greedy;

/* A guest that has another request whenever one is served, as if it were on a processor of its own. */
static void *greedy_window(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint32_t length_bytes)
{
    struct fixture *f = greedy;

    while (f->front.req_prod_pvt < GREEDY_REQUESTS &&
           f->front.req_prod_pvt - f->page->rsp_prod < BLKIF_RING_SLOTS)
        put(f, BLKIF_OP_READ, f->front.req_prod_pvt, 0);
    RING_PUSH_REQUESTS(&f->front);
    return disk_kind_mem.window(disk, op, offset_bytes, length_bytes);
}

struct bystander {
    struct fixture *f;
    struct event *event;
    RING_IDX before, worst;
};

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval now;
    struct bystander *other = arg;
    const RING_IDX answered = other->f->queue.ring.native.rsp_prod_pvt;

    if (answered - other->before > other->worst)
        other->worst = answered - other->before;
    other->before = answered;
    event_add(other->event, &now); /* as a queue that has more to do */
}

/* The most that is answered between two turns of somebody else on the worker, who is waiting all the time. */
static RING_IDX greedy_turn(struct fixture *f)
{
    struct bystander other = { .f = f };
    struct disk *file = f->disk;
    struct disk_kind kind = disk_kind_mem;
    char reason[256];

    assert_int_equal(disk_open(&f->queue.disk, "mem:1M", false, 0, reason, sizeof(reason)), 0);
    greedy = f;
    kind.window = greedy_window;
    f->queue.disk->kind = &kind;
    assert_int_equal(blk_queue_start(&f->queue), 0);
    other.event = event_new(f->worker.base, -1, 0, on_turn, &other);
    event_active(other.event, EV_TIMEOUT, 0);
    put(f, BLKIF_OP_READ, 0, 0);
    push(f);
    while (f->queue.ring.native.rsp_prod_pvt < GREEDY_REQUESTS)
        event_base_loop(f->worker.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    event_free(other.event);
    stop(f, false);
    f->queue.disk->kind = &disk_kind_mem;
    disk_close(f->queue.disk);
    f->queue.disk = file;
    return other.worst;
}

static void test_a_greedy_guest_gets_a_ring_a_turn_where_others_wait(void **state)
{
    struct fixture *f = *state;

    f->worker.channels++; /* another's */
    assert_in_range(greedy_turn(f), 1, 2 * BLKIF_RING_SLOTS);
    f->worker.channels--;
    assert_int_equal(f->worker.channels, 0);
}

static void test_a_greedy_guest_gets_a_bounded_batch_also_when_alone(void **state)
{
    assert_in_range(greedy_turn(*state), 2 * BLKIF_RING_SLOTS + 1, 5 * BLKIF_RING_SLOTS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a02_starts_that_fail_hold_nothing),
        TEST(test_requests_are_served),
        TEST(test_an_empty_pool_makes_requests_wait_in_their_place),
        TEST(test_a_stop_while_waiting_for_a_buffer_leaves_the_line),
        TEST(test_one_kick_and_one_interrupt),
        TEST(test_a_polled_queue_asks_for_no_kick),
        TEST(test_c14_a_stop_drains_what_is_in_flight),
        TEST(test_c11_a_broken_ring_is_left_alone_until_the_stop),
        TEST(test_an_heir_does_what_was_taken_and_not_answered),
        TEST(test_an_heir_works_with_the_segments_that_were_checked),
        TEST(test_a_kept_ring_goes_on_where_it_was),
        TEST(test_a_ring_that_moved_meanwhile_is_not_adopted),
        TEST(test_a_quiet_queue_has_answered_and_waits),
        TEST(test_one_that_cannot_be_resumed_is_quiet_still),
        TEST(test_an_heir_is_quiet_after_what_it_inherited),
        TEST(test_g01_an_event_storm_is_heard_late),
        TEST(test_a_greedy_guest_gets_a_ring_a_turn_where_others_wait),
        TEST(test_a_greedy_guest_gets_a_bounded_batch_also_when_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
