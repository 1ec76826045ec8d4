// SPDX-License-Identifier: MIT
/*
 * hostile.c: block frontends that break the rules, one a case. Each knows what a good backend does about it:
 * an error response and nothing else, or Closing where the ring cannot be trusted any more.
 *
 *     hostile DEVID CASE      runs one case; exit status 0 when the backend did right
 *     hostile --list          names of the cases
 */
#include <config.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hostile/raw_front.h"

#define CLOSING (1u << XenbusStateClosing | 1u << XenbusStateClosed)
#define FUZZ_ROUNDS 3000
#define STORM_EVENTS 20000
#define REVOCATIONS 200
#define UNGRANTED_REF 31000u

static void expect(int found, int expected, const char *what)
{
    if (found != expected)
        raw_fail("%s: status %d, expected %d", what, found, expected);
}

/* The device is as good as new. */
static void expect_service(struct raw_front *front)
{
    blkif_request_t request = raw_request(front, BLKIF_OP_READ, 1, 0, 1);

    expect(raw_do(front, &request), BLKIF_RSP_OKAY, "a good read afterwards");
}

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

/* Single requests: an error response, and the ring goes on. */

static void operations(struct raw_front *front)
{
    raw_connect(front);
    for (unsigned int operation = 4; operation < 256; operation++) {
        blkif_request_t request = raw_request(front, (uint8_t)operation, operation, 0, 1);

        expect(raw_do(front, &request), BLKIF_RSP_EOPNOTSUPP, "an unknown operation");
    }
    expect_service(front);
}

static void segments(struct raw_front *front)
{
    static const uint8_t counts[] = { 0, 12, 128, 255 };
    static const uint8_t ranges[][2] = { { 5, 4 }, { 0, 8 }, { 7, 0 }, { 255, 255 }, { 0, 255 } };

    raw_connect(front);
    for (size_t i = 0; i < sizeof(counts); i++) {
        blkif_request_t request = raw_request(front, BLKIF_OP_WRITE, i, 0, counts[i]);

        expect(raw_do(front, &request), BLKIF_RSP_ERROR, "a bad segment count");
    }
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        blkif_request_t request = raw_request(front, BLKIF_OP_READ, i, 0, 3);

        request.seg[i % 3].first_sect = ranges[i][0];
        request.seg[i % 3].last_sect = ranges[i][1];
        expect(raw_do(front, &request), BLKIF_RSP_ERROR, "a bad segment");
    }
    expect_service(front);
}

static void beyond_end(struct raw_front *front)
{
    uint64_t sectors, bad[5];

    raw_connect(front);
    sectors = raw_backend_number(front, "sectors");
    bad[0] = sectors - 7;
    bad[1] = sectors;
    bad[2] = UINT64_MAX;
    bad[3] = UINT64_MAX / 512 + 1; /* a multiple of 2^64 bytes */
    bad[4] = 1ULL << 63;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        blkif_request_t request = raw_request(front, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, bad[i], 1);

        expect(raw_do(front, &request), BLKIF_RSP_ERROR, "a range past the end");
    }
    expect_service(front);
}

/* C05, C06: one bad ref at each position, the others good. */
static void grants(struct raw_front *front)
{
    raw_connect(front);
    for (unsigned int i = 0; i < 2 * BLKIF_MAX_SEGMENTS_PER_REQUEST; i++) {
        uint8_t operation = i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ;
        blkif_request_t request = raw_request(front, operation, i, 0, BLKIF_MAX_SEGMENTS_PER_REQUEST);

        request.seg[i / 2].gref = i % 3 ? UNGRANTED_REF + i : 0;
        expect(raw_do(front, &request), BLKIF_RSP_ERROR, "a bad grant ref");
    }
    expect_service(front);
}

/* C16: ids are 64 bits that mean nothing to the backend, and may be equal. */
static void ids(struct raw_front *front)
{
    static const uint64_t values[] = { 0, UINT64_MAX, (1ULL << 63) + 1, 7, 7, 7, 1ULL << 32 };
    unsigned int count = sizeof(values) / sizeof(values[0]), sevens = 0;

    raw_connect(front);
    for (unsigned int i = 0; i < count; i++) {
        blkif_request_t request = raw_request(front, BLKIF_OP_READ, values[i], 0, 1);

        raw_put(front, &request);
    }
    raw_push(front);
    for (unsigned int i = 0; i < count; i++) {
        blkif_response_t response = raw_response(front);
        bool is_known = false;

        for (unsigned int j = 0; j < count; j++)
            is_known |= response.id == values[j];
        if (!is_known)
            raw_fail("id %#llx was never sent", (unsigned long long)response.id);
        sevens += response.id == 7;
        expect(response.status, BLKIF_RSP_OKAY, "a read with an odd id");
    }
    if (sevens != 3)
        raw_fail("%u responses to 3 requests with the same id", sevens);
}

/* C10: every byte of a response slot is defined. */
static void padding(struct raw_front *front)
{
    static const unsigned char zeroes[4];
    blkif_request_t request;
    unsigned char *slot;

    raw_connect(front);
    memset(front->page->ring, 0xa5, 4096 - offsetof(blkif_sring_t, ring));
    request = raw_request(front, BLKIF_OP_READ, ~0ULL, 0, 1);
    slot = (unsigned char *)RING_GET_RESPONSE(&front->ring, front->ring.rsp_cons);
    expect(raw_do(front, &request), BLKIF_RSP_OKAY, "a read");
    if (slot[9] || memcmp(slot + 12, zeroes, sizeof(zeroes)))
        raw_fail("the padding of a response holds what was in the backend's memory");
}

/* A 32-bit guest's ring: slots of 108 bytes, responses of 12. */
static void layout_x86_32(struct raw_front *front)
{
    blkif_x86_32_front_ring_t ring;

    raw_connect_as(front, XEN_IO_PROTO_ABI_X86_32);
    FRONT_RING_INIT(&ring, (blkif_x86_32_sring_t *)front->page, 4096);
    for (unsigned int i = 0; i < 100; i++) {
        uint8_t operation = i % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE;
        struct blkif_x86_32_request *request = RING_GET_REQUEST(&ring, ring.req_prod_pvt);
        const struct blkif_x86_32_response *response = RING_GET_RESPONSE(&ring, ring.rsp_cons);

        memset(front->data, i % 2 ? 0 : (int)i, 4096);
        request->operation = operation;
        request->nr_segments = 1;
        request->id = ~(uint64_t)i;
        request->sector_number = 8;
        request->seg[0] = (struct blkif_request_segment){ .gref = front->refs[0], .last_sect = 7 };
        ring.req_prod_pvt++;
        RING_PUSH_REQUESTS(&ring);
        raw_notify(front);
        raw_wait_response(front, ring.rsp_cons);
        expect(response->status, BLKIF_RSP_OKAY, "a transfer on a 32-bit ring");
        if (response->id != ~(uint64_t)i || response->operation != operation)
            raw_fail("response %u of a 32-bit ring is garbled", i);
        if (operation == BLKIF_OP_READ && front->data[4095] != i - 1)
            raw_fail("read %u, expected %u as written", front->data[4095], i - 1);
        ring.rsp_cons++;
    }
}

/* C12: nothing writes to a read-only disk. Run against one. */
static void readonly(struct raw_front *front)
{
    raw_connect(front);
    if (!(raw_backend_number(front, "info") & VDISK_READONLY))
        raw_fail("a read-only disk does not say so");
    for (unsigned int operation = 0; operation < 256; operation++) {
        blkif_request_t request = raw_request(front, (uint8_t)operation, operation, 0, 1);
        int status = raw_do(front, &request);

        if (operation == BLKIF_OP_READ)
            expect(status, BLKIF_RSP_OKAY, "a read");
        else if (operation != BLKIF_OP_FLUSH_DISKCACHE && status == BLKIF_RSP_OKAY)
            raw_fail("operation %u on a read-only disk succeeded", operation);
    }
}

/* A read into the ring itself, or into the guest's store page, would only be our own undoing. */
static void spare_own_pages(const struct raw_front *front, blkif_request_t *request)
{
    for (unsigned int i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
        if (request->seg[i].gref <= front->ring_ref)
            request->seg[i].gref = UNGRANTED_REF;
}

/* Random slots at full speed. The ring's accounting is right, so each gets exactly one response. */
static void fuzz(struct raw_front *front)
{
    raw_connect(front);
    srandom(1);
    for (unsigned int round = 0; round < FUZZ_ROUNDS; round++) {
        unsigned int batch = 1 + (unsigned int)random() % RAW_RING_SLOTS;

        for (unsigned int i = 0; i < batch; i++) {
            blkif_request_t request = raw_request(front, BLKIF_OP_READ, 0, (uint64_t)random() % 64, 11);
            unsigned char *bytes = (unsigned char *)&request;

            for (unsigned int n = (unsigned int)random() % 16; n > 0; n--)
                bytes[(unsigned int)random() % sizeof(request)] = (unsigned char)random();
            spare_own_pages(front, &request);
            raw_put(front, &request);
        }
        raw_push(front);
        for (unsigned int i = 0; i < batch; i++)
            raw_response(front);
    }
    expect_service(front);
}

/* C01, C02: the slots change while they are read. */
static atomic_bool is_mutating;

static void *mutate(void *arg)
{
    struct raw_front *front = arg;
    unsigned int at = 0;

    while (atomic_load_explicit(&is_mutating, memory_order_relaxed)) {
        volatile blkif_request_t *slot = &front->page->ring[at++ % RAW_RING_SLOTS].req;

        slot->nr_segments = 255;
        slot->seg[0].last_sect = 255;
        slot->sector_number = ~0ULL;
        slot->operation = 77;
        slot->operation = BLKIF_OP_WRITE;
        slot->nr_segments = 11;
        slot->seg[0].last_sect = 7;
        slot->sector_number = 0;
    }
    return NULL;
}

static void mutation(struct raw_front *front)
{
    pthread_t thread;

    raw_connect(front);
    atomic_store(&is_mutating, true);
    if (pthread_create(&thread, NULL, mutate, front))
        raw_fail("no thread");
    for (unsigned int round = 0; round < FUZZ_ROUNDS; round++) {
        for (unsigned int i = 0; i < RAW_RING_SLOTS; i++) {
            blkif_request_t request = raw_request(front, BLKIF_OP_WRITE, i, 0, 11);

            raw_put(front, &request);
        }
        raw_push(front);
        for (unsigned int i = 0; i < RAW_RING_SLOTS; i++)
            raw_response(front);
    }
    atomic_store(&is_mutating, false);
    pthread_join(thread, NULL);
    expect_service(front);
}

/* Events without work. */
static void storm(struct raw_front *front)
{
    raw_connect(front);
    for (unsigned int i = 0; i < STORM_EVENTS; i++)
        raw_notify(front);
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
    { "operations", operations, false },
    { "segments", segments, false },
    { "beyond-end", beyond_end, false },
    { "grants", grants, false },
    { "ids", ids, false },
    { "padding", padding, false },
    { "layout-x86-32", layout_x86_32, false },
    { "readonly", readonly, false },
    { "fuzz", fuzz, false },
    { "mutation", mutation, false },
    { "storm", storm, false },
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
