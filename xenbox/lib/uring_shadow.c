// SPDX-License-Identifier: MIT
/*
 * uring_shadow.c: see uring_shadow.h. Registered files are kept as descriptors of our own: the program may have
 * closed its own, and a request that the box's kernel runs needs one.
 */
#include <config.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "xenbox/kernel/io_engine.h"
#include "xenbox/lib/uring_shadow.h"

#define FILES_MAX 65536u
#define FILE_SKIP (-2) /* IORING_REGISTER_FILES_SKIP */

struct uring_shadow {
    LIST_ENTRY(uring_shadow) link;
    int ring_fd; /* the program's; -1: it has closed it */
    int fd; /* a copy of it, as long as requests may complete there; -1: not needed yet */
    unsigned users; /* the list, and each request */
    unsigned requests; /* not over yet */
    int *file;
    unsigned files;
};

static LIST_HEAD(, uring_shadow) shadows = LIST_HEAD_INITIALIZER(shadows);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_idle = PTHREAD_COND_INITIALIZER;
static _Atomic unsigned running;

static struct uring_shadow *find(int ring_fd)
{
    struct uring_shadow *shadow;

    LIST_FOREACH (shadow, &shadows, link) {
        if (shadow->ring_fd == ring_fd)
            return shadow;
    }
    return NULL;
}

static struct uring_shadow *find_or_make(int ring_fd)
{
    struct uring_shadow *shadow = find(ring_fd);

    if (shadow)
        return shadow;
    shadow = calloc(1, sizeof(*shadow));
    if (!shadow)
        return NULL;
    shadow->ring_fd = ring_fd;
    shadow->fd = -1;
    shadow->users = 1;
    LIST_INSERT_HEAD(&shadows, shadow, link);
    return shadow;
}

static void files_close(struct uring_shadow *shadow)
{
    for (unsigned i = 0; i < shadow->files; i++) {
        if (shadow->file[i] >= 0)
            close(shadow->file[i]);
    }
    free(shadow->file);
    shadow->file = NULL;
    shadow->files = 0;
}

static void put(struct uring_shadow *shadow)
{
    if (--shadow->users)
        return;
    if (shadow->fd >= 0)
        close(shadow->fd);
    files_close(shadow);
    free(shadow);
}

struct uring_shadow *shadow_get(int ring_fd)
{
    struct uring_shadow *shadow;

    pthread_mutex_lock(&lock);
    shadow = find_or_make(ring_fd);
    if (shadow)
        shadow->users++;
    pthread_mutex_unlock(&lock);
    return shadow;
}

void shadow_put(struct uring_shadow *shadow)
{
    pthread_mutex_lock(&lock);
    put(shadow);
    pthread_mutex_unlock(&lock);
}

void shadow_forget(int ring_fd)
{
    struct uring_shadow *shadow;

    pthread_mutex_lock(&lock);
    shadow = find(ring_fd);
    if (shadow) {
        LIST_REMOVE(shadow, link);
        shadow->ring_fd = -1;
        if (shadow->fd >= 0)
            close(shadow->fd);
        shadow->fd = -1;
        put(shadow);
    }
    pthread_mutex_unlock(&lock);
}

/* Room up to that index. */
static bool files_grow(struct uring_shadow *shadow, unsigned count)
{
    int *file;

    if (count <= shadow->files)
        return true;
    file = count <= FILES_MAX ? reallocarray(shadow->file, count, sizeof(*file)) : NULL;
    if (!file)
        return false;
    for (unsigned i = shadow->files; i < count; i++)
        file[i] = -1;
    shadow->file = file;
    shadow->files = count;
    return true;
}

void shadow_set_files(int ring_fd, unsigned offset, const int *files, unsigned count)
{
    struct uring_shadow *shadow;

    pthread_mutex_lock(&lock);
    shadow = find_or_make(ring_fd);
    if (shadow && offset <= FILES_MAX && count <= FILES_MAX && files_grow(shadow, offset + count)) {
        for (unsigned i = 0; i < count; i++) {
            int *file = &shadow->file[offset + i];

            if (files[i] == FILE_SKIP)
                continue;
            if (*file >= 0)
                close(*file);
            *file = files[i] >= 0 ? fcntl(files[i], F_DUPFD_CLOEXEC, 0) : -1;
        }
    }
    pthread_mutex_unlock(&lock);
}

void shadow_clear_files(int ring_fd)
{
    struct uring_shadow *shadow;

    pthread_mutex_lock(&lock);
    shadow = find(ring_fd);
    if (shadow)
        files_close(shadow);
    pthread_mutex_unlock(&lock);
}

int shadow_file(struct uring_shadow *shadow, unsigned index)
{
    int fd;

    pthread_mutex_lock(&lock);
    fd = index < shadow->files ? shadow->file[index] : -1;
    pthread_mutex_unlock(&lock);
    return fd;
}

void shadow_begin(struct uring_shadow *shadow)
{
    atomic_fetch_add(&running, 1);
    pthread_mutex_lock(&lock);
    shadow->users++;
    shadow->requests++;
    if (shadow->fd < 0 && shadow->ring_fd >= 0)
        shadow->fd = fcntl(shadow->ring_fd, F_DUPFD_CLOEXEC, 0);
    pthread_mutex_unlock(&lock);
}

void shadow_complete(struct uring_shadow *shadow, uint64_t user_data, int result, uint32_t flags,
                     bool is_wanted, bool is_last)
{
    pthread_mutex_lock(&lock);
    if (is_wanted && shadow->fd >= 0)
        io_engine_post(shadow->fd, user_data, result, flags);
    if (is_last) {
        if (--shadow->requests == 0)
            pthread_cond_broadcast(&is_idle);
        put(shadow);
    }
    pthread_mutex_unlock(&lock);
    if (is_last)
        atomic_fetch_sub(&running, 1);
}

void shadow_drain(int ring_fd)
{
    struct uring_shadow *shadow;

    pthread_mutex_lock(&lock);
    shadow = find(ring_fd);
    if (shadow) {
        shadow->users++;
        while (shadow->requests)
            pthread_cond_wait(&is_idle, &lock);
        put(shadow);
    }
    pthread_mutex_unlock(&lock);
}

bool shadow_is_busy(void)
{
    return atomic_load_explicit(&running, memory_order_relaxed) != 0;
}
