// SPDX-License-Identifier: MIT
/*
 * raw_net.c: a network frontend without manners, and the far end of the wire.
 */
#include <config.h>

#include "tests/hostile/raw_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEADLINE_MS 30000

void raw_net_listen(struct raw_net *net)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = net->socket_path;

    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    unlink(path);
    net->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (net->listener < 0 || bind(net->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(net->listener, 4) < 0)
        raw_fail("cannot listen on %s: %s", path, strerror(errno));
    net->wire = -1;
}

/* Until the toolstack has attached the device. */
static void wait_attached(unsigned int devid)
{
    struct xs_handle *xs = xs_open(0);
    char path[64], *value = NULL;
    unsigned int count;

    snprintf(path, sizeof(path), "device/vif/%u/backend-id", devid);
    if (!xs || !xs_watch(xs, path, "attached"))
        raw_fail("cannot watch %s: %s", path, strerror(errno));
    while (!value) {
        free(xs_read_watch(xs, &count));
        value = xs_read(xs, XBT_NULL, path, &count);
    }
    free(value);
    xs_close(xs);
}

void raw_net_open(struct raw_net *net, unsigned int devid, const char *socket_path)
{
    struct raw_front *base = &net->base;

    memset(net, 0, sizeof(*net));
    net->socket_path = socket_path;
    raw_net_listen(net);
    puts("listening");
    fflush(stdout);
    wait_attached(devid);
    raw_open_device(base, "vif", devid);
    net->tx_page = xengntshr_share_pages(base->gntshr, base->backend_id, 1, &net->ring_refs[0], 1);
    net->rx_page = xengntshr_share_pages(base->gntshr, base->backend_id, 1, &net->ring_refs[1], 1);
    net->tx_data = xengntshr_share_pages(base->gntshr, base->backend_id, RAW_NET_PAGES, net->tx_refs, 0);
    net->rx_data = xengntshr_share_pages(base->gntshr, base->backend_id, RAW_NET_PAGES, net->rx_refs, 1);
    if (!net->tx_page || !net->rx_page || !net->tx_data || !net->rx_data)
        raw_fail("cannot share pages: %s", strerror(errno));
}

void raw_net_close(struct raw_net *net)
{
    xengntshr_handle *gntshr = net->base.gntshr;

    if (xengntshr_unshare(gntshr, net->tx_page, 1) || xengntshr_unshare(gntshr, net->rx_page, 1) ||
        xengntshr_unshare(gntshr, net->tx_data, RAW_NET_PAGES) ||
        xengntshr_unshare(gntshr, net->rx_data, RAW_NET_PAGES))
        raw_fail("cannot take the pages back: %s", strerror(errno));
    xenevtchn_close(net->base.evtchn);
    xengntshr_close(gntshr);
    xs_close(net->base.xs);
    if (net->wire >= 0)
        close(net->wire);
    close(net->listener);
    unlink(net->socket_path);
}

static evtchn_port_t make_port(struct raw_net *net)
{
    const xenevtchn_port_or_error_t port =
        xenevtchn_bind_unbound_port(net->base.evtchn, net->base.backend_id);

    if (port < 0)
        raw_fail("cannot make an event channel: %s", strerror(errno));
    return (evtchn_port_t)port;
}

void raw_net_prepare(struct raw_net *net, bool is_split)
{
    static const char *const features[] = { "feature-sg", "feature-rx-notify", "feature-gso-tcpv4",
                                            "feature-gso-tcpv6", "feature-ipv6-csum-offload" };
    struct raw_front *base = &net->base;

    memset(net->tx_page, 0, 4096);
    memset(net->rx_page, 0, 4096);
    XEN_FRONT_RING_INIT(&net->tx, net->tx_page, 4096);
    XEN_FRONT_RING_INIT(&net->rx, net->rx_page, 4096);
    net->tx_port = net->rx_port = make_port(net);
    raw_write(base, "tx-ring-ref", "%u", net->ring_refs[0]);
    raw_write(base, "rx-ring-ref", "%u", net->ring_refs[1]);
    raw_write(base, "request-rx-copy", "1");
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
        raw_write(base, features[i], "1");
    if (is_split) {
        net->rx_port = make_port(net);
        raw_remove(base, "event-channel");
        raw_write(base, "event-channel-tx", "%u", net->tx_port);
        raw_write(base, "event-channel-rx", "%u", net->rx_port);
    } else {
        raw_remove(base, "event-channel-tx");
        raw_remove(base, "event-channel-rx");
        raw_write(base, "event-channel", "%u", net->tx_port);
    }
}

void raw_net_connect(struct raw_net *net, bool is_split)
{
    raw_wait_backend(&net->base, 1u << XenbusStateInitWait);
    raw_net_prepare(net, is_split);
    raw_state(&net->base, XenbusStateConnected);
    raw_wait_backend(&net->base, 1u << XenbusStateConnected);
}

void raw_net_disconnect(struct raw_net *net)
{
    struct raw_front *base = &net->base;

    raw_state(base, XenbusStateClosing);
    raw_wait_backend(base, 1u << XenbusStateClosing | 1u << XenbusStateClosed);
    raw_state(base, XenbusStateClosed);
    raw_wait_backend(base, 1u << XenbusStateClosed);
    xenevtchn_unbind(base->evtchn, net->tx_port);
    if (net->rx_port != net->tx_port)
        xenevtchn_unbind(base->evtchn, net->rx_port);
    raw_state(base, XenbusStateInitialising);
}

static void notify(struct raw_net *net, evtchn_port_t port)
{
    if (xenevtchn_notify(net->base.evtchn, port))
        raw_fail("cannot notify: %s", strerror(errno));
}

void raw_net_put(struct raw_net *net, const void *slot)
{
    memcpy(RING_GET_REQUEST(&net->tx, net->tx.req_prod_pvt), slot, 12);
    net->tx.req_prod_pvt++;
}

void raw_net_push(struct raw_net *net)
{
    bool must_notify;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&net->tx, must_notify);
    if (must_notify)
        notify(net, net->tx_port);
}

/* Until *producer is not `seen` any more; *event asks for it. */
static void wait_producer(struct raw_net *net, const RING_IDX *producer, RING_IDX *event, RING_IDX seen)
{
    struct pollfd poll_fd = { .fd = xenevtchn_fd(net->base.evtchn), .events = POLLIN };

    for (;;) {
        xenevtchn_port_or_error_t port;

        *(volatile RING_IDX *)event = seen + 1;
        xen_mb(); /* the backend sees the event index before we look for the last time */
        if (ring_load(producer) != seen)
            break;
        if (poll(&poll_fd, 1, DEADLINE_MS) != 1)
            raw_fail("no response within %d ms", DEADLINE_MS);
        port = xenevtchn_pending(net->base.evtchn);
        if (port < 0 || xenevtchn_unmask(net->base.evtchn, (evtchn_port_t)port))
            raw_fail("event channel: %s", strerror(errno));
    }
    xen_rmb();
    if (ring_load(producer) - seen > NETIF_RING_SLOTS)
        raw_fail("the backend's producer is %u ahead", ring_load(producer) - seen);
}

struct netif_tx_response raw_net_response(struct raw_net *net)
{
    struct netif_tx_response response;

    wait_producer(net, &net->tx_page->rsp_prod, &net->tx_page->rsp_event, net->tx.rsp_cons);
    RING_COPY_RESPONSE(&net->tx, net->tx.rsp_cons, &response);
    net->tx.rsp_cons++;
    return response;
}

struct netif_tx_request raw_net_slot(const struct raw_net *net, unsigned int page, uint16_t offset,
                                     uint16_t size, uint16_t flags)
{
    return (struct netif_tx_request){ .gref = net->tx_refs[page],
                                      .offset = offset,
                                      .flags = flags,
                                      .id = (uint16_t)(0xa000 + page),
                                      .size = size };
}

void raw_net_post(struct raw_net *net, unsigned int first, unsigned int count)
{
    for (unsigned int i = first; i < first + count; i++) {
        struct netif_rx_request *request = RING_GET_REQUEST(&net->rx, net->rx.req_prod_pvt);

        request->id = (uint16_t)i;
        request->pad = 0;
        request->gref = net->rx_refs[i];
        net->rx.req_prod_pvt++;
    }
}

void raw_net_push_posted(struct raw_net *net)
{
    bool must_notify;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&net->rx, must_notify);
    if (must_notify)
        notify(net, net->rx_port);
}

union netif_rx_slot raw_net_received(struct raw_net *net)
{
    union netif_rx_slot slot;

    wait_producer(net, &net->rx_page->rsp_prod, &net->rx_page->rsp_event, net->rx.rsp_cons);
    RING_COPY_RESPONSE(&net->rx, net->rx.rsp_cons, &slot.response);
    net->rx.rsp_cons++;
    return slot;
}

/* A backend that closed the device has closed its port, too, and comes again. */
static int wire(struct raw_net *net)
{
    char byte;

    while (net->wire < 0 || recv(net->wire, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
        if (net->wire >= 0)
            close(net->wire);
        net->wire = accept4(net->listener, NULL, NULL, SOCK_CLOEXEC);
        if (net->wire < 0)
            raw_fail("the backend did not come to its port: %s", strerror(errno));
    }
    return net->wire;
}

static void read_whole(struct raw_net *net, void *to, size_t bytes)
{
    if (recv(net->wire, to, bytes, MSG_WAITALL) != (ssize_t)bytes)
        raw_fail("the wire ended within a frame");
}

uint32_t raw_net_frame(struct raw_net *net, unsigned char *bytes, uint32_t size, int wait_ms)
{
    struct pollfd poll_fd = { .fd = wire(net), .events = POLLIN };
    uint32_t length;

    if (poll(&poll_fd, 1, wait_ms) != 1)
        return 0;
    read_whole(net, &length, sizeof(length));
    length = ntohl(length);
    if (length > size)
        raw_fail("a frame of %u bytes came out, at most %u were expected", length, size);
    read_whole(net, bytes, length);
    return length;
}

void raw_net_inject(struct raw_net *net, const void *bytes, uint32_t length)
{
    const uint32_t header = htonl(length);

    if (send(wire(net), &header, sizeof(header), MSG_NOSIGNAL) != sizeof(header) ||
        send(net->wire, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        raw_fail("cannot send a frame in: %s", strerror(errno));
}

void raw_net_inject_raw(struct raw_net *net, const void *bytes, uint32_t length)
{
    if (send(wire(net), bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        raw_fail("cannot send bytes in: %s", strerror(errno));
}

void raw_net_await_end(struct raw_net *net)
{
    char bytes[4096];

    while (recv(net->wire, bytes, sizeof(bytes), 0) > 0)
        ;
    wire(net);
}

void raw_net_hang_up(struct raw_net *net)
{
    close(wire(net));
    close(net->listener);
    unlink(net->socket_path);
    net->wire = net->listener = -1;
}

void raw_net_wait_carrier(struct raw_net *net, bool is_up)
{
    struct xs_handle *xs = xs_open(0);
    char path[160], *value = NULL;
    bool is_as_wanted = false;
    unsigned int count;

    snprintf(path, sizeof(path), "%s/carrier", net->base.backend);
    if (!xs || !xs_watch(xs, path, "carrier"))
        raw_fail("cannot watch %s: %s", path, strerror(errno));
    while (!is_as_wanted) {
        free(xs_read_watch(xs, &count));
        value = xs_read(xs, XBT_NULL, path, &count);
        is_as_wanted = value && strcmp(value, is_up ? "1" : "0") == 0;
        free(value);
    }
    xs_close(xs);
}
