// SPDX-License-Identifier: MIT
/*
 * check_blkfront.c: a whole handle of the library over a store and grants in this process: what the program sees of
 * connecting, requests, notifications, closing and a backend that leaves. The test plays the backend.
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/barrier.h"
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

#include "frontend/xenfront.h"
#include "tests/unit/fake_hyper.h"
#include "tests/unit/fake_store.h"

#define FRONT "/local/domain/0/device/vbd/51712/"
#define BACK "/local/domain/0/backend/vbd/0/51712/"

static struct xenfront_blk *blk;
static blkif_back_ring_t ring;
static int done, last;

static void state_set(unsigned int state)
{
    char text[8];

    snprintf(text, sizeof(text), "%u", state);
    fake_store_write(BACK "state", text);
}

static int setup_with(const struct xenfront_blk_options *options)
{
    fake_store_reset();
    fake_hyper_reset();
    fake_store_write(FRONT "backend", "/local/domain/0/backend/vbd/0/51712");
    fake_store_write(FRONT "backend-id", "0");
    fake_store_write(FRONT "state", "1");
    fake_store_write(BACK "sectors", "20480");
    fake_store_write(BACK "feature-flush-cache", "1");
    state_set(XenbusStateInitWait);
    done = 0;
    last = 1;
    blk = xenfront_blk_new(options);
    assert_non_null(blk);
    assert_int_equal(xenfront_blk_open(blk, "xvda"), 0);
    return 0;
}

static int setup(void **state)
{
    return setup_with(NULL);
}

static int teardown(void **state)
{
    xenfront_blk_free(blk);
    assert_int_equal(fake_pages(), 0);
    assert_int_equal(fake_store_watches(), 0);
    assert_null(fake_store_read(FRONT "xenfront-owner"));
    return 0;
}

static bool fd_is_readable(void)
{
    struct pollfd pollfd = { .fd = xenfront_blk_fd(blk), .events = POLLIN };

    return poll(&pollfd, 1, 0) == 1;
}

/* Everything that is due now. */
static int pump(void)
{
    int result;

    do
        result = xenfront_blk_pump(blk);
    while (result >= 0 && (fd_is_readable() || xenfront_blk_timeout_ms(blk) == 0));
    return result;
}

static void ring_attach(void)
{
    uint32_t ref = (uint32_t)strtoul(fake_store_read(FRONT "ring-ref"), NULL, 10);

    BACK_RING_INIT(&ring, (blkif_sring_t *)fake_page(ref), 4096);
}

static void connect_all(void)
{
    assert_int_equal(xenfront_blk_start(blk, 0), 0);
    assert_int_equal(xenfront_blk_state(blk), XENFRONT_CONNECTING);
    pump();
    assert_string_equal(fake_store_read(FRONT "state"), "3");
    ring_attach();
    state_set(XenbusStateConnected);
    pump();
    assert_int_equal(xenfront_blk_state(blk), XENFRONT_CONNECTED);
    assert_string_equal(fake_store_read(FRONT "state"), "4");
}

/* The backend takes the next request and arms its notification as a good one does. */
static blkif_request_t take(void)
{
    blkif_request_t request;
    int is_more;

    assert_int_not_equal(ring.req_cons, ring.sring->req_prod);
    RING_COPY_REQUEST(&ring, ring.req_cons, &request);
    ring.req_cons++;
    RING_FINAL_CHECK_FOR_REQUESTS(&ring, is_more);
    (void)is_more;
    return request;
}

/* And answers it; the event goes out when it is asked for. */
static void answer(const blkif_request_t *request, int16_t status)
{
    blkif_response_t response = { .id = request->id, .operation = request->operation, .status = status };
    int notify;

    *RING_GET_RESPONSE(&ring, ring.rsp_prod_pvt) = response;
    ring.rsp_prod_pvt++;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&ring, notify);
    if (notify)
        fake_event();
}

static void on_done(void *cookie, int status)
{
    done++;
    last = status;
}

static int read_one(void)
{
    static char data[4096];

    return xenfront_blk_read(blk, data, sizeof(data), 0, on_done, NULL);
}

static void test_connects_and_closes(void **state)
{
    struct xenfront_blk_info info;

    assert_int_equal(xenfront_blk_info(blk, &info), -ENOTCONN);
    connect_all();
    assert_int_equal(xenfront_blk_info(blk, &info), 0);
    assert_int_equal(info.size_bytes, 20480 * 512);
    assert_int_equal(info.sector_size, 512);
    assert_true(info.has_flush && !info.is_readonly);
    assert_string_equal(fake_store_read(FRONT "protocol"), "x86_64-abi");
    assert_int_equal(xenfront_blk_shutdown(blk, 1000), 0);
    assert_string_equal(fake_store_read(FRONT "state"), "5");
    assert_int_equal(fake_pages(), 353); /* the backend has not let go yet */
    state_set(XenbusStateClosing);
    pump();
    assert_string_equal(fake_store_read(FRONT "state"), "6");
    assert_int_equal(fake_pages(), 353);
    state_set(XenbusStateClosed);
    pump();
    assert_int_equal(xenfront_blk_state(blk), XENFRONT_IDLE);
    assert_int_equal(fake_pages(), 0);
    assert_false(fake_port_is_bound());
    assert_int_equal(xenfront_blk_close(blk, 1000), 0);
}

/* Waiting for the backend is sleeping: also when the program closes before it has pumped as a connected one. */
static void test_closing_sleeps(void **state)
{
    assert_int_equal(xenfront_blk_start(blk, 0), 0);
    pump();
    ring_attach();
    state_set(XenbusStateConnected);
    while (xenfront_blk_state(blk) != XENFRONT_CONNECTED)
        xenfront_blk_pump(blk);
    assert_int_equal(xenfront_blk_timeout_ms(blk), 0); /* an early event may be masked: pump */
    assert_int_equal(xenfront_blk_shutdown(blk, 60000), 0);
    for (int i = 0; i < 10 && fd_is_readable(); i++)
        xenfront_blk_pump(blk);
    assert_int_equal(xenfront_blk_state(blk), XENFRONT_CLOSING);
    assert_false(fd_is_readable());
    assert_true(xenfront_blk_timeout_ms(blk) > 1000);
}

/* The same handle again: the backend comes back to InitWait when the frontend goes to Initialising. */
/* As libxenstore does it. What there is cannot be listed: it is asked for. */
static void test_connects_without_memory_for_lists(void **state)
{
    fake_store_forget_names(true);
    connect_all();
    assert_int_equal(read_one(), 0);
    fake_store_forget_names(false);
}

static void test_connects_again(void **state)
{
    for (int i = 0; i < 3; i++) {
        connect_all();
        xenfront_blk_shutdown(blk, 1000);
        state_set(XenbusStateClosed);
        pump();
        assert_int_equal(xenfront_blk_state(blk), XENFRONT_IDLE);
        assert_int_equal(xenfront_blk_start(blk, 0), 0);
        pump();
        assert_string_equal(fake_store_read(FRONT "state"), "1");
        xenfront_blk_close(blk, 0);
        state_set(XenbusStateInitWait);
    }
}

/* PERF: at depth 1, exactly one notification each way. */
static void test_one_kick_and_one_event_a_request(void **state)
{
    unsigned int kicks, deliveries;

    connect_all();
    kicks = fake_kicks();
    deliveries = fake_deliveries();
    for (int i = 0; i < 100; i++) {
        blkif_request_t request;

        assert_int_equal(read_one(), 0);
        assert_int_equal(xenfront_blk_submit(blk), 1);
        request = take();
        answer(&request, BLKIF_RSP_OKAY);
        assert_true(fd_is_readable());
        pump();
        assert_int_equal(done, i + 1);
    }
    assert_int_equal(last, 0);
    assert_int_equal(fake_kicks() - kicks, 100);
    assert_int_equal(fake_deliveries() - deliveries, 100);
}

static void test_a_batch_is_one_kick(void **state)
{
    unsigned int kicks;

    connect_all();
    kicks = fake_kicks();
    for (int i = 0; i < 7; i++)
        assert_int_equal(read_one(), 0);
    assert_int_equal(fake_kicks(), kicks);
    for (int i = 7; i < 20; i++)
        assert_int_equal(read_one(), 0);
    assert_int_equal(fake_kicks(), kicks + 1); /* the first eight are on their way already */
    assert_int_equal(xenfront_blk_submit(blk), 4);
    assert_int_equal(xenfront_blk_submit(blk), 0);
    assert_int_equal(fake_kicks(), kicks + 1);
    assert_int_equal(xenfront_blk_in_flight(blk), 20);
}

static void test_requests_are_checked(void **state)
{
    char data[1024];

    assert_int_equal(read_one(), -ENOTCONN);
    connect_all();
    assert_int_equal(xenfront_blk_read(blk, data, 0, 0, on_done, NULL), -EINVAL);
    assert_int_equal(xenfront_blk_read(blk, data, 100, 0, on_done, NULL), -EINVAL);
    assert_int_equal(xenfront_blk_read(blk, data, 512, 1, on_done, NULL), -EINVAL);
    assert_int_equal(xenfront_blk_read(blk, data, 512, 20480 * 512, on_done, NULL), -EINVAL);
    assert_int_equal(xenfront_blk_read(blk, data, 1024, 20479 * 512, on_done, NULL), -EINVAL);
    assert_int_equal(xenfront_blk_read(blk, data, 512, UINT64_MAX - 511, on_done, NULL), -EINVAL);
    assert_int_equal(xenfront_blk_readv(blk, NULL, 0, 0, on_done, NULL), -EINVAL);
    assert_int_equal(xenfront_blk_read(blk, data, 512, 20479 * 512, on_done, NULL), 0);
    for (int i = 1; i < 128; i++)
        assert_int_equal(read_one(), 0);
    assert_int_equal(read_one(), -EAGAIN);
    assert_int_equal(xenfront_blk_flush(blk, on_done, NULL), -EAGAIN);
}

static void test_writes_to_a_read_only_disk_are_refused(void **state)
{
    char data[512] = "";

    fake_store_write(BACK "info", "4");
    fake_store_remove("/local/domain/0/backend/vbd/0/51712/feature-flush-cache");
    connect_all();
    assert_int_equal(xenfront_blk_write(blk, data, 512, 0, on_done, NULL), -EROFS);
    assert_int_equal(xenfront_blk_flush(blk, on_done, NULL), -EOPNOTSUPP);
}

static void pump_inside(void *cookie, int status)
{
    done++;
    last = xenfront_blk_pump(blk);
    assert_int_equal(xenfront_blk_shutdown(blk, 0), -EBUSY);
}

static void test_a_callback_may_not_pump_or_close(void **state)
{
    static char data[512];
    blkif_request_t request;

    connect_all();
    assert_int_equal(xenfront_blk_read(blk, data, 512, 0, pump_inside, NULL), 0);
    xenfront_blk_submit(blk);
    request = take();
    answer(&request, BLKIF_RSP_OKAY);
    pump();
    assert_int_equal(done, 1);
    assert_int_equal(last, -EBUSY);
}

/* A detach by the toolstack: what is in flight is finished first. */
static void test_a_backend_that_closes_is_drained(void **state)
{
    blkif_request_t request;

    connect_all();
    assert_int_equal(read_one(), 0);
    xenfront_blk_submit(blk);
    request = take();
    state_set(XenbusStateClosing);
    pump();
    assert_int_equal(xenfront_blk_state(blk), XENFRONT_CLOSING);
    assert_string_equal(fake_store_read(FRONT "state"), "4");
    assert_int_equal(read_one(), -ESHUTDOWN);
    answer(&request, BLKIF_RSP_OKAY);
    pump();
    assert_int_equal(done, 1);
    assert_int_equal(last, 0);
    assert_string_equal(fake_store_read(FRONT "state"), "6");
    state_set(XenbusStateClosed);
    assert_int_equal(pump(), -ESHUTDOWN);
    assert_int_equal(xenfront_blk_state(blk), XENFRONT_BROKEN);
    assert_int_equal(xenfront_blk_close(blk, 0), 0);
}

static void test_a_removed_device_ends_requests(void **state)
{
    connect_all();
    for (int i = 0; i < 50; i++)
        assert_int_equal(read_one(), 0);
    xenfront_blk_submit(blk);
    fake_store_remove("/local/domain/0/backend/vbd/0/51712");
    assert_int_equal(pump(), -ENODEV);
    assert_int_equal(done, 50);
    assert_int_equal(last, -ENODEV);
    assert_non_null(strstr(xenfront_blk_error(blk), "vbd 51712 (xvda): the device was removed"));
    assert_int_equal(fake_pages(), 0);
}

/* A removed device is never made again by a late write of ours. */
static void test_a_removed_device_stays_removed(void **state)
{
    connect_all();
    fake_store_remove("/local/domain/0/device/vbd/51712");
    fake_store_remove("/local/domain/0/backend/vbd/0/51712");
    pump();
    xenfront_blk_close(blk, 0);
    assert_null(fake_store_read("/local/domain/0/device/vbd/51712"));
}

static void test_a_collision_is_repeated(void **state)
{
    fake_store_collide(7);
    connect_all();
}

static void test_another_driver_is_left_alone(void **state)
{
    fake_store_write(FRONT "state", "4");
    assert_int_equal(xenfront_blk_start(blk, 0), -EBUSY);
    assert_string_equal(fake_store_read(FRONT "state"), "4");
    fake_store_write(FRONT "state", "1");
    connect_all();
}

static void test_two_handles_of_a_program_exclude_each_other(void **state)
{
    struct xenfront_blk *other = xenfront_blk_new(NULL);

    connect_all();
    assert_int_equal(xenfront_blk_open(other, "51712"), 0);
    assert_int_equal(xenfront_blk_start(other, 0), -EBUSY);
    assert_non_null(strstr(xenfront_blk_error(other), "in use by process"));
    xenfront_blk_free(other);
    assert_int_equal(xenfront_blk_state(blk), XENFRONT_CONNECTED);
    assert_non_null(fake_store_read(FRONT "xenfront-owner"));
}

/* The mark of a process that is long dead does not count. */
static void test_a_dead_driver_is_succeeded(void **state)
{
    fake_store_write(FRONT "xenfront-owner", "999999999 1 00000000-0000-0000-0000-000000000000");
    fake_store_write(FRONT "state", "4");
    state_set(XenbusStateConnected);
    assert_int_equal(xenfront_blk_start(blk, 0), 0);
    pump();
    assert_string_equal(fake_store_read(FRONT "state"), "5");
    state_set(XenbusStateClosing);
    pump();
    assert_string_equal(fake_store_read(FRONT "state"), "6");
    state_set(XenbusStateClosed);
    pump();
    assert_string_equal(fake_store_read(FRONT "state"), "1");
    state_set(XenbusStateInitWait);
    pump();
    assert_string_equal(fake_store_read(FRONT "state"), "3");
}

/* Whatever the backend does then is meant for the other program, and so is the state. */
static void test_a_device_taken_over_is_left_alone(void **state)
{
    connect_all();
    assert_int_equal(read_one(), 0);
    xenfront_blk_submit(blk);
    fake_store_write(FRONT "xenfront-owner", "1 1 00000000-0000-0000-0000-000000000000 other");
    state_set(XenbusStateClosing);
    for (int i = 0; i < 10; i++)
        pump();
    xenfront_blk_close(blk, 0);
    assert_string_equal(fake_store_read(FRONT "state"), "4");
    assert_string_equal(fake_store_read(FRONT "xenfront-owner"),
                        "1 1 00000000-0000-0000-0000-000000000000 other");
    fake_store_remove(FRONT "xenfront-owner");
}

static void test_only_the_size_changes_while_connected(void **state)
{
    struct xenfront_blk_info info;

    connect_all();
    fake_store_write(BACK "sectors", "40960");
    fake_store_write(BACK "sector-size", "4096");
    state_set(XenbusStateConnected);
    pump();
    xenfront_blk_info(blk, &info);
    assert_int_equal(info.size_bytes, 40960 * 512);
    assert_int_equal(info.sector_size, 512);
    fake_store_write(BACK "sectors", "many");
    state_set(XenbusStateConnected);
    pump();
    xenfront_blk_info(blk, &info);
    assert_int_equal(info.size_bytes, 40960 * 512);
    assert_int_equal(xenfront_blk_state(blk), XENFRONT_CONNECTED);
}

/* E05: events without responses are taken ever more slowly, and the ring is looked at all the same. */
static void test_a_storm_of_events_is_held_off(void **state)
{
    blkif_request_t request;
    int i;

    connect_all();
    assert_int_equal(read_one(), 0);
    xenfront_blk_submit(blk);
    request = take();
    for (i = 0; i < 1000 && !fake_port_is_masked(); i++) {
        fake_event();
        xenfront_blk_pump(blk);
    }
    assert_in_range(i, 10, 100);
    assert_true(xenfront_blk_timeout_ms(blk) >= 0);
    assert_false(fd_is_readable());
    answer(&request, BLKIF_RSP_OKAY);
    assert_int_equal(xenfront_blk_pump(blk), 1); /* whoever pumps gets what is there */
}

static void test_no_grants_left_says_so(void **state)
{
    fake_hyper_limit(100);
    assert_int_equal(xenfront_blk_connect(blk, 1000), -ENOSPC);
    assert_non_null(strstr(xenfront_blk_error(blk), "the limit of this domain is reached"));
    assert_int_equal(fake_pages(), 0);
}

static void test_a_buffer_is_busy_while_it_is_used(void **state)
{
    struct xenfront_buffer *buffer;
    blkif_request_t request;

    errno = 0;
    assert_null(xenfront_buffer_new(blk, 4096));
    assert_int_equal(errno, ENOTCONN);
    connect_all();
    buffer = xenfront_buffer_new(blk, 10000);
    assert_int_equal(xenfront_buffer_length(buffer), 10000);
    assert_int_equal(xenfront_blk_read_buffer(blk, buffer, 512, 10000, 0, on_done, NULL), -EINVAL);
    assert_int_equal(xenfront_blk_read_buffer(blk, buffer, 100, 512, 0, on_done, NULL), -EINVAL);
    assert_int_equal(xenfront_blk_read_buffer(blk, buffer, 1024, 8192, 0, on_done, NULL), 0);
    assert_int_equal(xenfront_buffer_free(buffer), -EBUSY);
    xenfront_blk_submit(blk);
    request = take();
    assert_int_equal(request.nr_segments, 3);
    assert_int_equal(request.seg[0].first_sect, 2);
    assert_ptr_equal(fake_page(request.seg[0].gref), xenfront_buffer_data(buffer));
    answer(&request, BLKIF_RSP_OKAY);
    pump();
    assert_int_equal(xenfront_buffer_free(buffer), 0);
}

static void test_wait_does_not_sleep_on_what_will_not_happen(void **state)
{
    assert_int_equal(xenfront_blk_wait(blk, -1), 0);
    connect_all();
    fake_store_remove("/local/domain/0/backend/vbd/0/51712");
    assert_int_equal(pump(), -ENODEV);
    assert_int_equal(xenfront_blk_wait(blk, -1), -ENODEV);
}

static void test_silence_is_an_error_when_asked_for(void **state)
{
    struct xenfront_blk_options options = { .size = sizeof(options), .io_timeout_ms = 30 };

    xenfront_blk_free(blk);
    setup_with(&options);
    connect_all();
    assert_int_equal(xenfront_blk_timeout_ms(blk), -1); /* nothing is in flight */
    assert_int_equal(read_one(), 0);
    xenfront_blk_submit(blk);
    while (xenfront_blk_wait(blk, -1) >= 0)
        assert_int_equal(done, 0);
    assert_int_equal(last, -ETIMEDOUT);
    assert_non_null(strstr(xenfront_blk_error(blk), "no response to 1 requests for 30 ms"));
}

/*
 * What is in flight is not answered in time, or wrongly, while the program waits for the end of it: the device is let
 * go of all the same, or a next connection would find the pages of this one.
 */
static void test_a_device_that_breaks_while_closing_is_closed(void **state)
{
    struct xenfront_blk_options options = { .size = sizeof(options), .io_timeout_ms = 30 };

    xenfront_blk_free(blk);
    setup_with(&options);
    connect_all();
    assert_int_equal(read_one(), 0);
    xenfront_blk_submit(blk);
    assert_int_equal(xenfront_blk_close(blk, 100), -ETIMEDOUT); /* this backend never closes */
    assert_int_equal(done, 1);
    assert_int_equal(last, -ETIMEDOUT);
    assert_int_equal(xenfront_blk_state(blk), XENFRONT_IDLE);
    assert_string_equal(fake_store_read(FRONT "state"), "6");
    assert_int_equal(fake_pages(), 0);
    assert_false(fake_port_is_bound());
}

static void test_options_out_of_bounds_are_refused(void **state)
{
    static const struct xenfront_blk_options wrong[] = {
        { .size = 1 },
        { .size = sizeof(wrong[0]), .depth = 70000 },
        { .size = sizeof(wrong[0]), .data_pages = 10 },
        { .size = sizeof(wrong[0]), .flags = 0x80 },
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        errno = 0;
        assert_null(xenfront_blk_new(&wrong[i]));
        assert_int_equal(errno, EINVAL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_connects_and_closes),
        TEST(test_closing_sleeps),
        TEST(test_connects_without_memory_for_lists),
        TEST(test_connects_again),
        TEST(test_one_kick_and_one_event_a_request),
        TEST(test_a_batch_is_one_kick),
        TEST(test_requests_are_checked),
        TEST(test_writes_to_a_read_only_disk_are_refused),
        TEST(test_a_callback_may_not_pump_or_close),
        TEST(test_a_backend_that_closes_is_drained),
        TEST(test_a_removed_device_ends_requests),
        TEST(test_a_removed_device_stays_removed),
        TEST(test_a_collision_is_repeated),
        TEST(test_another_driver_is_left_alone),
        TEST(test_two_handles_of_a_program_exclude_each_other),
        TEST(test_a_dead_driver_is_succeeded),
        TEST(test_a_device_taken_over_is_left_alone),
        TEST(test_only_the_size_changes_while_connected),
        TEST(test_a_storm_of_events_is_held_off),
        TEST(test_no_grants_left_says_so),
        TEST(test_a_buffer_is_busy_while_it_is_used),
        TEST(test_wait_does_not_sleep_on_what_will_not_happen),
        TEST(test_silence_is_an_error_when_asked_for),
        TEST(test_a_device_that_breaks_while_closing_is_closed),
        TEST(test_options_out_of_bounds_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
