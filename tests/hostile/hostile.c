// SPDX-License-Identifier: MIT
/*
 * hostile.c: block frontends that break the rules, one a case. Each knows what a good backend does about it:
 * an error response and nothing else, or Closing where the ring cannot be trusted any more.
 *
 *     hostile DEVID CASE      runs one case; exit status 0 when the backend did right
 *     hostile --list          names of the cases
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hostile/hostile_cases.h"

#define CLOSING (1u << XenbusStateClosing | 1u << XenbusStateClosed)
#define REVOCATIONS 200

/* Keys: the backend must refuse to connect. */

static void refused_with(struct raw_front *front, const char *key, const char *value)
{
    xenevtchn_port_or_error_t port;

    raw_wait_backend(front, 1u << XenbusStateInitWait);
    XEN_FRONT_RING_INIT(&front->ring, front->page, 4096);
    port = xenevtchn_bind_unbound_port(front->evtchn, front->backend_id);
    raw_write(front, "ring-ref", "%u", front->ring_ref);
    raw_write(front, "event-channel", "%u", (unsigned int)port);
    if (value)
        raw_write(front, key, "%s", value);
    else
        raw_remove(front, key);
    raw_state(front, XenbusStateInitialised);
    raw_wait_backend(front, CLOSING);
}

static void ring_ref_0(struct raw_front *front)
{
    refused_with(front, "ring-ref", "0");
}

static void ring_ref_absent(struct raw_front *front)
{
    refused_with(front, "ring-ref", NULL);
}

static void ring_ref_foreign(struct raw_front *front)
{
    refused_with(front, "ring-ref", "31000"); /* nothing of ours was ever granted there */
}

static void ring_ref_huge(struct raw_front *front)
{
    refused_with(front, "ring-ref", "4294967295");
}

static void ring_ref_words(struct raw_front *front)
{
    refused_with(front, "ring-ref", "8; rm -rf /");
}

static void port_0(struct raw_front *front)
{
    refused_with(front, "event-channel", "0");
}

static void port_huge(struct raw_front *front)
{
    refused_with(front, "event-channel", "4294967296");
}

static void port_unbound(struct raw_front *front)
{
    refused_with(front, "event-channel", "4000");
}

static void ring_order_99(struct raw_front *front)
{
    refused_with(front, "ring-page-order", "99");
}

static void queues_9(struct raw_front *front)
{
    refused_with(front, "multi-queue-num-queues", "9");
}

static void protocol_unknown(struct raw_front *front)
{
    refused_with(front, "protocol", "vax-abi");
}

/* Nonsense in the state node is no state; the device must come to life when a real one follows. */
static void state_99(struct raw_front *front)
{
    raw_wait_backend(front, 1u << XenbusStateInitWait);
    raw_state(front, 99);
    raw_write(front, "state", "x");
    raw_state(front, XenbusStateInitialising);
    raw_connect(front);
    expect_service(front);
}

/* C11: accounting that cannot be. The device must close, and be good again after a proper reconnect. */

static void broken_by(struct raw_front *front, RING_IDX producer)
{
    raw_connect(front);
    expect_service(front);
    front->page->req_prod = front->ring.req_prod_pvt + producer;
    xen_wmb();
    raw_notify(front);
    raw_wait_backend(front, CLOSING);
}

static void producer_33(struct raw_front *front)
{
    broken_by(front, RAW_RING_SLOTS + 1);
}

static void producer_half(struct raw_front *front)
{
    broken_by(front, 1u << 31);
}

static void producer_back(struct raw_front *front)
{
    broken_by(front, (RING_IDX)-1);
}

/* The ring's own page as a request's data: the disk's bytes become indices. */
static void ring_as_data(struct raw_front *front)
{
    blkif_request_t request;

    raw_connect(front);
    request = raw_request(front, BLKIF_OP_READ, 1, 0, 1);
    request.seg[0].gref = front->ring_ref;
    raw_put(front, &request);
    raw_push(front);
    raw_wait_backend(front, CLOSING);
}

/* Grants that go away while requests use them: an error or not, but one response each. */
static void revocation(struct raw_front *front)
{
    raw_connect(front);
    for (unsigned int round = 0; round < REVOCATIONS; round++) {
        for (unsigned int i = 0; i < RAW_RING_SLOTS; i++) {
            blkif_request_t request = raw_request(front, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, 0, 11);

            raw_put(front, &request);
        }
        raw_push(front);
        raw_share_again(front);
        for (unsigned int i = 0; i < RAW_RING_SLOTS; i++) {
            blkif_response_t response = raw_response(front);

            if (response.status != BLKIF_RSP_OKAY && response.status != BLKIF_RSP_ERROR)
                raw_fail("status %d of a request whose pages went away", response.status);
        }
    }
    expect_service(front);
}

/* C14: closing with requests in flight; the pages must be ours again when the backend is closed. */
static void close_in_flight(struct raw_front *front)
{
    for (unsigned int round = 0; round < 20; round++) {
        raw_connect(front);
        for (unsigned int i = 0; i < RAW_RING_SLOTS; i++) {
            blkif_request_t request = raw_request(front, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, 0, 11);

            raw_put(front, &request);
        }
        raw_push(front);
        raw_disconnect(front);
    }
}

/* C09: states as fast as the store takes them. */
static void flapping(struct raw_front *front)
{
    static const unsigned int states[] = { 4, 5, 6, 1, 3, 4, 6, 5, 1, 2, 3 };

    raw_wait_backend(front, 1u << XenbusStateInitWait);
    srandom(9);
    raw_write(front, "ring-ref", "%u", front->ring_ref);
    raw_write(front, "event-channel", "%u", xenevtchn_bind_unbound_port(front->evtchn, front->backend_id));
    for (unsigned int i = 0; i < 1000; i++)
        raw_state(front, states[(unsigned int)random() % (sizeof(states) / sizeof(states[0]))]);
    raw_state(front, XenbusStateClosed);
    raw_wait_backend(front, 1u << XenbusStateClosed);
    raw_state(front, XenbusStateInitialising);
    raw_connect(front);
    expect_service(front);
}

/* Out of whatever state an earlier case left, to good service. */
static void recover(struct raw_front *front)
{
    static const char *const keys[] = { "ring-page-order", "multi-queue-num-queues", "protocol", "ring-ref",
                                        "event-channel" };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        raw_remove(front, keys[i]);
    raw_state(front, XenbusStateClosed);
    raw_wait_backend(front, 1u << XenbusStateClosed | 1u << XenbusStateInitWait);
    raw_state(front, XenbusStateInitialising);
    raw_connect(front);
    expect_service(front);
}

static const struct {
    const char *name;
    void (*run)(struct raw_front *front);
    bool is_fatal; /* the device is closing, and left like that */
} cases[] = {
    { "ring-ref-0", ring_ref_0, true },
    { "ring-ref-absent", ring_ref_absent, true },
    { "ring-ref-foreign", ring_ref_foreign, true },
    { "ring-ref-huge", ring_ref_huge, true },
    { "ring-ref-words", ring_ref_words, true },
    { "port-0", port_0, true },
    { "port-huge", port_huge, true },
    { "port-unbound", port_unbound, true },
    { "ring-order-99", ring_order_99, true },
    { "queues-9", queues_9, true },
    { "protocol-unknown", protocol_unknown, true },
    { "state-99", state_99, false },
    { "operations", case_operations, false },
    { "segments", case_segments, false },
    { "beyond-end", case_beyond_end, false },
    { "grants", case_grants, false },
    { "ids", case_ids, false },
    { "padding", case_padding, false },
    { "layout-x86-32", case_layout_x86_32, false },
    { "readonly", case_readonly, false },
    { "fuzz", case_fuzz, false },
    { "discard", case_discard, false },
    { "discard-not-offered", case_discard_not_offered, false },
    { "mutation", case_mutation, false },
    { "storm", case_storm, false },
    { "indirect", case_indirect, false },
    { "indirect-mutation", case_indirect_mutation, false },
    { "producer-33", producer_33, true },
    { "producer-half", producer_half, true },
    { "producer-back", producer_back, true },
    { "ring-as-data", ring_as_data, true },
    { "revocation", revocation, false },
    { "close-in-flight", close_in_flight, true },
    { "flapping", flapping, false },
    { "recover", recover, false },
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

int main(int argc, char **argv)
{
    struct raw_front front;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < CASES; i++)
            puts(cases[i].name);
        return 0;
    }
    if (argc != 3)
        raw_fail("usage: hostile DEVID CASE | hostile --list");
    for (size_t i = 0; i < CASES; i++) {
        if (strcmp(cases[i].name, argv[2]) != 0)
            continue;
        raw_open(&front, (unsigned int)strtoul(argv[1], NULL, 10));
        cases[i].run(&front);
        if (!cases[i].is_fatal)
            raw_disconnect(&front);
        raw_close(&front);
        return 0;
    }
    raw_fail("no case is called %s", argv[2]);
}
