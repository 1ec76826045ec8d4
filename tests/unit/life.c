// SPDX-License-Identifier: MIT
/* life.c: see life.h. */
#include <config.h>

#include "tests/unit/life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "backend/blk/vbd.h"
#include "backend/device.h"
#include "backend/device_queue.h"
#include "backend/device_table.h"
#include "backend/domain.h"
#include "backend/toolstack.h"
#include "tests/unit/fake_store.h"

struct life_family life_family;
struct event_base *life_base;

/* --- the family -------------------------------------------------------------------------------------------- */

void life_answer(void)
{
    struct device *device = life_family.device;
    const int error = life_family.error;

    life_family.is_busy = false;
    device_done(device, error, "the test wants error %d", error);
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
    life_answer();
}

static void finish(struct device *device, int error)
{
    const struct timeval wait = { .tv_usec = life_family.turns };

    life_family.device = device;
    life_family.error = error;
    if (life_family.is_held)
        return;
    if (life_family.is_slow)
        evtimer_add(life_family.answer, &wait);
    else
        life_answer();
}

static void begin(void)
{
    assert_false(life_family.is_busy);
    life_family.is_busy = true;
}

static void family_setup(struct device *device)
{
    begin();
    assert_false(life_family.is_connected);
    life_family.is_set_up = true;
    life_family.setups++;
    finish(device, life_family.fail_setup);
}

static void family_connect(struct device *device)
{
    begin();
    assert_true(life_family.is_set_up && !life_family.is_connected);
    life_family.is_connected = true;
    life_family.connects++;
    life_family.adoptions += device->is_adopting;
    finish(device, life_family.fail_connect);
}

static void family_disconnect(struct device *device)
{
    begin();
    assert_true(life_family.is_connected);
    life_family.is_connected = false;
    life_family.disconnects++;
    life_family.partings += device->is_parting;
    finish(device, 0);
}

static void family_teardown(struct device *device)
{
    begin();
    assert_true(life_family.is_set_up && !life_family.is_connected);
    life_family.is_set_up = false;
    life_family.teardowns++;
    finish(device, 0);
}

/* In the place of the block devices. */
const struct device_family_ops vbd_family_ops = {
    .name = "vbd",
    .setup = family_setup,
    .connect = family_connect,
    .disconnect = family_disconnect,
    .teardown = family_teardown,
};

/* --- what the others do ------------------------------------------------------------------------------------ */

int life_set_up(void **state)
{
    memset(&life_family, 0, sizeof(life_family));
    fake_store_reset();
    fake_domain_set(3, 30);
    life_base = event_base_new();
    life_family.answer = evtimer_new(life_base, on_answer, NULL);
    assert_int_equal(domains_open(), 0);
    assert_int_equal(device_queue_start(life_base), 0);
    return toolstack_start(life_base);
}

void life_quit_one(struct device *device, void *arg)
{
    device_quit(device, *(bool *)arg);
}

int life_tear_down(void **state)
{
    bool is_parting = false;

    fake_store_cut(false);
    life_family.is_held = life_family.is_slow = false;
    toolstack_refuse();
    device_table_each(life_quit_one, &is_parting);
    life_settle();
    assert_int_equal(device_table_count(), 0);
    assert_int_equal(fake_store_transactions(), 0);
    assert_false(life_family.is_set_up || life_family.is_connected || life_family.is_busy);
    toolstack_stop();
    device_queue_stop();
    domains_close();
    event_free(life_family.answer);
    event_base_free(life_base);
    return 0;
}

void life_settle(void)
{
    struct timespec start, now;
    unsigned int idle = 0;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        unsigned int before = fake_store_reads() + life_family.setups + life_family.disconnects;
        event_base_loop(life_base, EVLOOP_NONBLOCK);
        unsigned int after = fake_store_reads() + life_family.setups + life_family.disconnects;
        clock_gettime(CLOCK_MONOTONIC, &now);
        idle = before == after && !(life_family.is_busy && life_family.is_slow) ? idle + 1 : 0;
        if (idle > 0 && idle < 20)
            nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    } while (idle < 20 && now.tv_sec - start.tv_sec < 20);
    assert_true(idle >= 20);
}

void life_write(const char *dir, const char *key, int value)
{
    char path[128], text[16];

    snprintf(path, sizeof(path), "%s/%s", dir, key);
    snprintf(text, sizeof(text), "%d", value);
    fake_store_write(path, text);
}

void life_attach(void)
{
    life_write(FRONT, "state", XenbusStateInitialising);
    fake_store_write(BACK "/frontend", FRONT);
    life_write(BACK, "frontend-id", 3);
    life_write(BACK, "online", 1);
    life_write(BACK, "state", XenbusStateInitialising);
}

void life_frontend(enum xenbus_state state)
{
    life_write(FRONT, "state", state);
}

int life_own(void)
{
    const char *state = fake_store_read(BACK "/state");

    return state ? atoi(state) : -1;
}

void life_connect(void)
{
    life_attach();
    life_settle();
    assert_int_equal(life_own(), XenbusStateInitWait);
    life_frontend(XenbusStateInitialised);
    life_settle();
    assert_int_equal(life_own(), XenbusStateConnected);
    life_frontend(XenbusStateConnected);
    life_settle();
}

bool life_has_error(void)
{
    return fake_store_read("/local/domain/0/error/backend/vbd/3/51712/error") != NULL;
}
