// SPDX-License-Identifier: MIT
/*
 * hostile_requests.c: single requests that no good frontend would send. Each gets an error response, or the
 * right answer where it is only odd, and the ring goes on.
 */
#include <config.h>

#include "tests/hostile/hostile_cases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_ROUNDS 3000
#define STORM_EVENTS 20000

void expect(int found, int expected, const char *what)
{
    if (found != expected)
        raw_fail("%s: status %d, expected %d", what, found, expected);
}

void expect_service(struct raw_front *front)
{
    blkif_request_t request = raw_request(front, BLKIF_OP_READ, 1, 0, 1);

    expect(raw_do(front, &request), BLKIF_RSP_OKAY, "a good read afterwards");
}

void case_operations(struct raw_front *front)
{
    raw_connect(front);
    for (unsigned int operation = 4; operation < 256; operation++) {
        blkif_request_t request = raw_request(front, (uint8_t)operation, operation, 0, 1);

        if (operation == BLKIF_OP_INDIRECT || operation == BLKIF_OP_DISCARD) /* have cases of their own */
            continue;
        expect(raw_do(front, &request), BLKIF_RSP_EOPNOTSUPP, "an unknown operation");
    }
    expect_service(front);
}

static int discard(struct raw_front *front, uint64_t sector, uint64_t sectors)
{
    blkif_request_discard_t discard = {
        .operation = BLKIF_OP_DISCARD, .flag = BLKIF_DISCARD_SECURE, .id = 5,
        .sector_number = sector, .nr_sectors = sectors
    };
    blkif_request_t request;

    memset(&request, 0xff, sizeof(request)); /* what is behind it in the slot is nobody's business */
    memcpy(&request, &discard, sizeof(discard));
    return raw_do(front, &request);
}

/* Lengths have 64 bits, so that a sum or a product of them wraps. */
void case_discard(struct raw_front *front)
{
    uint64_t sectors;

    raw_connect(front);
    sectors = raw_backend_number(front, "sectors");
    const uint64_t bad[][2] = {
        { sectors - 8, 9 }, { sectors, 1 }, { 8, UINT64_MAX - 7 }, { 0, UINT64_MAX }, { UINT64_MAX, 2 },
        { 0, UINT64_MAX / 512 + 1 }, { UINT64_MAX / 512 + 1, 8 }, { 1ULL << 63, 1ULL << 63 }, { 0, 0 },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect(discard(front, bad[i][0], bad[i][1]), BLKIF_RSP_ERROR, "a discard of a range that is none");
    expect(discard(front, sectors - 8, 8), BLKIF_RSP_OKAY, "a discard up to the end");
    expect_service(front);
}

/* One that was not offered. */
void case_discard_not_offered(struct raw_front *front)
{
    raw_connect(front);
    expect(discard(front, 0, 8), BLKIF_RSP_EOPNOTSUPP, "a discard that was not offered");
    expect_service(front);
}

void case_segments(struct raw_front *front)
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

void case_beyond_end(struct raw_front *front)
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
void case_grants(struct raw_front *front)
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
void case_ids(struct raw_front *front)
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
void case_padding(struct raw_front *front)
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
void case_layout_x86_32(struct raw_front *front)
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
void case_readonly(struct raw_front *front)
{
    raw_connect(front);
    if (!(raw_backend_number(front, "info") & VDISK_READONLY))
        raw_fail("a read-only disk does not say so");
    for (unsigned int operation = 0; operation < 256; operation++) {
        blkif_request_t request = raw_request(front, (uint8_t)operation, operation, 0, 1);
        int status = raw_try(front, &request);

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
void case_fuzz(struct raw_front *front)
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

RAW_SCRIBBLES static void *mutate(void *arg)
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

void case_mutation(struct raw_front *front)
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
void case_storm(struct raw_front *front)
{
    raw_connect(front);
    for (unsigned int i = 0; i < STORM_EVENTS; i++)
        raw_notify(front);
    expect_service(front);
}
