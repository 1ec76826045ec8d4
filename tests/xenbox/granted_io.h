// SPDX-License-Identifier: MIT
/*
 * granted_io.h: a box with pages that are granted, mapped, and have a file for direct I/O: for the tests of what the
 * replacements of liburing and libaio make of requests on such pages.
 */
#ifndef TESTS_XENBOX_GRANTED_IO_H
#define TESTS_XENBOX_GRANTED_IO_H

#include <liburing.h>
#include <sys/mman.h>

#include <xengnttab.h>

#include "tests/xenbox/box.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGE XB_FRAME_SIZE
#define PAGES 4

struct fixture {
    struct test_box box;
    uint32_t guest;
    xengntshr_handle *shr;
    xengnttab_handle *tab;
    uint32_t ref[PAGES];
    char *shared, *mapped;
    struct io_uring ring;
    int file; /* for direct I/O, 4 pages long */
    char *own; /* a page of ordinary memory */
};

/* For cmocka: *state is the fixture. The second one's box punishes an unmap under I/O. */
int setup(void **state);
int setup_punish(void **state);
int teardown(void **state);

/* Pins of a page's grant entry. */
unsigned pins_of(struct fixture *f, unsigned page);

/* For test_box_wait(): the first page has no pin but its mapping's; arg is the fixture. */
bool is_pinned_once(struct test_box *box, void *arg);

struct io_uring_sqe *sqe_next(struct fixture *f, uint64_t data, unsigned flags);

/* Into page i of the mapping from page `at` of the file; the flags are set behind, as a program would. */
void push_read(struct fixture *f, unsigned i, unsigned at, uint64_t data, unsigned flags);

/* Takes `count` completions and puts their results where their user_data says. */
void take(struct fixture *f, unsigned count, int *results);
void assert_no_more(struct fixture *f);

#endif
