// SPDX-License-Identifier: MIT
/*
 * hostile_indirect.c: requests whose segments are in a page of their own: good ones, and those that no good
 * frontend would send. The page lies outside of the slot, and changes while it is read.
 */
#include <config.h>

#include "tests/hostile/hostile_cases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define OFFERED 32u
#define MUTATION_ROUNDS 500u
#define LAST_PAGE (RAW_PAGES - 1) /* of the data pages: holds the segments */

/* count segments of one page of data each, as many as there are, over and over. */
static struct blkif_request_segment *segments_fill(const struct raw_front *front, unsigned int count)
{
    struct blkif_request_segment *segments = (void *)(front->data + LAST_PAGE * 4096);

    for (unsigned int i = 0; i < count; i++)
        segments[i] = (struct blkif_request_segment){ .gref = front->refs[i % LAST_PAGE], .last_sect = 7 };
    return segments;
}

static blkif_request_indirect_t indirect_request(const struct raw_front *front, uint8_t operation,
                                                 uint64_t id, uint64_t sector, uint16_t count)
{
    return (blkif_request_indirect_t){ .operation = BLKIF_OP_INDIRECT,
                                       .indirect_op = operation,
                                       .nr_segments = count,
                                       .id = id,
                                       .sector_number = sector,
                                       .indirect_grefs = { front->refs[LAST_PAGE] } };
}

static void indirect_put(struct raw_front *front, const blkif_request_indirect_t *request)
{
    memcpy(RING_GET_REQUEST(&front->ring, front->ring.req_prod_pvt), request, sizeof(*request));
    front->ring.req_prod_pvt++;
}

/* The response names the inner operation, as Linux's frontend wants it. */
static int indirect_do(struct raw_front *front, const blkif_request_indirect_t *request)
{
    blkif_response_t response;

    indirect_put(front, request);
    raw_push(front);
    response = raw_response(front);
    if (response.id != request->id || response.operation != request->indirect_op)
        raw_fail("response to id %#llx, operation %u; expected %#llx, %u", (unsigned long long)response.id,
                 response.operation, (unsigned long long)request->id, request->indirect_op);
    return response.status;
}

void case_indirect(struct raw_front *front)
{
    static const uint16_t counts[] = { 0, OFFERED + 1, 512, 4097, 0x8000, 0xffff };
    static const uint32_t refs[] = { 0, UNGRANTED_REF, UINT32_MAX };
    struct blkif_request_segment *segments;
    blkif_request_indirect_t request;

    raw_connect(front);
    if (raw_backend_number(front, "feature-max-indirect-segments") != OFFERED)
        raw_fail("expected %u indirect segments to be offered", OFFERED);

    /* What the last of 32 segments wrote is what a plain request reads there. */
    segments = segments_fill(front, OFFERED);
    for (unsigned int i = 0; i < LAST_PAGE; i++)
        memset(front->data + i * 4096, (int)i + 1, 4096);
    request = indirect_request(front, BLKIF_OP_WRITE, ~0ULL, 8, OFFERED);
    expect(indirect_do(front, &request), BLKIF_RSP_OKAY, "a write of 32 segments");
    memset(front->data, 0, 4096);
    segments[0].gref = front->refs[0];
    request = indirect_request(front, BLKIF_OP_READ, 2, 8 + (OFFERED - 1) * 8, 1);
    expect(indirect_do(front, &request), BLKIF_RSP_OKAY, "a read of one segment");
    if (front->data[0] != (OFFERED - 1) % LAST_PAGE + 1 || front->data[4095] != front->data[0])
        raw_fail("read %u, expected %u as written", front->data[0], (OFFERED - 1) % LAST_PAGE + 1);

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        request = indirect_request(front, BLKIF_OP_READ, i, 0, counts[i]);
        expect(indirect_do(front, &request), BLKIF_RSP_ERROR, "a bad count of indirect segments");
    }
    for (unsigned int operation = 2; operation < 256; operation++) {
        request = indirect_request(front, (uint8_t)operation, operation, 0, 1);
        expect(indirect_do(front, &request), BLKIF_RSP_ERROR, "an indirect request of another operation");
    }
    for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
        request = indirect_request(front, BLKIF_OP_WRITE, i, 0, 1);
        request.indirect_grefs[0] = refs[i];
        expect(indirect_do(front, &request), BLKIF_RSP_ERROR, "an indirect page that was not granted");
    }
    for (unsigned int i = 0; i < OFFERED; i++) { /* C05: one bad segment at each position */
        segments = segments_fill(front, OFFERED);
        if (i % 2)
            segments[i].gref = UNGRANTED_REF;
        else
            segments[i].last_sect = 8;
        request = indirect_request(front, i % 4 < 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE, i, 0, OFFERED);
        expect(indirect_do(front, &request), BLKIF_RSP_ERROR, "a bad indirect segment");
    }
    expect_service(front);
}

/* C01, C02: the segments change while they are read. */
static atomic_bool is_mutating;

RAW_SCRIBBLES static void *mutate(void *arg)
{
    const struct raw_front *front = arg;
    volatile struct blkif_request_segment *segment = (void *)(front->data + LAST_PAGE * 4096);

    while (atomic_load_explicit(&is_mutating, memory_order_relaxed)) {
        for (unsigned int i = 0; i < OFFERED; i++) {
            segment[i].last_sect = 255;
            segment[i].gref = UNGRANTED_REF;
            segment[i].gref = front->refs[0];
            segment[i].last_sect = 7;
        }
    }
    return NULL;
}

void case_indirect_mutation(struct raw_front *front)
{
    pthread_t thread;

    raw_connect(front);
    segments_fill(front, OFFERED);
    atomic_store(&is_mutating, true);
    if (pthread_create(&thread, NULL, mutate, front))
        raw_fail("no thread");
    for (unsigned int round = 0; round < MUTATION_ROUNDS; round++) {
        for (unsigned int i = 0; i < RAW_RING_SLOTS; i++) {
            blkif_request_indirect_t request = indirect_request(front, BLKIF_OP_WRITE, i, 0, OFFERED);

            indirect_put(front, &request);
        }
        raw_push(front);
        for (unsigned int i = 0; i < RAW_RING_SLOTS; i++)
            raw_response(front);
    }
    atomic_store(&is_mutating, false);
    pthread_join(thread, NULL);
    expect_service(front);
}
