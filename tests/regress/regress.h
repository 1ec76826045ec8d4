// SPDX-License-Identifier: MIT
/*
 * regress.h: the table of rows of tests/regress/regress, and what the tests in it share.
 *
 * A row of the catalogue of grant-mapping bugs is one function here. It speaks only the public API of Xen's
 * libraries and of libaio, so that the same program runs in a box and in a real dom0; faults come through the
 * environment ($XENBOX_FAULTS, see xenbox(1)) and mean nothing elsewhere.
 *
 * To add a row: write `static void a99_what_it_expects(void)` in the rows_*.c of its theme, put it into the table at
 * the file's end, and, if the fault lives in xenbox, give it a switch in xenbox/hv/bugs.h. Then
 *
 *     tests/regress/run -b BUILDDIR A99               all modes of the row, each in a box of its own
 *     tests/regress/run -b BUILDDIR -m pv -B A99 A99  with the switch on: must be red
 *     tests/regress/prove -b BUILDDIR A99             both, and what else the switch turns red
 *
 * A row runs in a process of its own, which ends after it: what the row leaves open is closed by that, so that
 * close paths are tested too. `xenbox check` follows.
 */
#ifndef TESTS_REGRESS_REGRESS_H
#define TESTS_REGRESS_REGRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>

#define PAGE 4096u /* of a grant, whatever the system's page is */
#define RW (PROT_READ | PROT_WRITE)

/* In which modes of a box a row means something. */
#define IN_AUTO 1u
#define IN_PV 2u
#define IN_PV32 4u
#define IN_BOTH_PV (IN_PV | IN_PV32)
#define IN_ALL (IN_AUTO | IN_PV | IN_PV32)

/* What it needs beyond two ends of a grant. */
#define NEED_FAULTS 1u /* a fault plan: a box */
#define NEED_GUEST 2u /* a granter that is another domain than the mapper */
#define NEED_AIO 4u /* libaio on mapped pages */
#define NEED_EVENTS 8u /* event channels of the granter's, at our hand */

struct row {
    const char *id; /* of the catalogue */
    const char *expects; /* one sentence */
    unsigned modes;
    unsigned needs;
    void (*run)(void);
    unsigned seconds; /* 0: ROW_SECONDS */
    const char *limit; /* that the box has to have: `xenbox up --limit`; NULL: any box */
};

#define ROW_SECONDS 20

/* A row is red: prints where and why, and ends the process. */
#define CHECK(condition, ...) ((condition) ? (void)0 : row_fail(__FILE__, __LINE__, #condition, __VA_ARGS__))
void row_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((noreturn, format(printf, 4, 5)));

/* The two ends of the row. In a box they are two domains, unless the row is about one that grants to itself. */
extern uint32_t granter, mapper;
extern unsigned row_mode; /* IN_* */

/* The checker, in the middle of a row: `xenbox check`, or what takes its place (--after). Red if it finds something. */
void row_check(const char *when);

/* Handles of either end; a row that cannot have one is red. */
xengntshr_handle *granter_share(void);
xenevtchn_handle *granter_events(void);
xengnttab_handle *mapper_tab(void);
xenevtchn_handle *mapper_events(void);

/* The same the other way round. */
xengntshr_handle *mapper_share(void);
xengnttab_handle *granter_tab(void);

/*
 * Pages that the granter shares with a domain, as xengntshr_share_pages() returns them, and their end. All rows share
 * by these: the pages may be those of a guest (granter.c).
 */
void *pages_share(xengntshr_handle *shr, uint32_t to, uint32_t count, uint32_t *refs, int is_writable);
int pages_unshare(xengntshr_handle *shr, void *pages, uint32_t count);

/* The granter is a guest from here on, in which `xencheck peer` serves in this folder of the store. */
void granter_is_guest(const char *folder);

/* The next pending port of the handle, unmasked again, or -1 after `ms`. */
int event_wait(xenevtchn_handle *handle, int ms);

/* Makes handles that are opened from here on follow this plan; NULL: none. */
void faults_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fills a page with words that say whose it is; the byte where it is different from that, or -1. */
void page_fill(void *page, uint32_t seed);
int page_differs(const void *page, uint32_t seed);

/*
 * The granter's table, mapped as the mapper's toolstack would: two ends in two domains are needed. How many frames it
 * may have; some of them (NULL: errno says why); an entry, to be read and written as its domain may.
 */
struct grant_entry_v1;
size_t table_frames(void);
xenforeignmemory_resource_handle *table_map(unsigned long frame, unsigned long frames, void **address);
int table_unmap(xenforeignmemory_resource_handle *table);
volatile struct grant_entry_v1 *granter_entry(uint32_t ref);

/* What the granter's entry says of the use that is made of it. */
#define IS_READ 1u
#define IS_WRITTEN 2u
unsigned grant_in_use(uint32_t ref);

/*
 * A thread that reads the beginning of a page again and again until it is away, and then ends. Has it seen the secret,
 * which the owner writes there when it has the page back?
 */
#define SECRET 0x5ec2e7005ec2e700u
struct watcher {
    pthread_t id;
    const volatile uint64_t *word;
    atomic_bool is_looking, has_seen;
};
void watch_start(struct watcher *watcher, const void *page);
bool watch_end(struct watcher *watcher);

/* Copies from a grant; the status of that, or less than -1000 when the call failed. */
int grant_read(xengnttab_handle *tab, uint32_t ref, void *bytes, uint16_t length);

/* Waits for the children that the row forked; false when one failed. */
bool children_succeed(unsigned count);

extern const struct row rows_calls[], rows_ends[], rows_entry[], rows_hypervisor[], rows_limits[],
    rows_mapping[], rows_pins[], rows_threads[], rows_views[], rows_io[];

#endif
