// SPDX-License-Identifier: MIT
/*
 * front.c: the life of a handle, see front.h. Everything is driven by states in the store; the blocking calls are
 * loops around the pump.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "frontend/front.h"

#define MAX_STEPS 32 /* actions without waiting in between: a handshake has at most six */
#define PEER_CLOSE_MS 10000u /* to finish what is in flight when it is the backend that closes */

int front_init(struct front *front, const struct front_ops *ops, const struct front_limits *limits)
{
    front->ops = ops;
    front->limits = *limits;
    front->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return front->epoll_fd < 0 ? -errno : 0;
}

void front_fini(struct front *front)
{
    if (!front->ops)
        return;
    front_close(front, 0);
    if (front->is_open)
        attach_fini(&front->attach);
    if (front->epoll_fd >= 0)
        close(front->epoll_fd);
    front->ops = NULL;
}

int front_open(struct front *front, const uint32_t *devid)
{
    int err = attach_open(&front->attach, &front->error, front->ops->kind, devid);

    if (err < 0)
        return err;
    err = front_poll_add(front, attach_fd(&front->attach), FRONT_SOURCE_STORE);
    if (err < 0) {
        attach_fini(&front->attach);
        return front_error_set(&front->error, err, "cannot poll xenstore: %s", strerror(-err));
    }
    front->is_open = true;
    return 0;
}

/* The connection's resources go back: grants are revoked before anything that they refer to is freed (E14). */
static void front_unlink(struct front *front)
{
    if (front->is_linked)
        front->quarantined_pages += front->ops->unlink(front) + link_fini(&front->link);
    front->is_linked = false;
}

/* The claim goes last: until then no other program may come near. */
static void front_leave(struct front *front)
{
    front_unlink(front);
    front->is_again = false;
    front->is_draining = false;
    attach_unwatch(&front->attach);
    attach_release(&front->attach);
    front->deadline_ms = 0;
    front->phase = ATTACH_OPENING;
    front->state = front->cause ? XENFRONT_BROKEN : XENFRONT_IDLE;
}

static int act_wait(struct front *front)
{
    return 0;
}

static int act_restart(struct front *front)
{
    int err = attach_switch(&front->attach, XenbusStateInitialising);

    return err < 0 ? err : 1;
}

static int act_publish(struct front *front)
{
    int err;

    front->is_linked = true; /* what publish made is taken down together, however far it came */
    err = front->ops->publish(front);
    if (err < 0)
        front_unlink(front);
    if (err == -EAGAIN) /* the backend moved on: nobody has seen these references */
        return 1;
    if (err < 0)
        return err;
    err = front_poll_add(front, xenevtchn_fd(front->link.evtchn), FRONT_SOURCE_EVENTS);
    if (err < 0)
        return front_error_set(&front->error, err, "cannot poll the event channel: %s", strerror(-err));
    front->phase = ATTACH_PUBLISHED;
    return 1;
}

static int act_connect(struct front *front)
{
    int err = front->ops->connect(front);

    if (err == -EAGAIN)
        return 1;
    if (err < 0)
        return err;
    front->phase = ATTACH_CONNECTED;
    front->state = XENFRONT_CONNECTED;
    front->deadline_ms = 0;
    front->is_again = true; /* an event that came early is masked until the pump has looked at the ring */
    return 0;
}

/* What makes no sense changes nothing and stops nothing. */
static int act_refresh(struct front *front)
{
    struct front_error cause = front->error;

    if (front->is_backend_event)
        front->ops->refresh(front);
    front->error = cause;
    return 0;
}

static int act_drain(struct front *front)
{
    if (front->state == XENFRONT_CLOSING)
        return 0;
    front->cause = front_error_set(&front->error, -ESHUTDOWN, "the backend closes the device");
    front->state = XENFRONT_CLOSING;
    front->is_draining = true;
    front->deadline_ms = front_now_ms() + PEER_CLOSE_MS;
    return 0;
}

static int act_lost(struct front *front)
{
    enum xenbus_state own, peer;

    if (attach_states(&front->attach, &own, &peer) < 0)
        peer = XenbusStateUnknown;
    if (front->phase == ATTACH_PUBLISHED)
        return front_error_set(
            &front->error, -ECONNREFUSED,
            "the backend refused the connection: state Connected expected, found %s: its log says why",
            xenbus_state_name(peer));
    return front_error_set(&front->error, -ESHUTDOWN,
                           "the backend dropped the connection: state Connected expected, found %s",
                           xenbus_state_name(peer));
}

static int act_gone(struct front *front)
{
    return front_error_set(&front->error, -ENODEV, "the device was removed (%s)", front->attach.backend);
}

static int act_to_closing(struct front *front)
{
    int err = attach_switch(&front->attach, XenbusStateClosing);

    return err < 0 ? err : 1;
}

static int act_to_closed(struct front *front)
{
    int err = attach_switch(&front->attach, XenbusStateClosed);

    return err < 0 ? err : 1;
}

/* Our state does not stay at what it was when the backend vanished first. */
static int act_done(struct front *front)
{
    enum xenbus_state own, peer;
    struct front_error cause = front->error;

    if (attach_states(&front->attach, &own, &peer) == 0 && own != XenbusStateUnknown &&
        own != XenbusStateInitialising && own != XenbusStateClosed)
        attach_switch(&front->attach, XenbusStateClosed);
    front->error = cause;
    front_leave(front);
    return 0;
}

/* Each returns 1 to look again, 0 to wait, or a negative errno with the sentence set. */
static int (*const actions[])(struct front *front) = {
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

static void close_force(struct front *front)
{
    struct front_error cause = front->error;

    front->ops->abort(front, front->cause ? front->cause : -ESHUTDOWN);
    attach_switch(&front->attach, XenbusStateClosed);
    front->error = cause;
    front_leave(front);
}

static bool is_active(const struct front *front)
{
    return front->state != XENFRONT_IDLE && front->attach.is_watching;
}

static int step_once(struct front *front)
{
    enum xenbus_state own, peer;
    int err = attach_states(&front->attach, &own, &peer);

    return err < 0 ? err : actions[attach_fsm(front->phase, own, peer)](front);
}

void front_step(struct front *front)
{
    for (int i = 0; i < MAX_STEPS && is_active(front); i++) {
        int more = step_once(front);

        if (more == 0)
            return;
        if (more < 0 && front->phase == ATTACH_CLOSING) { /* no handshake with this one */
            close_force(front);
            return;
        }
        if (more < 0)
            front_break(front, more);
    }
}

void front_break(struct front *front, int err)
{
    struct front_error cause = front->error;

    if (front->phase == ATTACH_CONNECTED)
        front->ops->take(front); /* what was answered before it ended counts; a broken ring stays broken */
    front->cause = err;
    front->state = XENFRONT_BROKEN;
    front->phase = ATTACH_CLOSING;
    front->is_draining = false;
    front->is_again = false;
    front->deadline_ms = 0;
    front->ops->abort(front, err);
    if (err == -EPROTO)
        xenbus_write_error(front->attach.xs, front->attach.dir, cause.text);
    front->error = cause;
}

void front_drained(struct front *front)
{
    front->is_draining = false;
    front->is_again = false; /* nobody looks at the ring any more */
    front->phase = ATTACH_CLOSING;
    front_step(front);
}

void front_expired(struct front *front)
{
    enum xenbus_state own = XenbusStateUnknown, peer = XenbusStateUnknown;
    uint32_t in_flight = front->ops->in_flight(front);

    attach_states(&front->attach, &own, &peer);
    if (front->state == XENFRONT_CONNECTING) {
        front_error_set(&front->error, -ETIMEDOUT,
                        "no connection in time: backend's state Connected expected, found %s (ours: %s; is a "
                        "backend running?)",
                        xenbus_state_name(peer), xenbus_state_name(own));
        front_break(front, -ETIMEDOUT);
        front_step(front);
        return;
    }
    if (!front->cause)
        front->close_result =
            front_error_set(&front->error, -ETIMEDOUT,
                            "closed by force: backend's state Closed expected in time, found %s, "
                            "with %" PRIu32 " requests in flight",
                            xenbus_state_name(peer), in_flight);
    close_force(front);
}

int front_start(struct front *front, uint32_t timeout_ms)
{
    int err;

    if (!front->is_open)
        return front_error_set(&front->error, -ENODEV, "no device is open on this handle");
    if (front->state != XENFRONT_IDLE)
        return front_error_set(&front->error, -EISCONN, "an unconnected device expected: close it first");
    front_error_clear(&front->error);
    err = attach_claim(&front->attach, front->limits.is_takeover);
    if (err < 0)
        return err;
    xenbus_clear_error(front->attach.xs, front->attach.dir);
    err = attach_watch(&front->attach);
    if (err < 0) {
        attach_release(&front->attach);
        return err;
    }
    front->state = XENFRONT_CONNECTING;
    front->phase = ATTACH_OPENING;
    front->cause = 0;
    front->close_result = 0;
    front->deadline_ms = timeout_ms ? front_now_ms() + timeout_ms : 0;
    return 0;
}

int front_connect(struct front *front, uint32_t timeout_ms)
{
    int err = front_start(front, timeout_ms);

    while (err >= 0 && front->state == XENFRONT_CONNECTING)
        err = front_wait(front, -1);
    if (err < 0)
        return err;
    return front->state == XENFRONT_CONNECTED ? 0 : -ESHUTDOWN;
}

int front_shutdown(struct front *front, uint32_t timeout_ms)
{
    if (front->is_inside)
        return -EBUSY;
    if (front->state == XENFRONT_IDLE)
        return 0;
    if (!front->attach.is_watching) { /* broken, and the handshake is done */
        front->cause = 0;
        front->state = XENFRONT_IDLE;
        return 0;
    }
    front->is_inside = true;
    front->close_result = 0;
    front->deadline_ms = front_now_ms() + timeout_ms;
    if (front->state == XENFRONT_CONNECTED && timeout_ms)
        front->is_draining = front->ops->in_flight(front) > 0;
    if (front->state == XENFRONT_BROKEN)
        front->cause = 0; /* it was reported when it broke */
    front->state = XENFRONT_CLOSING;
    if (!timeout_ms)
        close_force(front);
    else if (!front->is_draining)
        front_drained(front);
    front->is_inside = false;
    return 0;
}

int front_close(struct front *front, uint32_t timeout_ms)
{
    const uint64_t end_ms = front_now_ms() + timeout_ms;
    uint32_t left_ms = timeout_ms;

    /* Again when it breaks on the way: it still has its pages, and its part of the handshake before it. */
    do {
        const int err = front_shutdown(front, left_ms);
        uint64_t now_ms;

        if (err < 0)
            return err;
        while (front->state == XENFRONT_CLOSING)
            front_wait(front, -1);
        now_ms = front_now_ms();
        left_ms = now_ms < end_ms ? (uint32_t)(end_ms - now_ms) : 0;
    } while (front->attach.is_watching);
    front->cause = 0;
    front->state = XENFRONT_IDLE;
    return front->close_result;
}

int front_check(struct front *front)
{
    if (front->state == XENFRONT_CONNECTED)
        return 0;
    if (front->state == XENFRONT_IDLE || front->state == XENFRONT_CONNECTING)
        return front_error_set(&front->error, -ENOTCONN, "not connected");
    return front->cause ? front->cause : -ESHUTDOWN; /* the sentence says why it is so */
}
