// SPDX-License-Identifier: MIT
/* ends.c: see ends.h. */
#include <config.h>

#include "tests/vbd/ends.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "backend/disk/disk_kind.h"
#include "backend/disk/engine.h"

static void on_evtchn(evutil_socket_t fd, short what, void *arg)
{
    channel_dispatch(arg);
}

static void on_broken(struct blk_queue *queue)
{
    ((struct ends *)queue->owner)->broken++;
}

static void on_stopped(struct blk_queue *queue)
{
    ((struct ends *)queue->owner)->stopped++;
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

static void guest_open(struct ends *f)
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

struct blk_queue ends_queue(struct ends *f)
{
    return (struct blk_queue){
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
}

int ends_setup(void **state)
{
    struct ends *f = calloc(1, sizeof(*f));
    char reason[256];
    int fd;

    snprintf(f->dir, sizeof(f->dir), "/tmp/check-queue.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->image, sizeof(f->image), "%s/image", f->dir);
    snprintf(f->inflight, sizeof(f->inflight), "%s/inflight", f->dir);
    fd = open(f->image, O_CREAT | O_RDWR, 0600);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    close(fd);
    assert_int_equal(disk_open(&f->disk, f->image, false, reason, sizeof(reason)), 0);
    worker_open(&f->worker);
    f->evtchn_event = event_new(f->worker.base, xenevtchn_fd(f->worker.evtchn), EV_READ | EV_PERSIST,
                                on_evtchn, &f->worker);
    event_add(f->evtchn_event, NULL);
    guest_open(f);
    f->queue = ends_queue(f);
    *state = f;
    return 0;
}

int ends_teardown(void **state)
{
    struct ends *f = *state;

    blk_queue_fini(&f->queue);
    engine_destroy(f->worker.engine);
    event_free(f->evtchn_event);
    event_base_free(f->worker.base);
    xenevtchn_close(f->worker.evtchn);
    xengnttab_close(f->worker.gnttab);
    /* Which fails as long as somebody holds on to them. */
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

void ends_turn(struct ends *f)
{
    event_base_loop(f->worker.base, EVLOOP_ONCE);
}

void ends_stop(struct ends *f, bool is_kept)
{
    f->stopped = 0;
    blk_queue_stop(&f->queue, is_kept);
    while (!f->stopped)
        ends_turn(f);
    assert_int_equal(f->queue.state, BLK_QUEUE_STOPPED);
}

void ends_put(struct ends *f, uint8_t operation, uint64_t id, uint64_t sector)
{
    blkif_request_t request = { .operation = operation, .nr_segments = 1, .id = id, .sector_number = sector };

    request.seg[0] = (struct blkif_request_segment){ .gref = f->refs[id % PAGES], .last_sect = 7 };
    *RING_GET_REQUEST(&f->front, f->front.req_prod_pvt) = request;
    f->front.req_prod_pvt++;
}

void ends_put_indirect(struct ends *f, uint8_t operation, uint64_t id)
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

void ends_push(struct ends *f)
{
    RING_PUSH_REQUESTS(&f->front);
    assert_int_equal(xenevtchn_notify(f->evtchn, f->port), 0);
}

void ends_expect(struct ends *f, unsigned int count, int status)
{
    while (f->page->rsp_prod - f->front.rsp_cons < count)
        ends_turn(f);
    assert_int_equal(f->page->rsp_prod - f->front.rsp_cons, count);
    while (count-- > 0)
        assert_int_equal(RING_GET_RESPONSE(&f->front, f->front.rsp_cons++)->status, status);
}

static unsigned int quiet;

static void on_quiet(struct blk_queue *queue)
{
    quiet++;
}

void ends_quiesce(struct ends *f)
{
    quiet = 0;
    blk_queue_quiesce(&f->queue, on_quiet);
    while (!quiet)
        ends_turn(f);
    assert_int_equal(quiet, 1);
}

void ends_await_rest(struct ends *f, uint64_t kicks_before)
{
    while (f->queue.counters.kicks_received == kicks_before || f->queue.is_masked)
        ends_turn(f);
}

static struct disk_kind kind_with_window;

void ends_start_in_memory(struct ends *f, ends_window_fn *window)
{
    char reason[256];

    assert_int_equal(disk_open(&f->queue.disk, "mem:1M", false, reason, sizeof(reason)), 0);
    kind_with_window = disk_kind_mem;
    kind_with_window.window = window;
    f->queue.disk->kind = &kind_with_window;
    assert_int_equal(blk_queue_start(&f->queue), 0);
}

void ends_stop_in_memory(struct ends *f)
{
    ends_stop(f, false);
    f->queue.disk->kind = &disk_kind_mem;
    disk_close(f->queue.disk);
    f->queue.disk = f->disk;
}
