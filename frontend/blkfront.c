// SPDX-License-Identifier: MIT
/*
 * blkfront.c: the life of a vbd handle: found, connected, closed, broken. The table in attach_fsm.c decides,
 * the functions here act. Everything is driven by states in the store, so that the same code connects,
 * notices that the backend closes or vanishes, and closes; the blocking calls are loops around the pump.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "frontend/blk_store.h"
#include "frontend/blkfront.h"

#define DEFAULT_DEPTH 128u
#define MAX_DEPTH 65536u
#define DEFAULT_DATA_PAGES ((uint32_t)BLK_RING_SLOTS * BLKIF_MAX_SEGMENTS_PER_REQUEST)
#define MAX_DATA_PAGES 65536u
#define MAX_STEPS 32 /* actions without waiting in between: a handshake has at most six */
#define PEER_CLOSE_MS 10000u /* to finish what is in flight when it is the backend that closes */

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

struct xenfront_blk *xenfront_blk_new(const struct xenfront_blk_options *options)
{
    struct xenfront_blk *blk = calloc(1, sizeof(*blk));
    int err = -ENOMEM;

    if (!blk)
        goto fail;
    blk->epoll_fd = -1;
    err = options_resolve(&blk->options, options);
    if (err < 0)
        goto fail;
    err = blk_queue_init(&blk->queue, blk->options.depth, &blk->stats);
    if (err < 0)
        goto fail;
    blk->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (blk->epoll_fd < 0) {
        err = -errno;
        goto fail;
    }
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
    xenfront_blk_close(blk, 0);
    if (blk->is_open)
        attach_fini(&blk->attach);
    if (blk->epoll_fd >= 0)
        close(blk->epoll_fd);
    blk_queue_fini(&blk->queue);
    free(blk);
}

static void name_set(struct xenfront_blk *blk, uint32_t devid)
{
    char name[32];

    snprintf(blk->error.device, sizeof(blk->error.device), "vbd %" PRIu32 " (%s)", devid,
             xenfront_vdev_name(devid, name, sizeof(name)));
}

int xenfront_blk_open(struct xenfront_blk *blk, const char *device)
{
    uint32_t devid = 0;
    int err;

    if (blk->is_open)
        return front_error_set(&blk->error, -EISCONN, "a device is open on this handle");
    if (device && xenfront_vdev_parse(device, &devid) < 0)
        return front_error_set(&blk->error, -EINVAL,
                               "device: a name like xvda or a number like 51712 expected, found '%s'",
                               device);
    if (device)
        name_set(blk, devid);
    err = attach_open(&blk->attach, &blk->error, "vbd", device ? &devid : NULL);
    if (err < 0) {
        blk->error.device[0] = '\0';
        return err;
    }
    name_set(blk, blk->attach.devid);
    err = blk_poll_add(blk, attach_fd(&blk->attach), BLK_SOURCE_STORE);
    if (err < 0) {
        attach_fini(&blk->attach);
        return front_error_set(&blk->error, err, "cannot poll xenstore: %s", strerror(-err));
    }
    blk->is_open = true;
    return 0;
}

/* The connection's resources go back. The claim goes last: until then no other program may come near. */
static void blk_unlink(struct xenfront_blk *blk)
{
    if (blk->is_linked)
        blk->stats.quarantined_pages += blk_link_fini(&blk->link);
    blk->is_linked = false;
    blk->is_masked = false;
    blk->is_again = false;
    blk->is_draining = false;
    attach_unwatch(&blk->attach);
    attach_release(&blk->attach);
    blk->deadline_ms = 0;
    blk->phase = ATTACH_OPENING;
    blk->state = blk->cause ? XENFRONT_BROKEN : XENFRONT_IDLE;
}

static int act_wait(struct xenfront_blk *blk)
{
    return 0;
}

static int act_restart(struct xenfront_blk *blk)
{
    int err = attach_switch(&blk->attach, XenbusStateInitialising);

    return err < 0 ? err : 1;
}

static int act_publish(struct xenfront_blk *blk)
{
    struct blk_transport transport;
    int err;

    err = blk_link_init(&blk->link, blk->attach.backend_domid, blk->options.data_pages, &blk->error);
    if (err < 0)
        return err;
    blk->is_linked = true;
    err = blk_poll_add(blk, xenevtchn_fd(blk->link.evtchn), BLK_SOURCE_EVENTS);
    if (err < 0)
        return front_error_set(&blk->error, err, "cannot poll the event channel: %s", strerror(-err));
    blk_queue_connect(&blk->queue, blk->link.ring.base, &blk->link.pool, (uint16_t)blk->attach.devid);
    transport = (struct blk_transport){
        .ring_ref = blk->link.ring.refs[0],
        .event_channel = blk->link.port,
        .is_persistent = !(blk->options.flags & XENFRONT_BLK_NO_PERSISTENT),
    };
    err = blk_store_publish(&blk->attach, &transport);
    if (err == -EAGAIN) { /* the backend moved on: nobody has seen these references */
        blk->stats.quarantined_pages += blk_link_fini(&blk->link);
        blk->is_linked = false;
        return 1;
    }
    if (err < 0)
        return err;
    blk->phase = ATTACH_PUBLISHED;
    return 1;
}

static int act_connect(struct xenfront_blk *blk)
{
    struct xenfront_blk_info info = {
        .devid = blk->attach.devid,
        .backend_domid = blk->attach.backend_domid,
        .ring_slots = (uint32_t)BLK_RING_SLOTS,
        .data_pages = blk->options.data_pages,
    };
    int err = blk_store_connect(&blk->attach, &info);

    if (err == -EAGAIN)
        return 1;
    if (err < 0)
        return err;
    if (blk->options.flags & XENFRONT_BLK_NO_PERSISTENT)
        info.is_persistent = false;
    snprintf(info.backend_path, sizeof(info.backend_path), "%s", blk->attach.backend);
    blk->info = info;
    blk->has_info = true;
    blk->phase = ATTACH_CONNECTED;
    blk->state = XENFRONT_CONNECTED;
    blk->deadline_ms = 0;
    blk->is_again = true; /* an event that came early is masked until the pump has looked at the ring */
    return 0;
}

/* Only the size may change while connected. One that makes no sense changes nothing and stops nothing. */
static int act_refresh(struct xenfront_blk *blk)
{
    struct front_error cause = blk->error;
    struct xenfront_blk_info info = { .devid = blk->info.devid };

    if (!blk->is_backend_event)
        return 0;
    if (blk_store_refresh(&blk->attach, &info) == 0 && info.size_bytes % blk->info.sector_size == 0) {
        blk->info.sectors = info.sectors;
        blk->info.size_bytes = info.size_bytes;
    }
    blk->error = cause;
    return 0;
}

static int act_drain(struct xenfront_blk *blk)
{
    if (blk->state == XENFRONT_CLOSING)
        return 0;
    blk->cause = front_error_set(&blk->error, -ESHUTDOWN, "the backend closes the device");
    blk->state = XENFRONT_CLOSING;
    blk->is_draining = true;
    blk->deadline_ms = blk_now_ms() + PEER_CLOSE_MS;
    return 0;
}

static int act_lost(struct xenfront_blk *blk)
{
    enum xenbus_state own, peer;

    if (attach_states(&blk->attach, &own, &peer) < 0)
        peer = XenbusStateUnknown;
    if (blk->phase == ATTACH_PUBLISHED)
        return front_error_set(
            &blk->error, -ECONNREFUSED,
            "the backend refused the connection: state Connected expected, found %s: its log says why",
            xenbus_state_name(peer));
    return front_error_set(&blk->error, -ESHUTDOWN,
                           "the backend dropped the connection: state Connected expected, found %s",
                           xenbus_state_name(peer));
}

static int act_gone(struct xenfront_blk *blk)
{
    return front_error_set(&blk->error, -ENODEV, "the device was removed (%s)", blk->attach.backend);
}

static int act_to_closing(struct xenfront_blk *blk)
{
    int err = attach_switch(&blk->attach, XenbusStateClosing);

    return err < 0 ? err : 1;
}

static int act_to_closed(struct xenfront_blk *blk)
{
    int err = attach_switch(&blk->attach, XenbusStateClosed);

    return err < 0 ? err : 1;
}

/* Our state does not stay at what it was when the backend vanished first. */
static int act_done(struct xenfront_blk *blk)
{
    enum xenbus_state own, peer;
    struct front_error cause = blk->error;

    if (attach_states(&blk->attach, &own, &peer) == 0 && own != XenbusStateUnknown &&
        own != XenbusStateInitialising && own != XenbusStateClosed)
        attach_switch(&blk->attach, XenbusStateClosed);
    blk->error = cause;
    blk_unlink(blk);
    return 0;
}

/* Each returns 1 to look again, 0 to wait, or a negative errno with the sentence set. */
static int (*const actions[])(struct xenfront_blk *blk) = {
    [ATTACH_ACTION_WAIT] = act_wait,
    [ATTACH_ACTION_RESTART] = act_restart,
    [ATTACH_ACTION_PUBLISH] = act_publish,
    [ATTACH_ACTION_CONNECT] = act_connect,
    [ATTACH_ACTION_REFRESH] = act_refresh,
    [ATTACH_ACTION_DRAIN] = act_drain,
    [ATTACH_ACTION_LOST] = act_lost,
    [ATTACH_ACTION_GONE] = act_gone,
    [ATTACH_ACTION_TO_CLOSING] = act_to_closing,
    [ATTACH_ACTION_TO_CLOSED] = act_to_closed,
    [ATTACH_ACTION_DONE] = act_done,
};

static void close_force(struct xenfront_blk *blk)
{
    struct front_error cause = blk->error;

    blk_queue_abort(&blk->queue, blk->cause ? blk->cause : -ESHUTDOWN);
    attach_switch(&blk->attach, XenbusStateClosed);
    blk->error = cause;
    blk_unlink(blk);
}

static bool is_active(const struct xenfront_blk *blk)
{
    return blk->state != XENFRONT_IDLE && blk->attach.is_watching;
}

static int step_once(struct xenfront_blk *blk)
{
    enum xenbus_state own, peer;
    int err = attach_states(&blk->attach, &own, &peer);

    return err < 0 ? err : actions[attach_fsm(blk->phase, own, peer)](blk);
}

void blk_step(struct xenfront_blk *blk)
{
    for (int i = 0; i < MAX_STEPS && is_active(blk); i++) {
        int more = step_once(blk);

        if (more == 0)
            return;
        if (more < 0 && blk->phase == ATTACH_CLOSING) { /* no handshake with this one */
            close_force(blk);
            return;
        }
        if (more < 0)
            blk_break(blk, more);
    }
}

void blk_break(struct xenfront_blk *blk, int err)
{
    struct front_error cause = blk->error;

    if (blk->phase == ATTACH_CONNECTED && !blk->queue.ring.is_broken)
        blk_queue_reap(&blk->queue, BLK_RING_SLOTS); /* what was answered before it ended counts */
    blk->cause = err;
    blk->state = XENFRONT_BROKEN;
    blk->phase = ATTACH_CLOSING;
    blk->is_draining = false;
    blk->is_again = false;
    blk->deadline_ms = 0;
    blk_queue_abort(&blk->queue, err);
    if (err == -EPROTO)
        xenbus_write_error(blk->attach.xs, blk->attach.dir, cause.text);
    blk->error = cause;
}

void blk_drained(struct xenfront_blk *blk)
{
    blk->is_draining = false;
    blk->is_again = false; /* nobody looks at the ring any more */
    blk->phase = ATTACH_CLOSING;
    blk_step(blk);
}

void blk_expired(struct xenfront_blk *blk)
{
    enum xenbus_state own = XenbusStateUnknown, peer = XenbusStateUnknown;
    uint32_t in_flight = blk->queue.in_flight;

    attach_states(&blk->attach, &own, &peer);
    if (blk->state == XENFRONT_CONNECTING) {
        front_error_set(&blk->error, -ETIMEDOUT,
                        "no connection in time: backend's state Connected expected, found %s (ours: %s; is a "
                        "backend running?)",
                        xenbus_state_name(peer), xenbus_state_name(own));
        blk_break(blk, -ETIMEDOUT);
        blk_step(blk);
        return;
    }
    if (!blk->cause)
        blk->close_result =
            front_error_set(&blk->error, -ETIMEDOUT,
                            "closed by force: backend's state Closed expected in time, found %s, "
                            "with %" PRIu32 " requests in flight",
                            xenbus_state_name(peer), in_flight);
    close_force(blk);
}

int xenfront_blk_start(struct xenfront_blk *blk, uint32_t timeout_ms)
{
    int err;

    if (!blk->is_open)
        return front_error_set(&blk->error, -ENODEV, "no device is open on this handle");
    if (blk->state != XENFRONT_IDLE)
        return front_error_set(&blk->error, -EISCONN, "an unconnected device expected: close it first");
    front_error_clear(&blk->error);
    err = attach_claim(&blk->attach, blk->options.flags & XENFRONT_BLK_TAKEOVER);
    if (err < 0)
        return err;
    xenbus_clear_error(blk->attach.xs, blk->attach.dir);
    err = attach_watch(&blk->attach);
    if (err < 0) {
        attach_release(&blk->attach);
        return err;
    }
    blk->state = XENFRONT_CONNECTING;
    blk->phase = ATTACH_OPENING;
    blk->cause = 0;
    blk->close_result = 0;
    blk->deadline_ms = timeout_ms ? blk_now_ms() + timeout_ms : 0;
    return 0;
}

int xenfront_blk_connect(struct xenfront_blk *blk, uint32_t timeout_ms)
{
    int err = xenfront_blk_start(blk, timeout_ms);

    while (err >= 0 && blk->state == XENFRONT_CONNECTING)
        err = xenfront_blk_wait(blk, -1);
    if (err < 0)
        return err;
    return blk->state == XENFRONT_CONNECTED ? 0 : -ESHUTDOWN;
}

int xenfront_blk_shutdown(struct xenfront_blk *blk, uint32_t timeout_ms)
{
    if (blk->is_inside)
        return -EBUSY;
    if (blk->state == XENFRONT_IDLE)
        return 0;
    if (!blk->attach.is_watching) { /* broken, and the handshake is done */
        blk->cause = 0;
        blk->state = XENFRONT_IDLE;
        return 0;
    }
    blk->is_inside = true;
    blk->close_result = 0;
    blk->deadline_ms = blk_now_ms() + timeout_ms;
    if (blk->state == XENFRONT_CONNECTED && timeout_ms)
        blk->is_draining = blk->queue.in_flight > 0;
    if (blk->state == XENFRONT_BROKEN)
        blk->cause = 0; /* it was reported when it broke */
    blk->state = XENFRONT_CLOSING;
    if (!timeout_ms)
        close_force(blk);
    else if (!blk->is_draining)
        blk_drained(blk);
    blk->is_inside = false;
    return 0;
}

int xenfront_blk_close(struct xenfront_blk *blk, uint32_t timeout_ms)
{
    int err = xenfront_blk_shutdown(blk, timeout_ms);

    if (err < 0)
        return err;
    while (blk->state == XENFRONT_CLOSING)
        xenfront_blk_wait(blk, -1);
    blk->cause = 0;
    blk->state = XENFRONT_IDLE;
    return blk->close_result;
}

enum xenfront_state xenfront_blk_state(const struct xenfront_blk *blk)
{
    return blk->state;
}

const char *xenfront_blk_name(const struct xenfront_blk *blk)
{
    return blk->error.device;
}

const char *xenfront_blk_error(const struct xenfront_blk *blk)
{
    return blk->error.text;
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
}
