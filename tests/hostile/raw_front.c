// SPDX-License-Identifier: MIT
/*
 * raw_front.c: a block frontend without manners.
 */
#include <config.h>

#include "tests/hostile/raw_front.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEADLINE_S 30

void raw_fail(const char *fmt, ...)
{
    va_list args;

    fputs("hostile: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static char *read_node(struct raw_front *front, const char *dir, const char *key)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, key);
    return xs_read(front->xs, XBT_NULL, path, NULL);
}

void raw_open_device(struct raw_front *front, const char *kind, unsigned int devid)
{
    char *value;

    memset(front, 0, sizeof(*front));
    front->deadline_s = DEADLINE_S;
    front->xs = xs_open(0);
    front->gntshr = xengntshr_open(NULL, 0);
    front->evtchn = xenevtchn_open(NULL, 0);
    if (!front->xs || !front->gntshr || !front->evtchn)
        raw_fail("cannot open the store, gntalloc or evtchn: %s", strerror(errno));
    snprintf(front->dir, sizeof(front->dir), "device/%s/%u", kind, devid);
    value = read_node(front, front->dir, "backend");
    if (!value)
        raw_fail("no %s/backend", front->dir);
    snprintf(front->backend, sizeof(front->backend), "%s", value);
    free(value);
    value = read_node(front, front->dir, "backend-id");
    front->backend_id = value ? (unsigned int)strtoul(value, NULL, 10) : 0;
    free(value);
}

void raw_open(struct raw_front *front, unsigned int devid)
{
    raw_open_device(front, "vbd", devid);
    front->page = xengntshr_share_pages(front->gntshr, front->backend_id, 1, &front->ring_ref, 1);
    front->data = xengntshr_share_pages(front->gntshr, front->backend_id, RAW_PAGES, front->refs, 1);
    if (!front->page || !front->data)
        raw_fail("cannot share pages: %s", strerror(errno));
}

void raw_share_again(struct raw_front *front)
{
    if (xengntshr_unshare(front->gntshr, front->data, RAW_PAGES))
        raw_fail("cannot take the pages back: %s", strerror(errno));
    front->data = xengntshr_share_pages(front->gntshr, front->backend_id, RAW_PAGES, front->refs, 1);
    if (!front->data)
        raw_fail("cannot share pages again: %s", strerror(errno));
}

void raw_close(struct raw_front *front)
{
    if (xengntshr_unshare(front->gntshr, front->data, RAW_PAGES) ||
        xengntshr_unshare(front->gntshr, front->page, 1))
        raw_fail("cannot take the pages back: %s", strerror(errno));
    xenevtchn_close(front->evtchn);
    xengntshr_close(front->gntshr);
    xs_close(front->xs);
}

void raw_write(struct raw_front *front, const char *key, const char *fmt, ...)
{
    char path[128], value[1024];
    va_list args;
    int length;

    va_start(args, fmt);
    length = vsnprintf(value, sizeof(value), fmt, args);
    va_end(args);
    snprintf(path, sizeof(path), "%s/%s", front->dir, key);
    if (!xs_write(front->xs, XBT_NULL, path, value, (unsigned int)length))
        raw_fail("cannot write %s: %s", path, strerror(errno));
}

void raw_remove(struct raw_front *front, const char *key)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", front->dir, key);
    xs_rm(front->xs, XBT_NULL, path);
}

void raw_state(struct raw_front *front, unsigned int state)
{
    raw_write(front, "state", "%u", state);
}

uint64_t raw_backend_number(struct raw_front *front, const char *key)
{
    char *value = read_node(front, front->backend, key);
    uint64_t number;

    if (!value)
        raw_fail("the backend did not publish %s", key);
    number = strtoull(value, NULL, 10);
    free(value);
    return number;
}

static time_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* False when the deadline came first. */
static bool wait_readable(struct raw_front *front, int fd, time_t start)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    time_t left = start + front->deadline_s - now_s();

    return left > 0 && poll(&poll_fd, 1, (int)left * 1000) == 1;
}

enum xenbus_state raw_wait_backend(struct raw_front *front, unsigned int states)
{
    time_t start = now_s();
    unsigned int state = 0;
    char path[160];

    snprintf(path, sizeof(path), "%s/state", front->backend);
    if (!xs_watch(front->xs, path, "backend"))
        raw_fail("cannot watch %s: %s", path, strerror(errno));
    do {
        char **event, *value;

        if (!wait_readable(front, xs_fileno(front->xs), start))
            raw_fail("backend state is %u, expected one of %#x", state, states);
        event = xs_check_watch(front->xs);
        if (!event)
            continue;
        free(event);
        value = xs_read(front->xs, XBT_NULL, path, NULL);
        state = value ? (unsigned int)strtoul(value, NULL, 10) : 0;
        free(value);
    } while (!(states & (1u << state)));
    xs_unwatch(front->xs, path, "backend");
    return state;
}

void raw_connect(struct raw_front *front)
{
    raw_connect_as(front, XEN_IO_PROTO_ABI_NATIVE);
}

void raw_connect_as(struct raw_front *front, const char *protocol)
{
    xenevtchn_port_or_error_t port;

    raw_wait_backend(front, 1u << XenbusStateInitWait);
    memset(front->page, 0, 4096);
    XEN_FRONT_RING_INIT(&front->ring, front->page, 4096);
    port = xenevtchn_bind_unbound_port(front->evtchn, front->backend_id);
    if (port < 0)
        raw_fail("cannot make an event channel: %s", strerror(errno));
    front->port = (evtchn_port_t)port;
    raw_write(front, "ring-ref", "%u", front->ring_ref);
    raw_write(front, "event-channel", "%u", front->port);
    raw_write(front, "protocol", "%s", protocol);
    raw_state(front, XenbusStateInitialised);
    raw_wait_backend(front, 1u << XenbusStateConnected);
    raw_state(front, XenbusStateConnected);
}

void raw_disconnect(struct raw_front *front)
{
    raw_state(front, XenbusStateClosing);
    raw_wait_backend(front, 1u << XenbusStateClosing | 1u << XenbusStateClosed);
    raw_state(front, XenbusStateClosed);
    raw_wait_backend(front, 1u << XenbusStateClosed);
    xenevtchn_unbind(front->evtchn, front->port);
    raw_state(front, XenbusStateInitialising);
}

blkif_request_t raw_request(const struct raw_front *front, uint8_t operation, uint64_t id, uint64_t sector,
                            uint8_t count)
{
    blkif_request_t request = {
        .operation = operation, .nr_segments = count, .id = id, .sector_number = sector
    };

    for (unsigned int i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
        request.seg[i] = (struct blkif_request_segment){ .gref = front->refs[i], .last_sect = 7 };
    return request;
}

void raw_put(struct raw_front *front, const blkif_request_t *request)
{
    *RING_GET_REQUEST(&front->ring, front->ring.req_prod_pvt) = *request;
    front->ring.req_prod_pvt++;
}

void raw_notify(struct raw_front *front)
{
    if (xenevtchn_notify(front->evtchn, front->port))
        raw_fail("cannot notify: %s", strerror(errno));
}

void raw_push(struct raw_front *front)
{
    bool must_notify;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front->ring, must_notify);
    if (must_notify)
        raw_notify(front);
}

void raw_wait_response(struct raw_front *front, RING_IDX seen)
{
    time_t start = now_s();

    for (;;) {
        xenevtchn_port_or_error_t port;

        front->page->rsp_event = seen + 1;
        xen_mb(); /* the backend sees rsp_event before we look for the last time */
        if (*(volatile RING_IDX *)&front->page->rsp_prod != seen)
            break;
        if (!wait_readable(front, xenevtchn_fd(front->evtchn), start))
            raw_fail("no response within %u s", front->deadline_s);
        port = xenevtchn_pending(front->evtchn);
        if (port < 0 || xenevtchn_unmask(front->evtchn, (evtchn_port_t)port))
            raw_fail("event channel: %s", strerror(errno));
    }
    xen_rmb();
    if (front->page->rsp_prod - seen > RAW_RING_SLOTS)
        raw_fail("the backend's producer is %u ahead", front->page->rsp_prod - seen);
}

blkif_response_t raw_response(struct raw_front *front)
{
    blkif_response_t response;

    raw_wait_response(front, front->ring.rsp_cons);
    RING_COPY_RESPONSE(&front->ring, front->ring.rsp_cons, &response);
    front->ring.rsp_cons++;
    return response;
}

int raw_try(struct raw_front *front, const blkif_request_t *request)
{
    raw_put(front, request);
    raw_push(front);
    return raw_response(front).status;
}

int raw_do(struct raw_front *front, const blkif_request_t *request)
{
    blkif_response_t response;

    raw_put(front, request);
    raw_push(front);
    response = raw_response(front);
    if (response.id != request->id || response.operation != request->operation)
        raw_fail("response to id %#llx, operation %u; expected %#llx, %u", (unsigned long long)response.id,
                 response.operation, (unsigned long long)request->id, request->operation);
    return response.status;
}
