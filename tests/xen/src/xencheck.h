// SPDX-License-Identifier: MIT
/*
 * xencheck.h: one program that says what grants and event channels do, on the real Xen or on an emulated one.
 *
 * Two processes in two domains: the runner goes through tables of checks; the peer shares pages and answers
 * events as the runner asks it to. They talk through two nodes in the store. Each expectation was observed on
 * the real Xen first; where an emulation differs, the emulation is wrong.
 */
#ifndef XENCHECK_H
#define XENCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libaio.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xentoollog.h>

#include "tests/xen/src/link.h"

#define PAGE 4096 /* of a grant, whatever the machine's is */
#define REFS_MAX 256 /* that fit one answer through the store */

/*
 * What maps grants for the runner. A PV kernel takes two mappings for each, and keeps them from children. Boxes, of
 * which the PV one is meant to be strict, differ from the real thing in four ways, which docs/xenbox.md explains:
 * closing a handle unmaps, a child has no mapping, a wild pointer given to a copy faults in the program unless the box
 * is strict, and an event channel's descriptor is for poll() only.
 */
enum memory_kind { MEMORY_AUTOTRANSLATED, MEMORY_PV, MEMORY_XENBOX, MEMORY_XENBOX_PV };

struct check_env {
    uint32_t domid; /* the peer's */
    enum memory_kind memory;
    const char *file; /* that I/O is done on; NULL: such checks are left out */
    bool is_peer_gone; /* a check took its domain away: ask it nothing more */
    struct link link;
    xengnttab_handle *gnttab; /* opened for each check */
    xenevtchn_handle *evtchn;
    char failure[512]; /* of the check that runs */
};

static inline bool is_xenbox(const struct check_env *env)
{
    return env->memory == MEMORY_XENBOX || env->memory == MEMORY_XENBOX_PV;
}

struct check {
    const char *name;
    void (*fn)(struct check_env *env);
};

/* Says nothing: most failures here are wanted. */
extern struct xentoollog_logger quiet;

extern const struct check check_map_list[], check_copy_list[], check_event_list[], check_death_list[],
    check_aio_list[], check_io_list[];
/* Only when they are named: they may break the kernel. */
extern const struct check check_hazard_list[];

/* peer.c: serves until it is told to quit. */
int peer_serve(struct link *link, uint32_t domid);

/* Asks the peer; the answer without its "ok". A refusal or silence fails the check, and returns "". */
const char *peer_ask(struct check_env *env, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same where a refusal is expected: "ok ..." or "ERRNO". */
const char *peer_try(struct check_env *env, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct share {
    unsigned int id;
    uint32_t count;
    uint32_t refs[REFS_MAX];
};

/* The peer shares pages and fills them with the pattern of seed 1. */
struct share peer_share(struct check_env *env, uint32_t count, bool is_writable);
void peer_unshare(struct check_env *env, const struct share *share);

/* Deterministic contents: what byte `offset` of page `page` holds under a seed; never zero. */
uint8_t pattern_byte(unsigned int seed, unsigned int page, unsigned int offset);
void pattern_fill(void *address, unsigned int seed, unsigned int page);
bool pattern_matches(const void *address, unsigned int seed, unsigned int page);

/* Touches memory that may fault: true when it did not. */
bool probe_read(const volatile void *address);
bool probe_write(volatile void *address);

/* The next port that is pending on the handle within so many milliseconds, left masked; 0: none. */
evtchn_port_t event_wait(xenevtchn_handle *evtchn, int timeout_ms);

/* Waits for so many completions of libaio; false: they do not come. */
bool events_take(io_context_t context, int count, struct io_event *events);

/* The first failure of a check counts; the check returns at once. */
void check_fail(struct check_env *env, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
#define EXPECT(env, condition, ...)                                                                          \
    do {                                                                                                     \
        if ((env)->failure[0])                                                                               \
            return;                                                                                          \
        if (!(condition)) {                                                                                  \
            check_fail(env, __FILE__, __LINE__, __VA_ARGS__);                                                \
            return;                                                                                          \
        }                                                                                                    \
    } while (0)

/* What a call returned, and which errno with it. */
#define EXPECT_ERRNO(env, call, expected)                                                                    \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        long returned_ = (long)(call);                                                                       \
        EXPECT(env, (returned_ == -1 || returned_ == 0) && errno == (expected),                              \
               "%s: returned %ld with %s, expected %s", #call, returned_, errno_name(errno),                 \
               errno_name(expected));                                                                        \
    } while (0)

const char *errno_name(int error);
/* A figure worth seeing, such as a limit. */
void check_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
