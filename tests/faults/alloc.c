// SPDX-License-Identifier: MIT
/*
 * alloc.c: a library to preload that counts a program's allocations, and lets one of them fail. Whatever allocator is
 * below, that of a sanitizer too, does the work.
 *
 * XS_ALLOC names a file of at least sizeof(struct board) bytes, which is mapped: a test reads the counts there, and
 * arms a failure by writing `fail_in` (1: the next allocation) while the program runs. Only the kinds of threads
 * that `fail_where` names have it happen to them. Without XS_ALLOC nothing is counted.
 */
#include <config.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/faults/board.h"

struct board {
    _Atomic int64_t live; /* blocks */
    _Atomic int64_t main_calls; /* allocations of the main thread */
    _Atomic int64_t worker_calls; /* and of its workers: what they are named */
    _Atomic int64_t fail_in; /* counts down; the allocation that takes it to 0 fails */
    _Atomic int64_t fail_where; /* 0: any thread, 1: the main thread, 2: workers, 3: libxenstore's */
    _Atomic int64_t failed; /* allocations that were made to fail */
};

static struct board nothing, *board = &nothing;
static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static int (*next_posix_memalign)(void **, size_t, size_t);
static void *(*next_aligned_alloc)(size_t, size_t);

/* What is asked for before the next allocator is known; dlsym itself allocates. */
static _Alignas(16) char early[16384];
static size_t early_used;

static bool is_early(const void *at)
{
    return (const char *)at >= early && (const char *)at < early + sizeof(early);
}

static void *early_alloc(size_t size)
{
    void *at = early + early_used;

    size = (size + 15) & ~(size_t)15;
    if (early_used + size > sizeof(early))
        _exit(99);
    early_used += size;
    return at;
}

static void find(const char *name, void *function)
{
    *(void **)function = dlsym(RTLD_NEXT, name);
}

/* False: it is being looked for, by this very thread, since no other one runs so early. */
static bool has_next(void)
{
    static bool is_looking;

    if (next_malloc)
        return true;
    if (is_looking)
        return false;
    is_looking = true;
    find("calloc", &next_calloc);
    find("realloc", &next_realloc);
    find("free", &next_free);
    find("posix_memalign", &next_posix_memalign);
    find("aligned_alloc", &next_aligned_alloc);
    find("malloc", &next_malloc);
    return true;
}

__attribute__((constructor)) static void start(void)
{
    board = board_map("XS_ALLOC", sizeof(*board), &nothing);
}

enum { THREAD_OTHER, THREAD_MAIN, THREAD_WORKER, THREAD_STORE };

static int thread_kind(void)
{
    char name[16] = "";

    if (gettid() == getpid())
        return THREAD_MAIN;
    prctl(PR_GET_NAME, name);
    if (strncmp(name, "worker", 6) == 0)
        return THREAD_WORKER;
    return strcmp(name, program_invocation_short_name) == 0 ? THREAD_STORE : THREAD_OTHER; /* which nobody names */
}

/*
 * What an emulated Xen allocates in the place of a hypervisor and its kernel, which take the memory from elsewhere, is
 * not the program's.
 */
static bool is_of_xen(const void *caller)
{
    Dl_info info;

    return dladdr(caller, &info) && info.dli_fname &&
           (strstr(info.dli_fname, "/libxengnttab") || strstr(info.dli_fname, "/libxenevtchn") ||
            (info.dli_sname && strstr(info.dli_sname, "tsearch"))); /* where it keeps its mappings */
}

/* true: this one does not fail. */
static bool count(const void *caller)
{
    const int kind = is_of_xen(caller) ? THREAD_OTHER : thread_kind();

    if (kind == THREAD_MAIN || kind == THREAD_WORKER)
        atomic_fetch_add(kind == THREAD_MAIN ? &board->main_calls : &board->worker_calls, 1);
    if (board->fail_in <= 0 || (board->fail_where && board->fail_where != kind))
        return true;
    if (atomic_fetch_sub(&board->fail_in, 1) != 1)
        return true;
    board->failed++;
    errno = ENOMEM;
    return false;
}

static void *keep(void *at)
{
    board->live += at != NULL;
    return at;
}

void *malloc(size_t size)
{
    if (!has_next())
        return early_alloc(size);
    return count(__builtin_return_address(0)) ? keep(next_malloc(size)) : NULL;
}

void *calloc(size_t number, size_t size)
{
    if (!has_next())
        return early_alloc(number * size); /* as it comes from the loader: zeroes */
    return count(__builtin_return_address(0)) ? keep(next_calloc(number, size)) : NULL;
}

static void *resize(void *old, size_t size, const void *caller)
{
    void *at;

    if (!has_next() || is_early(old)) {
        at = malloc(size);
        if (at && old)
            memcpy(at, old,
                   (size_t)(early + sizeof(early) - (char *)old) < size
                       ? (size_t)(early + sizeof(early) - (char *)old)
                       : size);
        return at;
    }
    if (!count(caller))
        return NULL;
    at = next_realloc(old, size);
    if (!old)
        keep(at);
    return at;
}

void *realloc(void *old, size_t size)
{
    return resize(old, size, __builtin_return_address(0));
}

void free(void *at)
{
    if (!at || is_early(at))
        return;
    board->live--;
    next_free(at);
}

/* A sanitizer has these of its own, which would take their memory past us and give it back through us. */
static char *copy(const char *text, size_t length, const void *caller)
{
    char *at = !has_next() ? early_alloc(length + 1) : count(caller) ? keep(next_malloc(length + 1)) : NULL;

    if (!at)
        return NULL;
    at[length] = '\0';
    return memcpy(at, text, length);
}

char *strdup(const char *text)
{
    return copy(text, strlen(text), __builtin_return_address(0));
}

char *strndup(const char *text, size_t size)
{
    return copy(text, strnlen(text, size), __builtin_return_address(0));
}

void *reallocarray(void *old, size_t number, size_t size)
{
    size_t bytes;

    if (!__builtin_mul_overflow(number, size, &bytes))
        return resize(old, bytes, __builtin_return_address(0));
    errno = ENOMEM;
    return NULL;
}

int posix_memalign(void **at, size_t alignment, size_t size)
{
    int error;

    if (!has_next() || !count(__builtin_return_address(0)))
        return ENOMEM;
    error = next_posix_memalign(at, alignment, size);
    if (error == 0)
        keep(*at);
    return error;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return has_next() && count(__builtin_return_address(0)) ? keep(next_aligned_alloc(alignment, size))
                                                            : NULL;
}
