// SPDX-License-Identifier: MIT
/*
 * hostile_net.c: network frontends that break the rules, one a case. Each knows what a good backend does about it: an
 * error response and nothing on the wire, or Closing where the ring cannot be trusted any more.
 *
 *     hostile_net DEVID SOCKET CASE   listens on SOCKET for the backend's port, waits for the device, runs one case
 *     hostile_net --list              names of the cases
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hostile/hostile_net.h"

#define CLOSING (1u << XenbusStateClosing | 1u << XenbusStateClosed)

/* Keys: the backend must refuse to connect. */

static const char *bad_key, *bad_value; /* NULL: absent */

static void refused(struct raw_net *net)
{
    raw_wait_backend(&net->base, 1u << XenbusStateInitWait);
    raw_net_prepare(net, false);
    if (bad_value)
        raw_write(&net->base, bad_key, "%s", bad_value);
    else
        raw_remove(&net->base, bad_key);
    raw_state(&net->base, XenbusStateConnected);
    raw_wait_backend(&net->base, CLOSING);
    raw_state(&net->base, XenbusStateClosed);
    raw_wait_backend(&net->base, 1u << XenbusStateClosed);
    raw_state(&net->base, XenbusStateInitialising);
    if (strcmp(bad_key, "multi-queue-num-queues") == 0)
        raw_remove(&net->base, bad_key);
    raw_net_connect(net, false);
    net_expect_service(net);
}

/* Chains and indices that cannot be: the device closes, and is good again after a proper connect. */

static void expect_closing(struct raw_net *net)
{
    raw_wait_backend(&net->base, CLOSING);
    raw_state(&net->base, XenbusStateClosed);
    raw_wait_backend(&net->base, 1u << XenbusStateClosed);
    raw_state(&net->base, XenbusStateInitialising);
    raw_net_connect(net, true);
    net_expect_service(net);
}

static void put_chain(struct raw_net *net, unsigned int slots, uint16_t flags)
{
    raw_net_connect(net, false);
    net_expect_service(net);
    for (unsigned int i = 0; i < slots; i++) {
        union netif_tx_slot slot = { .request =
                                         raw_net_slot(net, i % RAW_NET_PAGES, 0, i ? 1 : 1000, flags) };

        if (flags & NETTXF_extra_info && i > 0) {
            memset(&slot, 0, sizeof(slot));
            slot.extra.type = XEN_NETIF_EXTRA_TYPE_HASH;
            slot.extra.flags = XEN_NETIF_EXTRA_FLAG_MORE;
        }
        raw_net_put(net, &slot);
    }
    raw_net_push(net);
    expect_closing(net);
}

static void too_many_slots(struct raw_net *net)
{
    put_chain(net, NETIF_PARTS_MAX + 1, NETTXF_more_data);
}

static void endless_slots(struct raw_net *net)
{
    put_chain(net, NETIF_RING_SLOTS, NETTXF_more_data);
}

static void endless_extras(struct raw_net *net)
{
    put_chain(net, NETIF_RING_SLOTS, NETTXF_extra_info);
}

static void unfinished(struct raw_net *net)
{
    put_chain(net, 1, NETTXF_more_data);
}

static void broken_by(struct raw_net *net, RING_IDX *producer, RING_IDX value)
{
    *(volatile RING_IDX *)producer = value;
    xen_wmb();
    xenevtchn_notify(net->base.evtchn, net->tx_port);
    expect_closing(net);
}

static void tx_producer_257(struct raw_net *net)
{
    raw_net_connect(net, false);
    net_expect_service(net);
    broken_by(net, &net->tx_page->req_prod, net->tx.req_prod_pvt + NETIF_RING_SLOTS + 1);
}

static void tx_producer_back(struct raw_net *net)
{
    raw_net_connect(net, false);
    net_expect_service(net);
    broken_by(net, &net->tx_page->req_prod, net->tx.req_prod_pvt - 1);
}

static void rx_producer_257(struct raw_net *net)
{
    raw_net_connect(net, false);
    broken_by(net, &net->rx_page->req_prod, NETIF_RING_SLOTS + 1);
}

static void rx_producer_half(struct raw_net *net)
{
    raw_net_connect(net, false);
    broken_by(net, &net->rx_page->req_prod, 1u << 31);
}

/* Catalogue D04: none is offered, and the keys of one are nothing to us. */
static void control_ring(struct raw_net *net)
{
    struct raw_front *base = &net->base;
    unsigned int count;
    char path[160], *value;

    raw_wait_backend(base, 1u << XenbusStateInitWait);
    snprintf(path, sizeof(path), "%s/feature-ctrl-ring", base->backend);
    value = xs_read(base->xs, XBT_NULL, path, &count);
    if (value && strcmp(value, "0") != 0)
        raw_fail("a control ring is offered: feature-ctrl-ring is %s", value);
    free(value);
    raw_write(base, "ctrl-ring-ref", "31000");
    raw_write(base, "event-channel-ctrl", "4294967296");
    raw_net_connect(net, true);
    net_expect_service(net);
}

static const struct {
    const char *name;
    void (*run)(struct raw_net *net);
    const char *key, *value;
} cases[] = {
    { "service", net_case_service, NULL, NULL },
    { "split", net_case_split, NULL, NULL },
    { "sizes", net_case_sizes, NULL, NULL },
    { "chains", net_case_chains, NULL, NULL },
    { "extras", net_case_extras, NULL, NULL },
    { "checksums", net_case_checksums, NULL, NULL },
    { "grants", net_case_grants, NULL, NULL },
    { "rate", net_case_rate, NULL, NULL },
    { "fuzz", net_case_fuzz, NULL, NULL },
    { "mutation", net_case_mutation, NULL, NULL },
    { "ids", net_case_ids, NULL, NULL },
    { "reuse", net_case_reuse, NULL, NULL },
    { "control-ring", control_ring, NULL, NULL },
    { "gso", net_case_gso, NULL, NULL },
    { "far-end", net_case_far_end, NULL, NULL },
    { "far-end-sleeps", net_case_far_end_sleeps, NULL, NULL },
    { "far-end-full", net_case_far_end_full, NULL, NULL },
    { "nonsense", net_case_nonsense, NULL, NULL },
    { "bad-frames", net_case_bad_frames, NULL, NULL },
    { "receive", net_case_receive, NULL, NULL },
    { "receive-grants", net_case_receive_grants, NULL, NULL },
    { "stall", net_case_stall, NULL, NULL },
    { "one-page", net_case_one_page, NULL, NULL },
    { "few-pages", net_case_few_pages, NULL, NULL },
    { "no-notify", net_case_no_notify, NULL, NULL },
    { "too-many-slots", too_many_slots, NULL, NULL },
    { "endless-slots", endless_slots, NULL, NULL },
    { "endless-extras", endless_extras, NULL, NULL },
    { "unfinished", unfinished, NULL, NULL },
    { "tx-producer-257", tx_producer_257, NULL, NULL },
    { "tx-producer-back", tx_producer_back, NULL, NULL },
    { "rx-producer-257", rx_producer_257, NULL, NULL },
    { "rx-producer-half", rx_producer_half, NULL, NULL },
    { "tx-ring-ref-0", refused, "tx-ring-ref", "0" },
    { "tx-ring-ref-absent", refused, "tx-ring-ref", NULL },
    { "tx-ring-ref-foreign", refused, "tx-ring-ref", "31000" },
    { "rx-ring-ref-words", refused, "rx-ring-ref", "8; rm -rf /" },
    { "rx-ring-ref-foreign", refused, "rx-ring-ref", "31000" },
    { "port-absent", refused, "event-channel", NULL },
    { "port-huge", refused, "event-channel", "4294967296" },
    { "port-unbound", refused, "event-channel", "4000" },
    { "no-rx-copy", refused, "request-rx-copy", NULL },
    { "rx-copy-0", refused, "request-rx-copy", "0" },
    { "queues-9", refused, "multi-queue-num-queues", "9" },
    { "feature-2", refused, "feature-sg", "2" },
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

int main(int argc, char **argv)
{
    static struct raw_net net;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < CASES; i++)
            puts(cases[i].name);
        return 0;
    }
    if (argc != 4)
        raw_fail("usage: hostile_net DEVID SOCKET CASE | hostile_net --list");
    for (size_t i = 0; i < CASES; i++) {
        if (strcmp(cases[i].name, argv[3]) != 0)
            continue;
        bad_key = cases[i].key;
        bad_value = cases[i].value;
        raw_net_open(&net, (unsigned int)strtoul(argv[1], NULL, 10), argv[2]);
        cases[i].run(&net);
        raw_net_disconnect(&net);
        raw_net_close(&net);
        return 0;
    }
    raw_fail("no case is called %s", argv[3]);
}
