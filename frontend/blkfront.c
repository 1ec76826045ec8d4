// SPDX-License-Identifier: MIT
/*
 * blkfront.c: a vbd as a kind of frontend device: its part of connecting and of progress (see front.h), and the
 * handle's public functions but those that make requests.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/blk_store.h"
#include "frontend/blkfront.h"

#define DEFAULT_DEPTH 128u
#define MAX_DEPTH 65536u
#define DEFAULT_DATA_PAGES ((uint32_t)BLK_RING_SLOTS * BLKIF_MAX_SEGMENTS_PER_REQUEST)
#define MAX_DATA_PAGES 65536u

static int option_resolve(uint32_t given, uint32_t fallback, uint32_t min, uint32_t max, uint32_t *value)
{
    *value = given ? given : fallback;
    return *value >= min && *value <= max ? 0 : -EINVAL;
}

static int options_resolve(struct xenfront_blk_options *options, const struct xenfront_blk_options *given)
{
    struct xenfront_blk_options zero = { .size = sizeof(zero) };
    const struct xenfront_blk_options *from = given ? given : &zero;

    if (from->size != sizeof(*from) || (from->flags & ~(XENFRONT_BLK_TAKEOVER | XENFRONT_BLK_NO_PERSISTENT)))
        return -EINVAL;
    *options = *from;
    if (option_resolve(from->depth, DEFAULT_DEPTH, 1, MAX_DEPTH, &options->depth) < 0)
        return -EINVAL;
    return option_resolve(from->data_pages, DEFAULT_DATA_PAGES, BLKIF_MAX_SEGMENTS_PER_REQUEST,
                          MAX_DATA_PAGES, &options->data_pages);
}

static int blk_publish(struct front *front)
{
    struct xenfront_blk *blk = FRONT_OF(struct xenfront_blk, front);
    struct blk_transport transport;
    int err;

    err = link_init(&front->link, front->attach.backend_domid, 1, 1, blk->options.data_pages, &front->error);
    if (err < 0)
        return err;
    blk_queue_connect(&blk->queue, front->link.rings.base, &front->link.pool, (uint16_t)front->attach.devid);
    transport = (struct blk_transport){
        .ring_ref = front->link.rings.refs[0],
        .event_channel = front->link.port[0].port,
        .is_persistent = !(blk->options.flags & XENFRONT_BLK_NO_PERSISTENT),
    };
    return blk_store_publish(&front->attach, &transport);
}

/*
 * A domain that has no grants left for the lists goes on with requests of the usual size, as does a device that has no
 * pages for longer ones.
 */
static void indirect_prepare(struct xenfront_blk *blk)
{
    struct link *link = &blk->front.link;

    if (blk->info.max_indirect_segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST ||
        blk->options.data_pages <= BLKIF_MAX_SEGMENTS_PER_REQUEST ||
        region_init(&blk->lists, link->shr, link->domid, (uint32_t)BLK_RING_SLOTS) < 0)
        return;
    blk_queue_indirect(&blk->queue, &blk->lists, blk->info.max_indirect_segments);
}

static int blk_connect(struct front *front)
{
    struct xenfront_blk *blk = FRONT_OF(struct xenfront_blk, front);
    struct xenfront_blk_info info = {
        .devid = front->attach.devid,
        .backend_domid = front->attach.backend_domid,
        .ring_slots = (uint32_t)BLK_RING_SLOTS,
        .data_pages = blk->options.data_pages,
    };
    int err = blk_store_connect(&front->attach, &info);

    if (err < 0)
        return err;
    if (blk->options.flags & XENFRONT_BLK_NO_PERSISTENT)
        info.is_persistent = false;
    snprintf(info.backend_path, sizeof(info.backend_path), "%s", front->attach.backend);
    blk->info = info;
    blk->has_info = true;
    indirect_prepare(blk);
    return 0;
}

/* Only the size may change while connected. */
static void blk_refresh(struct front *front)
{
    struct xenfront_blk *blk = FRONT_OF(struct xenfront_blk, front);
    struct xenfront_blk_info info = { .devid = blk->info.devid };

    if (blk_store_refresh(&front->attach, &info) == 0 && info.size_bytes % blk->info.sector_size == 0) {
        blk->info.sectors = info.sectors;
        blk->info.size_bytes = info.size_bytes;
    }
}

static void blk_abort(struct front *front, int err)
{
    blk_queue_abort(&FRONT_OF(struct xenfront_blk, front)->queue, err);
}

static uint32_t blk_unlink(struct front *front)
{
    return region_fini(&FRONT_OF(struct xenfront_blk, front)->lists);
}

static uint32_t blk_in_flight(const struct front *front)
{
    return FRONT_OF(const struct xenfront_blk, front)->queue.in_flight;
}

static uint32_t blk_outstanding(const struct front *front)
{
    return blk_ring_outstanding(&FRONT_OF(const struct xenfront_blk, front)->queue.ring);
}

static bool blk_is_expecting(const struct front *front)
{
    return blk_outstanding(front) > 0;
}

static uint64_t blk_responses(const struct front *front)
{
    return FRONT_OF(const struct xenfront_blk, front)->stats.ring_responses;
}

/* The program's callbacks that have run so far. */
static uint64_t blk_completed(const struct front *front)
{
    const struct xenfront_blk_stats *stats = &FRONT_OF(const struct xenfront_blk, front)->stats;

    return stats->reads + stats->writes + stats->flushes + stats->discards;
}

uint32_t blk_push(struct front *front)
{
    struct xenfront_blk *blk = FRONT_OF(struct xenfront_blk, front);
    bool was_idle = blk_outstanding(front) == 0;
    uint32_t issued;

    blk->unpublished = 0;
    issued = blk_queue_issue(&blk->queue);
    if (issued)
        front_sent(front, was_idle);
    if (blk_ring_push(&blk->queue.ring))
        front_kick(front, 0);
    return issued;
}

static int blk_take(struct front *front)
{
    struct xenfront_blk *blk = FRONT_OF(struct xenfront_blk, front);
    int done = blk_queue_reap(&blk->queue, (uint32_t)BLK_RING_SLOTS);

    if (done < 0)
        front_error_set(&front->error, done, "the backend broke the ring: %s", blk->queue.ring.problem);
    return done;
}

static enum front_pass blk_arm(struct front *front)
{
    struct xenfront_blk *blk = FRONT_OF(struct xenfront_blk, front);

    return blk_ring_arm(&blk->queue.ring) ? FRONT_PASS_MORE : FRONT_PASS_DONE;
}

static bool blk_peek(const struct front *front)
{
    return blk_ring_peek(&FRONT_OF(const struct xenfront_blk, front)->queue.ring);
}

static const struct front_ops blk_ops = {
    .kind = "vbd",
    .publish = blk_publish,
    .connect = blk_connect,
    .refresh = blk_refresh,
    .abort = blk_abort,
    .unlink = blk_unlink,
    .in_flight = blk_in_flight,
    .outstanding = blk_outstanding,
    .is_expecting = blk_is_expecting,
    .responses = blk_responses,
    .completed = blk_completed,
    .push = blk_push,
    .take = blk_take,
    .arm = blk_arm,
    .peek = blk_peek,
};

struct xenfront_blk *xenfront_blk_new(const struct xenfront_blk_options *options)
{
    struct xenfront_blk *blk = calloc(1, sizeof(*blk));
    struct front_limits limits;
    int err = -ENOMEM;

    if (!blk)
        goto fail;
    err = options_resolve(&blk->options, options);
    if (err < 0)
        goto fail;
    err = blk_queue_init(&blk->queue, blk->options.depth, &blk->stats);
    if (err < 0)
        goto fail;
    limits = (struct front_limits){
        .spin_us = blk->options.spin_us,
        .io_timeout_ms = blk->options.io_timeout_ms,
        .is_takeover = blk->options.flags & XENFRONT_BLK_TAKEOVER,
    };
    err = front_init(&blk->front, &blk_ops, &limits);
    if (err < 0)
        goto fail;
    return blk;
fail:
    xenfront_blk_free(blk);
    errno = -err;
    return NULL;
}

void xenfront_blk_free(struct xenfront_blk *blk)
{
    if (!blk)
        return;
    front_fini(&blk->front);
    blk_queue_fini(&blk->queue);
    free(blk);
}

static void name_set(struct xenfront_blk *blk, uint32_t devid)
{
    struct front_error *error = &blk->front.error;
    char name[32];

    snprintf(error->device, sizeof(error->device), "vbd %" PRIu32 " (%s)", devid,
             xenfront_vdev_name(devid, name, sizeof(name)));
}

int xenfront_blk_open(struct xenfront_blk *blk, const char *device)
{
    struct front_error *error = &blk->front.error;
    uint32_t devid = 0;
    int err;

    if (blk->front.is_open)
        return front_error_set(error, -EISCONN, "a device is open on this handle");
    if (device && xenfront_vdev_parse(device, &devid) < 0)
        return front_error_set(
            error, -EINVAL, "device: a name like xvda or a number like 51712 expected, found '%s'", device);
    if (device)
        name_set(blk, devid);
    err = front_open(&blk->front, device ? &devid : NULL);
    if (err < 0)
        error->device[0] = '\0';
    else
        name_set(blk, blk->front.attach.devid);
    return err;
}

int xenfront_blk_start(struct xenfront_blk *blk, uint32_t timeout_ms)
{
    return front_start(&blk->front, timeout_ms);
}

int xenfront_blk_connect(struct xenfront_blk *blk, uint32_t timeout_ms)
{
    return front_connect(&blk->front, timeout_ms);
}

int xenfront_blk_shutdown(struct xenfront_blk *blk, uint32_t timeout_ms)
{
    return front_shutdown(&blk->front, timeout_ms);
}

int xenfront_blk_close(struct xenfront_blk *blk, uint32_t timeout_ms)
{
    return front_close(&blk->front, timeout_ms);
}

int xenfront_blk_fd(const struct xenfront_blk *blk)
{
    return blk->front.epoll_fd;
}

int xenfront_blk_timeout_ms(const struct xenfront_blk *blk)
{
    return front_timeout_ms(&blk->front);
}

int xenfront_blk_pump(struct xenfront_blk *blk)
{
    return front_pump(&blk->front);
}

int xenfront_blk_poll(struct xenfront_blk *blk)
{
    return front_poll(&blk->front);
}

int xenfront_blk_wait(struct xenfront_blk *blk, int timeout_ms)
{
    return front_wait(&blk->front, timeout_ms);
}

unsigned int xenfront_blk_in_flight(const struct xenfront_blk *blk)
{
    return blk->queue.in_flight;
}

enum xenfront_state xenfront_blk_state(const struct xenfront_blk *blk)
{
    return blk->front.state;
}

const char *xenfront_blk_name(const struct xenfront_blk *blk)
{
    return blk->front.error.device;
}

const char *xenfront_blk_error(const struct xenfront_blk *blk)
{
    return blk->front.error.text;
}

int xenfront_blk_info(const struct xenfront_blk *blk, struct xenfront_blk_info *info)
{
    if (!blk->has_info)
        return -ENOTCONN;
    *info = blk->info;
    return 0;
}

void xenfront_blk_stats(const struct xenfront_blk *blk, struct xenfront_blk_stats *stats)
{
    *stats = blk->stats;
    stats->kicks = blk->front.kicks;
    stats->interrupts = blk->front.interrupts;
    stats->spurious = blk->front.spurious;
    stats->quarantined_pages += blk->front.quarantined_pages; /* besides those of freed buffers */
}
