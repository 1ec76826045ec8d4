// SPDX-License-Identifier: MIT
/*
 * device_queue.c: a list for the next turn, a list for later, and a leaky bucket a device.
 */
#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "backend/device.h"
#include "backend/device_queue.h"

#define LOOKS_BURST 64u /* a whole life from attach to detach takes about a dozen */
#define LOOK_EVERY_MS 10u /* thereafter */

static struct device_list now = TAILQ_HEAD_INITIALIZER(now);
static struct device_list later = TAILQ_HEAD_INITIALIZER(later);
static struct event *turn_event;
static struct event *later_event;

static uint64_t clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Counts a look; false: the device has had its share for now. */
static bool take_look(struct device_turn *turn)
{
    const uint64_t ms = clock_ms();
    const uint64_t leaked = (ms - turn->counted_ms) / LOOK_EVERY_MS;

    turn->looks = leaked < turn->looks ? turn->looks - leaked : 0;
    turn->counted_ms = turn->looks ? turn->counted_ms + leaked * LOOK_EVERY_MS : ms;
    if (turn->looks >= LOOKS_BURST)
        return false;
    turn->looks++;
    return true;
}

static void enqueue(struct device *device, struct device_list *list)
{
    TAILQ_INSERT_TAIL(list, device, turn.link);
    device->turn.list = list;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval wait = { .tv_usec = LOOK_EVERY_MS * 1000 };
    struct device_list batch = TAILQ_HEAD_INITIALIZER(batch);
    struct device *device;

    /* What is queued meanwhile waits for the next turn, after other events. */
    TAILQ_CONCAT(&batch, &now, turn.link);
    TAILQ_FOREACH(device, &batch, turn.link)
    device->turn.list = &batch;
    while ((device = TAILQ_FIRST(&batch))) {
        device_queue_remove(device);
        if (take_look(&device->turn))
            device_look(device);
        else
            enqueue(device, &later);
    }
    if (!TAILQ_EMPTY(&later) && !evtimer_pending(later_event, NULL))
        evtimer_add(later_event, &wait);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    struct device *device;

    while ((device = TAILQ_FIRST(&later))) {
        device_queue_remove(device);
        enqueue(device, &now);
    }
    event_active(turn_event, EV_TIMEOUT, 0);
}

int device_queue_start(struct event_base *base)
{
    turn_event = evtimer_new(base, on_turn, NULL);
    later_event = evtimer_new(base, on_later, NULL);
    if (turn_event && later_event)
        return 0;
    device_queue_stop();
    return -ENOMEM;
}

void device_queue_stop(void)
{
    if (turn_event)
        event_free(turn_event);
    if (later_event)
        event_free(later_event);
    turn_event = later_event = NULL;
}

void device_queue_add(struct device *device)
{
    if (device->turn.list)
        return;
    enqueue(device, &now);
    event_active(turn_event, EV_TIMEOUT, 0);
}

void device_queue_remove(struct device *device)
{
    if (!device->turn.list)
        return;
    TAILQ_REMOVE(device->turn.list, device, turn.link);
    device->turn.list = NULL;
}
