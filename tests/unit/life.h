// SPDX-License-Identifier: MIT
/*
 * life.h: the life of one device of guest 3, over a store in this process (fake_store.h) and with a family of devices
 * that takes its time and asserts that it is called in order.
 */
#ifndef XENSPLIT_TESTS_LIFE_H
#define XENSPLIT_TESTS_LIFE_H

#include <stdbool.h>

#include <event2/event.h>
#include <xen/io/xenbus.h>

struct device;

#define BACK "/local/domain/0/backend/vbd/3/51712"
#define FRONT "/local/domain/3/device/vbd/51712"
#define WATCHES_OF_A_DAEMON 3 /* backend/vbd, backend/vif and @releaseDomain: none of a device */

/* What the device went through, and how its family answers. */
struct life_family {
    bool is_set_up, is_connected, is_busy;
    unsigned int setups, connects, disconnects, teardowns;
    unsigned int adoptions, partings;
    int fail_setup, fail_connect; /* errors to give */
    bool is_slow; /* answer from the loop, after this many turns: */
    unsigned int turns;
    bool is_held; /* answer only when the test says so */
    struct device *device;
    struct event *answer;
    int error;
};

extern struct life_family life_family;
extern struct event_base *life_base;

/* For cmocka. At the end the daemon quits, and must let go of everything. */
int life_set_up(void **state);
int life_tear_down(void **state);

/* The family's answer to the step that is_held. */
void life_answer(void);
/* Until nothing moves any more; late looks come within 10 ms. */
void life_settle(void);

/* The toolstack and the frontend; and what we have written. */
void life_write(const char *dir, const char *key, int value);
void life_attach(void);
void life_frontend(enum xenbus_state state);
int life_own(void); /* -1: there is no state */
bool life_has_error(void);
/* Both ends, up to Connected. */
void life_connect(void);
/* For device_table_each: arg is a bool, is_parting. */
void life_quit_one(struct device *device, void *arg);

/* A limit of time, then the tests. */
#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, life_set_up, life_tear_down)
#define LIFE_RUN(program, tests)                                                                             \
    (log_init(program, LOG_LEVEL_ERROR), alarm(40), cmocka_run_group_tests(tests, NULL, NULL))

#endif
