// SPDX-License-Identifier: MIT
/*
 * hostile_net_rx.c: guests that receive badly: pages that cannot be written, too few of them, none at all.
 */
#include <config.h>

#include "tests/hostile/hostile_net.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define UNGRANTED_REF 31000u

static unsigned char bytes[65535];

static void fill(uint32_t length, unsigned int seed)
{
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)((i + seed) * 167 + i / 251);
}

/* The next frame must be what was injected, in the pages that were posted from `first` on. */
static void expect_received(struct raw_net *net, unsigned int first, uint32_t length, const char *what)
{
    uint32_t got = 0;

    for (unsigned int i = 0; got < length; i++) {
        const struct netif_rx_response response = raw_net_received(net).response;

        if (response.id != first + i)
            raw_fail("%s: page %u came back where %u was posted", what, response.id, first + i);
        if (response.status <= 0 || response.offset + response.status > 4096)
            raw_fail("%s: status %d at offset %u", what, response.status, response.offset);
        if (memcmp(net->rx_data + (first + i) * 4096 + response.offset, bytes + got,
                   (size_t)response.status) != 0)
            raw_fail("%s: the contents differ in slot %u", what, i);
        got += (uint32_t)response.status;
        if (((response.flags & NETRXF_more_data) != 0) != (got < length))
            raw_fail("%s: flags %#x after %u of %u bytes", what, response.flags, got, length);
    }
    if (got != length)
        raw_fail("%s: %u bytes, expected %u", what, got, length);
}

void net_case_receive(struct raw_net *net)
{
    static const uint32_t lengths[] = { 14, 60, 1514, 4096, 4097, 8192, 9014, 65535 };

    raw_net_connect(net, true);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        const unsigned int pages = netif_rx_slots(lengths[i], false);

        fill(lengths[i], (unsigned int)i);
        raw_net_post(net, 0, pages); /* not one more */
        raw_net_push_posted(net);
        raw_net_inject(net, bytes, lengths[i]);
        expect_received(net, 0, lengths[i], "a frame");
    }
    net_expect_service(net);
}

/* The answer to a page that cannot be written is an error, for the whole frame, in the same slots. */
void net_case_receive_grants(struct raw_net *net)
{
    raw_net_connect(net, false);
    for (unsigned int place = 0; place < 3; place++) {
        const uint32_t kept = net->rx_refs[place];

        net->rx_refs[place] = UNGRANTED_REF;
        raw_net_post(net, 0, 3);
        net->rx_refs[place] = kept;
        raw_net_push_posted(net);
        fill(9000, place);
        raw_net_inject(net, bytes, 9000);
        for (unsigned int i = 0; i < 3; i++) {
            const struct netif_rx_response response = raw_net_received(net).response;

            if (response.status != NETIF_RSP_ERROR || response.id != i)
                raw_fail("slot %u of a frame for a bad page: status %d, id %u", i, response.status,
                         response.id);
        }
        raw_net_post(net, 3, 1);
        raw_net_push_posted(net);
        fill(700, place);
        raw_net_inject(net, bytes, 700);
        expect_received(net, 3, 700, "the frame after a bad page");
    }
}

/* So much comes in that it would fill any queue that has no bound; in frames of 60 kB. */
static void flood(struct raw_net *net, unsigned int megabytes)
{
    fill(60000, 0);
    for (unsigned int i = 0; i < megabytes * 1000 / 60; i++)
        raw_net_inject(net, bytes, 60000);
}

/* Until nothing of the flood is there any more: one page after the other, what comes is looked at no further. */
static void drain(struct raw_net *net)
{
    struct pollfd poll_fd = { .fd = xenevtchn_fd(net->base.evtchn), .events = POLLIN };

    raw_net_post(net, 0, RAW_NET_PAGES);
    raw_net_push_posted(net);
    for (;;) {
        if (ring_load(&net->rx_page->rsp_prod) == net->rx.rsp_cons) {
            net->rx_page->rsp_event = net->rx.rsp_cons + 1;
            xen_mb();
            if (ring_load(&net->rx_page->rsp_prod) == net->rx.rsp_cons && poll(&poll_fd, 1, 200) != 1)
                break;
            xenevtchn_unmask(net->base.evtchn, (evtchn_port_t)xenevtchn_pending(net->base.evtchn));
            continue;
        }
        raw_net_post(net, (unsigned int)raw_net_received(net).response.id % RAW_NET_PAGES, 1);
        raw_net_push_posted(net);
    }
}

/*
 * Catalogue D07, D14: a guest that takes nothing, while more comes in than anybody would keep. All of it must be taken
 * from the wire, and the guest be served again when it posts pages.
 */
void net_case_stall(struct raw_net *net)
{
    raw_net_connect(net, true);
    flood(net, 64); /* does not end unless the backend drops it */
    drain(net);
    fill(1500, 3);
    raw_net_inject(net, bytes, 1500);
    raw_net_received(net);
    net_expect_service(net);
}

/* Catalogue D07: always one page too few for the next frame. What counts is that frame, not a page that is free. */
void net_case_one_page(struct raw_net *net)
{
    raw_net_connect(net, false);
    raw_net_post(net, 0, 14);
    raw_net_push_posted(net);
    flood(net, 64);
    drain(net);
    net_expect_service(net);
}

/*
 * Without scatter-gather a frame takes one page, and a small frontend never posts more than a few: they must be enough
 * after a stall, too.
 */
void net_case_few_pages(struct raw_net *net)
{
    raw_wait_backend(&net->base, 1u << XenbusStateInitWait);
    raw_net_prepare(net, false);
    raw_remove(&net->base, "feature-sg");
    raw_state(&net->base, XenbusStateConnected);
    raw_wait_backend(&net->base, 1u << XenbusStateConnected);
    fill(1500, 0);
    for (unsigned int i = 0; i < 4000; i++) /* does not end unless the backend drops it */
        raw_net_inject(net, bytes, 1500);
    raw_net_post(net, 0, 8);
    raw_net_push_posted(net);
    for (unsigned int i = 0; i < 1000; i++)
        raw_net_inject(net, bytes, 1500);
    expect_received(net, 0, 1500, "a frame after a stall");
}

/* A guest that does not notify of posted pages gets its frames all the same. */
void net_case_no_notify(struct raw_net *net)
{
    raw_wait_backend(&net->base, 1u << XenbusStateInitWait);
    raw_net_prepare(net, false);
    raw_remove(&net->base, "feature-rx-notify");
    raw_state(&net->base, XenbusStateConnected);
    raw_wait_backend(&net->base, 1u << XenbusStateConnected);
    for (unsigned int round = 0; round < 20; round++) {
        RING_IDX producer;

        /* Some are lost when the backend does not wait long enough: so many that one comes. */
        fill(1000, 0);
        for (unsigned int i = 0; i < 40; i++)
            raw_net_inject(net, bytes, 1000);
        raw_net_post(net, 0, 1);
        producer = net->rx.req_prod_pvt;
        xen_wmb();
        net->rx_page->req_prod = producer; /* and not a word */
        expect_received(net, 0, 1000, "a frame for a page that was posted silently");
    }
    net_expect_service(net);
}
