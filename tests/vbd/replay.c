// SPDX-License-Identifier: MIT
/*
 * replay.c: one recorded workload. From a seed it makes the same requests each time: every operation, every size and
 * place in a page, direct and indirect, alone and several at a time, and among them all kinds of bad ones: counts,
 * ranges, grants that do not exist or may not be written. What came back goes to standard output: each round's
 * statuses and a hash of the guest's memory. However the backend moves data, two runs must say the same
 * (catalogue H11), and leave the same disk.
 *
 * usage: replay VDEV SEED ROUNDS SECTORS [persistent] [void]
 * persistent: keep the promise of feature-persistent. void: the disk has no data; no read of grants that may not be
 * written, since nobody tries to.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hostile/raw_front.h"

#define BATCH 4u /* requests at a time; each has pages and sectors of its own */
#define SEGMENTS_MAX 32u
#define MISSING_REF 31000u

struct replay {
    struct raw_front front;
    unsigned char *readonly;
    uint32_t readonly_ref;
    struct blkif_request_segment *indirect[BATCH]; /* a page each */
    uint32_t indirect_refs[BATCH];
    uint64_t sectors; /* of the disk */
    uint64_t random;
    bool is_void;
};

static uint32_t below(struct replay *replay, uint32_t limit)
{
    replay->random = replay->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(replay->random >> 33) % limit;
}

static uint64_t hash(uint64_t sum, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum;
}

static void make_segment(struct replay *replay, struct blkif_request_segment *segment, uint32_t page)
{
    uint8_t first = (uint8_t)below(replay, 8);

    *segment = (struct blkif_request_segment){
        .gref = replay->front.refs[page],
        .first_sect = first,
        .last_sect = (uint8_t)(first + below(replay, 8u - first)),
    };
}

/* One thing in it is wrong. */
static void spoil(struct replay *replay, blkif_request_t *request, struct blkif_request_segment *segment,
                  unsigned int count)
{
    struct blkif_request_segment *victim = &segment[below(replay, count)];

    switch (below(replay, 6)) {
    case 0:
        victim->gref = MISSING_REF + below(replay, 100);
        break;
    case 1:
        if (!replay->is_void)
            victim->gref = replay->readonly_ref;
        break;
    case 2:
        victim->last_sect = (uint8_t)(8 + below(replay, 200));
        break;
    case 3:
        victim->first_sect = 7;
        victim->last_sect = 2;
        break;
    case 4:
        request->sector_number = replay->sectors - below(replay, 4);
        break;
    default:
        request->operation = (uint8_t)(7 + below(replay, 200));
    }
}

/* Somewhere in the lane's part of the disk, and now and then past the end of it. Takes the place of another request. */
static void make_discard(struct replay *replay, blkif_request_t *request, uint64_t first, uint64_t sectors)
{
    blkif_request_discard_t discard = { .operation = BLKIF_OP_DISCARD, .id = request->id };

    discard.sector_number = first + below(replay, (uint32_t)sectors);
    discard.nr_sectors = below(replay, (uint32_t)(first + sectors - discard.sector_number) + 1);
    if (below(replay, 4) == 0)
        discard.nr_sectors = replay->sectors - discard.sector_number + below(replay, 8) * ((uint64_t)1 << 60) + 1;
    memset(request, 0, sizeof(*request));
    memcpy(request, &discard, sizeof(discard));
}

/* Lane i of a batch: its own pages, its own part of the disk. */
static void put_request(struct replay *replay, unsigned int lane, unsigned int lanes)
{
    uint32_t pages = RAW_PAGES / lanes, first = lane * pages;
    uint64_t zone = replay->sectors / lanes;
    bool is_indirect = below(replay, 4) == 0;
    uint32_t count = 1 + below(replay, is_indirect ? SEGMENTS_MAX : pages);
    blkif_request_t request =
        raw_request(&replay->front, (uint8_t)(below(replay, 2) ? BLKIF_OP_READ : BLKIF_OP_WRITE), lane, 0,
                    (uint8_t)count);
    struct blkif_request_segment *segment = is_indirect ? replay->indirect[lane] : request.seg;
    uint32_t kind = below(replay, 16);

    request.sector_number = lane * zone + below(replay, (uint32_t)zone - SEGMENTS_MAX * 8);
    for (uint32_t i = 0; i < count; i++)
        make_segment(replay, &segment[i], first + i % pages);
    if (kind == 0)
        request.operation = BLKIF_OP_FLUSH_DISKCACHE;
    else if (kind < 4)
        spoil(replay, &request, segment, count);
    else if (kind == 4)
        make_discard(replay, &request, lane * zone, zone);
    if (request.operation == BLKIF_OP_DISCARD)
        is_indirect = false;
    if (is_indirect && kind != 0 && request.operation <= BLKIF_OP_WRITE) {
        blkif_request_indirect_t indirect = {
            .operation = BLKIF_OP_INDIRECT,
            .indirect_op = request.operation,
            .nr_segments = (uint16_t)count,
            .id = lane,
            .sector_number = request.sector_number,
            .indirect_grefs = { below(replay, 20) ? replay->indirect_refs[lane] : MISSING_REF },
        };

        memset(&request, 0, sizeof(request));
        memcpy(&request, &indirect, sizeof(indirect));
    } else if (is_indirect) {
        request.nr_segments = (uint8_t)(kind == 0 ? 0 : 1 + count % BLKIF_MAX_SEGMENTS_PER_REQUEST);
    }
    raw_put(&replay->front, &request);
}

static void run_round(struct replay *replay, unsigned int number)
{
    unsigned int lanes = below(replay, 2) ? 1 : BATCH;
    int status[BATCH];

    for (size_t i = 0; i < RAW_PAGES * 4096; i += 8)
        *(uint64_t *)(replay->front.data + i) = replay->random * (i + 1);
    for (unsigned int lane = 0; lane < lanes; lane++)
        put_request(replay, lane, lanes);
    raw_push(&replay->front);
    for (unsigned int i = 0; i < lanes; i++) {
        blkif_response_t response = raw_response(&replay->front);

        if (response.id >= lanes)
            raw_fail("round %u: a response to request %" PRIu64, number, response.id);
        status[response.id] = response.status;
    }
    printf("%u:", number);
    for (unsigned int lane = 0; lane < lanes; lane++)
        printf(" %d", status[lane]);
    printf(" %016" PRIx64 "\n",
           hash(hash(0xcbf29ce484222325u, replay->front.data, RAW_PAGES * 4096), replay->readonly, 4096));
}

static unsigned char *share(struct replay *replay, uint32_t *ref, bool is_writable)
{
    void *page = xengntshr_share_pages(replay->front.gntshr, replay->front.backend_id, 1, ref, is_writable);

    if (!page)
        raw_fail("cannot share a page");
    return page;
}

int main(int argc, char **argv)
{
    struct replay replay = { 0 };
    unsigned int rounds;

    if (argc < 5) {
        fprintf(stderr, "usage: replay VDEV SEED ROUNDS SECTORS [persistent] [void]\n");
        return 2;
    }
    raw_open(&replay.front, (unsigned int)strtoul(argv[1], NULL, 10));
    replay.random = strtoull(argv[2], NULL, 10);
    rounds = (unsigned int)strtoul(argv[3], NULL, 10);
    replay.sectors = strtoull(argv[4], NULL, 10);
    for (int i = 5; i < argc; i++) {
        replay.is_void |= strcmp(argv[i], "void") == 0;
        if (strcmp(argv[i], "persistent") == 0)
            raw_write(&replay.front, "feature-persistent", "1");
    }
    replay.readonly = share(&replay, &replay.readonly_ref, false);
    for (unsigned int i = 0; i < BATCH; i++)
        replay.indirect[i] = (void *)share(&replay, &replay.indirect_refs[i], true);
    raw_connect(&replay.front);
    for (unsigned int i = 0; i < rounds; i++)
        run_round(&replay, i);
    raw_disconnect(&replay.front);
    for (unsigned int i = 0; i < BATCH; i++)
        xengntshr_unshare(replay.front.gntshr, replay.indirect[i], 1);
    xengntshr_unshare(replay.front.gntshr, replay.readonly, 1);
    raw_close(&replay.front);
    return 0;
}
