// SPDX-License-Identifier: MIT
/* box.h: a box of its own for a test program: started, looked into, stopped. */
#ifndef TESTS_XENBOX_BOX_H
#define TESTS_XENBOX_BOX_H

#include <stdbool.h>
#include <sys/types.h>

#include <xenevtchn.h>

#include "xenbox/hv/audit.h"
#include "xenbox/hv/audit_pages.h"
#include "xenbox/lib/client.h"

struct test_box {
    char dir[256];
    pid_t pid; /* the hypervisor process */
    struct client tool; /* domain 0's, of kind XB_CONN_TOOL */
};

/*
 * Starts a box in a new directory with that option of xenbox-hv (or NULL), and points $XENBOX to it. $XS_MODE is its
 * mode.
 */
void test_box_start(struct test_box *box, const char *option);

/* Stops it by XB_OP_STOP, or by what is left of it, and removes the directory. */
void test_box_stop(struct test_box *box);

/* The domain that handles opened from here on belong to. */
void test_box_enter(uint32_t domid);

uint32_t test_box_create_domain(struct test_box *box);

/* Pins of a page that is mapped once: in mode pv the kernel has an alias of its own. */
unsigned test_box_pins(const struct test_box *box);

/* Fails the test with the first contradiction in the tables. */
void test_box_audit(struct test_box *box);

/* Waits until condition(box, arg) holds; false after `timeout_ms`. */
bool test_box_wait(struct test_box *box, bool (*condition)(struct test_box *, void *), void *arg,
                   int timeout_ms);

/* Waits until the box holds exactly this again. */
bool test_box_wait_counts(struct test_box *box, const struct audit_counts *expected);

/* The next port of the handle, or -1 when none comes within some seconds. */
int test_box_pending(xenevtchn_handle *handle);

/* Open descriptors of the hypervisor process. */
unsigned test_box_descriptors(const struct test_box *box);

#endif
