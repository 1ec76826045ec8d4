// SPDX-License-Identifier: MIT
/*
 * raw_back.c: a block backend without manners.
 */
#include <config.h>

#include "tests/hostile/raw_back.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define DEADLINE_S 30
#define SECTORS 8192u

void back_fail(const char *fmt, ...)
{
    va_list args;

    fputs("hostile_back: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void path_write(struct raw_back *back, const char *dir, const char *key, const char *value)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, key);
    if (!xs_write(back->xs, XBT_NULL, path, value, (unsigned int)strlen(value)))
        back_fail("cannot write %s: %s", path, strerror(errno));
}

void back_write(struct raw_back *back, const char *key, const char *fmt, ...)
{
    char value[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(value, sizeof(value), fmt, args);
    va_end(args);
    path_write(back, back->dir, key, value);
}

void back_remove(struct raw_back *back, const char *key)
{
    char path[256];

    snprintf(path, sizeof(path), "%s%s%s", back->dir, key[0] ? "/" : "", key);
    xs_rm(back->xs, XBT_NULL, path);
}

void back_front_write(struct raw_back *back, const char *key, const char *value)
{
    path_write(back, back->front, key, value);
}

char *back_front_read(struct raw_back *back, const char *key)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", back->front, key);
    return xs_read(back->xs, XBT_NULL, path, NULL);
}

void back_state(struct raw_back *back, unsigned int state)
{
    back_write(back, "state", "%u", state);
}

static void directory_make(struct raw_back *back, const char *dir, unsigned int owner, unsigned int reader)
{
    struct xs_permissions perms[2] = { { .id = owner, .perms = XS_PERM_NONE },
                                       { .id = reader, .perms = XS_PERM_READ } };

    xs_rm(back->xs, XBT_NULL, dir);
    if (!xs_mkdir(back->xs, XBT_NULL, dir) || !xs_set_permissions(back->xs, XBT_NULL, dir, perms, 2))
        back_fail("cannot make %s: %s", dir, strerror(errno));
}

void back_create(struct raw_back *back, const char *kind, unsigned int domid, unsigned int devid)
{
    memset(back, 0, sizeof(*back));
    back->domid = domid;
    back->devid = devid;
    back->deadline_s = DEADLINE_S;
    back->xs = xs_open(0);
    back->gnttab = xengnttab_open(NULL, 0);
    back->evtchn = xenevtchn_open(NULL, 0);
    if (!back->xs || !back->gnttab || !back->evtchn)
        back_fail("cannot open the store, gntdev or evtchn: %s", strerror(errno));
    snprintf(back->dir, sizeof(back->dir), "/local/domain/0/backend/%s/%u/%u", kind, domid, devid);
    snprintf(back->front, sizeof(back->front), "/local/domain/%u/device/%s/%u", domid, kind, devid);
    directory_make(back, back->dir, 0, domid);
    directory_make(back, back->front, domid, 0);
    back_write(back, "frontend", "%s", back->front);
    back_write(back, "frontend-id", "%u", domid);
    back_write(back, "online", "1");
    back_state(back, XenbusStateInitialising);
    back_front_write(back, "backend", back->dir);
    back_front_write(back, "backend-id", "0");
    back_front_write(back, "state", "1");
}

void back_destroy(struct raw_back *back)
{
    back_let_go(back);
    back_remove(back, "");
    xs_rm(back->xs, XBT_NULL, back->front);
    xengnttab_close(back->gnttab);
    xs_close(back->xs);
}

static time_t now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

static unsigned int front_state(struct raw_back *back)
{
    char *value = back_front_read(back, "state");
    unsigned int state = value ? (unsigned int)strtoul(value, NULL, 10) : 0;

    free(value);
    return state;
}

static void front_watch(struct raw_back *back)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/state", back->front);
    if (!xs_watch(back->xs, path, "front"))
        back_fail("cannot watch %s: %s", path, strerror(errno));
}

static void front_unwatch(struct raw_back *back)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/state", back->front);
    xs_unwatch(back->xs, path, "front");
}

enum xenbus_state back_wait_front(struct raw_back *back, unsigned int states)
{
    time_t end = now_s() + back->deadline_s;
    unsigned int state;

    front_watch(back);
    while (state = front_state(back), !(1u << state & states)) {
        struct pollfd pollfd = { .fd = xs_fileno(back->xs), .events = POLLIN };
        char **event;

        if (now_s() >= end)
            back_fail("the frontend's state is %u, waited for one of %#x", state, states);
        poll(&pollfd, 1, 1000);
        while ((event = xs_check_watch(back->xs)))
            free(event);
    }
    front_unwatch(back);
    return state;
}

void back_publish(struct raw_back *back)
{
    back_write(back, "feature-flush-cache", "1");
    back_write(back, "sectors", "%u", SECTORS);
    back_write(back, "sector-size", "512");
    back_write(back, "info", "0");
}

unsigned int back_front_number(struct raw_back *back, const char *key)
{
    char *value = back_front_read(back, key);
    unsigned int number;

    if (!value)
        back_fail("the frontend wrote no %s", key);
    number = (unsigned int)strtoul(value, NULL, 10);
    free(value);
    return number;
}

void *back_map(struct raw_back *back, const char *key)
{
    void *page = xengnttab_map_grant_ref(back->gnttab, back->domid, back_front_number(back, key),
                                         PROT_READ | PROT_WRITE);

    if (!page)
        back_fail("cannot map the frontend's %s: %s", key, strerror(errno));
    return page;
}

void back_bind(struct raw_back *back, const char *key)
{
    xenevtchn_port_or_error_t port =
        xenevtchn_bind_interdomain(back->evtchn, back->domid, back_front_number(back, key));

    if (port < 0)
        back_fail("cannot bind the frontend's event channel: %s", strerror(errno));
    back->port = (evtchn_port_t)port;
}

void back_offer(struct raw_back *back)
{
    back_publish(back);
    back_state(back, XenbusStateInitWait);
    back_wait_front(back, 1u << XenbusStateInitialised);
    back->page = back_map(back, "ring-ref");
    BACK_RING_INIT(&back->ring, back->page, 4096);
    back_bind(back, "event-channel");
}

void back_connect(struct raw_back *back)
{
    back_offer(back);
    back_state(back, XenbusStateConnected);
    back_wait_front(back, 1u << XenbusStateConnected);
}

void back_let_go(struct raw_back *back)
{
    void *pages[] = { back->page, back->tx_page, back->rx_page };

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (pages[i])
            xengnttab_unmap(back->gnttab, pages[i], 1);
    }
    back->page = NULL;
    back->tx_page = NULL;
    back->rx_page = NULL;
    if (back->evtchn)
        xenevtchn_close(back->evtchn);
    back->evtchn = NULL;
}

void back_close(struct raw_back *back)
{
    back_wait_front(back, 1u << XenbusStateClosing | 1u << XenbusStateClosed);
    back_let_go(back);
    back_state(back, XenbusStateClosing);
    back_wait_front(back, 1u << XenbusStateClosed);
    back_state(back, XenbusStateClosed);
}

bool back_has_request(struct raw_back *back)
{
    bool is_more;

    RING_FINAL_CHECK_FOR_REQUESTS(&back->ring, is_more);
    return is_more;
}

bool back_front_is(struct raw_back *back, unsigned int state)
{
    return front_state(back) == state;
}

void back_sleep(struct raw_back *back)
{
    struct pollfd pollfds[] = { { .fd = xenevtchn_fd(back->evtchn), .events = POLLIN },
                                { .fd = xs_fileno(back->xs), .events = POLLIN } };
    xenevtchn_port_or_error_t port;
    char **event;

    if (poll(pollfds, 2, 1000) <= 0)
        return;
    while ((event = xs_check_watch(back->xs)))
        free(event);
    if (!pollfds[0].revents)
        return;
    port = xenevtchn_pending(back->evtchn);
    if (port >= 0)
        xenevtchn_unmask(back->evtchn, (evtchn_port_t)port);
}

blkif_request_t back_request(struct raw_back *back)
{
    time_t end = now_s() + back->deadline_s;
    blkif_request_t request;

    while (!back_has_request(back)) {
        if (now_s() >= end)
            back_fail("no request came");
        back_sleep(back);
    }
    RING_COPY_REQUEST(&back->ring, back->ring.req_cons, &request);
    back->ring.req_cons++;
    return request;
}

void back_put(struct raw_back *back, uint64_t id, uint8_t operation, int16_t status)
{
    blkif_response_t response = { .id = id, .operation = operation, .status = status };

    *RING_GET_RESPONSE(&back->ring, back->ring.rsp_prod_pvt) = response;
    back->ring.rsp_prod_pvt++;
}

void back_push(struct raw_back *back)
{
    RING_PUSH_RESPONSES(&back->ring);
    back_notify(back);
}

void back_notify(struct raw_back *back)
{
    xenevtchn_notify(back->evtchn, back->port);
}

void back_serve(struct raw_back *back)
{
    time_t end = now_s() + back->deadline_s;

    front_watch(back);
    while (front_state(back) == XenbusStateConnected) {
        if (now_s() >= end)
            back_fail("the frontend does not come to an end");
        while (back_has_request(back)) {
            blkif_request_t request = back_request(back);

            back_put(back, request.id, request.operation, BLKIF_RSP_OKAY);
            back_push(back);
        }
        back_sleep(back);
    }
    front_unwatch(back);
    back_close(back);
}
