// SPDX-License-Identifier: MIT
/*
 * aio_substitute.c: completions of libaio requests that the box's kernel runs itself: see aio_context.h.
 *
 * When such a request is over, a write of a byte to /dev/null is submitted to the program's context. It is over at
 * once, wakes who waits there and whatever eventfd the program had asked for, and the event that it leaves gets the
 * name and the result of the program's own request.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "xenbox/lib/aio_context.h"

#define RETRY_NS 1000000

struct aio_substitute {
    LIST_ENTRY(aio_substitute) link;
    struct iocb iocb; /* what is submitted at the end */
    io_context_t context;
    struct iocb *original;
    void *data;
    long result;
    bool is_over; /* its event is in the context, or is about to be */
};

static LIST_HEAD(, aio_substitute) substitutes = LIST_HEAD_INITIALIZER(substitutes);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_ended = PTHREAD_COND_INITIALIZER;
static char byte;

static int null_fd(void)
{
    static _Atomic int null = -1;
    int fd = atomic_load(&null), none = -1;

    if (fd >= 0)
        return fd;
    fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && !atomic_compare_exchange_strong(&null, &none, fd)) {
        close(fd);
        fd = none;
    }
    return fd;
}

struct aio_substitute *aio_substitute_begin(io_context_t context, struct iocb *iocb)
{
    struct aio_substitute *substitute = calloc(1, sizeof(*substitute));
    int fd = null_fd();

    if (!substitute || fd < 0) {
        free(substitute);
        return NULL;
    }
    io_prep_pwrite(&substitute->iocb, fd, &byte, 1, 0);
    substitute->iocb.u.c.flags = iocb->u.c.flags;
    substitute->iocb.u.c.resfd = iocb->u.c.resfd;
    substitute->context = context;
    substitute->original = iocb;
    substitute->data = iocb->data;
    pthread_mutex_lock(&lock);
    LIST_INSERT_HEAD(&substitutes, substitute, link);
    pthread_mutex_unlock(&lock);
    return substitute;
}

void aio_substitute_end(struct aio_substitute *substitute, long result)
{
    struct iocb *iocb = &substitute->iocb;
    io_context_t context = substitute->context;
    long ret;

    pthread_mutex_lock(&lock);
    substitute->result = result;
    substitute->is_over = true;
    pthread_mutex_unlock(&lock);
    /* From here on it is the program's that takes the event. A context is full until its owner takes events. */
    while ((ret = syscall(SYS_io_submit, context, 1, &iocb)) < 0 && errno == EAGAIN)
        nanosleep(&(struct timespec){ .tv_nsec = RETRY_NS }, NULL);
    pthread_mutex_lock(&lock);
    if (ret < 0) { /* the context is gone */
        LIST_REMOVE(substitute, link);
        free(substitute);
    }
    pthread_cond_broadcast(&is_ended);
    pthread_mutex_unlock(&lock);
}

void aio_substitute_events(struct io_event *events, int count)
{
    struct aio_substitute *substitute;

    if (LIST_EMPTY(&substitutes))
        return;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < count; i++) {
        LIST_FOREACH (substitute, &substitutes, link) {
            if (&substitute->iocb != events[i].obj)
                continue;
            events[i].obj = substitute->original;
            events[i].data = substitute->data;
            events[i].res = (unsigned long)substitute->result;
            LIST_REMOVE(substitute, link);
            free(substitute);
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

static bool is_running(io_context_t context)
{
    struct aio_substitute *substitute;

    LIST_FOREACH (substitute, &substitutes, link) {
        if (substitute->context == context && !substitute->is_over)
            return true;
    }
    return false;
}

void aio_substitute_wait(io_context_t context)
{
    pthread_mutex_lock(&lock);
    while (is_running(context))
        pthread_cond_wait(&is_ended, &lock);
    pthread_mutex_unlock(&lock);
}
