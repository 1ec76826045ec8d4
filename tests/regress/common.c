// SPDX-License-Identifier: MIT
/* common.c: what rows share: see regress.h. */
#include <config.h>

#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/regress/regress.h"

/* Which domain a handle belongs to. A real Xen does not look: there both ends are the domain that we are in. */
#define ENV_DOMID "XENBOX_DOMID"
#define ENV_FAULTS "XENBOX_FAULTS"

uint32_t granter, mapper;
unsigned row_mode = IN_AUTO;

void row_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list args;

    printf("  %s:%d: %s: ", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line, condition);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    if (getenv(ENV_FAULTS))
        printf(" (" ENV_FAULTS "=%s)", getenv(ENV_FAULTS));
    printf("\n");
    fflush(stdout);
    _exit(1);
}

static void enter(uint32_t domid)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", domid);
    setenv(ENV_DOMID, text, 1);
}

xengntshr_handle *granter_share(void)
{
    xengntshr_handle *handle;

    enter(granter);
    handle = xengntshr_open(NULL, 0);
    CHECK(handle, "no gntshr handle of domain %u", granter);
    return handle;
}

xengntshr_handle *mapper_share(void)
{
    xengntshr_handle *handle;

    enter(mapper);
    handle = xengntshr_open(NULL, 0);
    CHECK(handle, "no gntshr handle of domain %u", mapper);
    return handle;
}

xengnttab_handle *granter_tab(void)
{
    xengnttab_handle *handle;

    enter(granter);
    handle = xengnttab_open(NULL, 0);
    CHECK(handle, "no gnttab handle of domain %u", granter);
    return handle;
}

xenevtchn_handle *granter_events(void)
{
    xenevtchn_handle *handle;

    enter(granter);
    handle = xenevtchn_open(NULL, 0);
    CHECK(handle, "no evtchn handle of domain %u", granter);
    return handle;
}

xengnttab_handle *mapper_tab(void)
{
    xengnttab_handle *handle;

    enter(mapper);
    handle = xengnttab_open(NULL, 0);
    CHECK(handle, "no gnttab handle of domain %u", mapper);
    return handle;
}

xenevtchn_handle *mapper_events(void)
{
    xenevtchn_handle *handle;

    enter(mapper);
    handle = xenevtchn_open(NULL, 0);
    CHECK(handle, "no evtchn handle of domain %u", mapper);
    return handle;
}

int event_wait(xenevtchn_handle *handle, int ms)
{
    struct pollfd fd = { .fd = xenevtchn_fd(handle), .events = POLLIN };
    int port = poll(&fd, 1, ms) == 1 ? xenevtchn_pending(handle) : -1;

    if (port >= 0)
        xenevtchn_unmask(handle, port);
    return port;
}

void faults_set(const char *format, ...)
{
    char text[256];
    va_list args;

    if (!format) {
        unsetenv(ENV_FAULTS);
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    setenv(ENV_FAULTS, text, 1);
}

void page_fill(void *page, uint32_t seed)
{
    uint32_t *word = page;

    for (uint32_t i = 0; i < PAGE / sizeof(*word); i++)
        word[i] = seed * 2654435761u + i * 40503u;
}

int page_differs(const void *page, uint32_t seed)
{
    const uint32_t *word = page;

    for (uint32_t i = 0; i < PAGE / sizeof(*word); i++) {
        if (word[i] != seed * 2654435761u + i * 40503u)
            return (int)(i * sizeof(*word));
    }
    return -1;
}

bool children_succeed(unsigned count)
{
    bool is_good = true;
    int status;

    while (count--) {
        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            is_good = false;
    }
    return is_good;
}

static __thread sigjmp_buf page_is_away;

static void watch_over(int signal)
{
    siglongjmp(page_is_away, 1);
}

static void *watch(void *arg)
{
    struct watcher *watcher = arg;

    if (sigsetjmp(page_is_away, 1) == 0) {
        for (;;) {
            if (*watcher->word == SECRET)
                watcher->has_seen = true;
            watcher->is_looking = true;
        }
    }
    return NULL;
}

void watch_start(struct watcher *watcher, const void *page)
{
    *watcher = (struct watcher){ .word = page };
    signal(SIGSEGV, watch_over);
    signal(SIGBUS, watch_over);
    CHECK(pthread_create(&watcher->id, NULL, watch, watcher) == 0, "no thread");
    while (!watcher->is_looking)
        sched_yield();
}

bool watch_end(struct watcher *watcher)
{
    pthread_join(watcher->id, NULL);
    return watcher->has_seen;
}
