// SPDX-License-Identifier: MIT
/*
 * grants.h: what the tests of grants start from: a guest that shares pages with domain 0, and domain 0 that maps
 * them.
 */
#ifndef TESTS_XENBOX_GRANTS_H
#define TESTS_XENBOX_GRANTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "tests/xenbox/box.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGE XB_FRAME_SIZE

struct fixture {
    struct test_box box;
    uint32_t guest;
    xengntshr_handle *shr;
    xengnttab_handle *tab;
    struct audit_counts before; /* with both handles open */
};

/* A fixture in a box that was started with that option (NULL: none). */
int grants_setup(void **state, const char *option);
int grants_teardown(void **state);

/* All that was mapped or shared since the fixture is gone. Chunks stay with their handle. */
void assert_nothing_left(struct fixture *f);

/* The two halves of an entry of the guest: what the hypervisor keeps, and what both see. */
struct xb_active *active_of(struct fixture *f, uint32_t ref);
uint16_t flags_of(struct fixture *f, uint32_t ref);

#endif
