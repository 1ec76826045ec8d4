// SPDX-License-Identifier: MIT
/*
 * worker.c: starts the workers' threads and gives queues to them. A worker makes what belongs to it on its own
 * thread, since an I/O engine may be bound to the thread that made it, and tells the main thread how that went.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "backend/channel.h"
#include "backend/config.h"
#include "backend/disk/engine.h"
#include "backend/worker.h"

struct worker_thread {
    pthread_t id;
    sem_t started;
    int error; /* how the start went; valid after started */
    struct letter stop;
    struct worker *worker;
};

static struct worker *workers;
static unsigned int worker_count;
static _Thread_local struct worker *current;

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    channel_dispatch(arg);
}

static void on_stop(struct letter *letter)
{
    struct worker_thread *thread =
        (struct worker_thread *)((char *)letter - offsetof(struct worker_thread, stop));

    event_base_loopbreak(thread->worker->base);
}

/* The loop reads events until none is left: that must not block. */
static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    return base;
}

/* Worker's thread; safe after any prefix of worker_init. */
static void worker_fini(struct worker *worker)
{
    engine_destroy(worker->engine);
    worker->engine = NULL;
    mailbox_fini(&worker->mailbox);
    if (worker->evtchn_event)
        event_free(worker->evtchn_event);
    worker->evtchn_event = NULL;
    if (worker->evtchn)
        xenevtchn_close(worker->evtchn);
    worker->evtchn = NULL;
    if (worker->gnttab)
        xengnttab_close(worker->gnttab);
    worker->gnttab = NULL;
    if (worker->base)
        event_base_free(worker->base);
    worker->base = NULL;
}

/* Worker's thread. Logs errors. */
static int worker_init(struct worker *worker)
{
    const char *what = "event loop";
    int error = -ENOMEM;
    char reason[128];

    worker->base = make_base();
    if (!worker->base)
        goto fail;
    error = mailbox_init(&worker->mailbox, worker->base);
    if (error < 0)
        goto fail;

    what = "event channels (/dev/xen/evtchn)";
    worker->evtchn = xenevtchn_open(NULL, 0);
    error = worker->evtchn ? set_nonblocking(xenevtchn_fd(worker->evtchn)) : -errno;
    if (error < 0)
        goto fail;
    error = -ENOMEM;
    worker->evtchn_event =
        event_new(worker->base, xenevtchn_fd(worker->evtchn), EV_READ | EV_PERSIST, on_event, worker);
    if (!worker->evtchn_event || event_add(worker->evtchn_event, NULL) < 0)
        goto fail;

    what = "grant mapping (/dev/xen/gntdev)";
    worker->gnttab = xengnttab_open(NULL, 0);
    error = worker->gnttab ? 0 : -errno;
    if (error < 0)
        goto fail;

    what = "I/O engine";
    error = engine_create(&worker->engine, worker->base, config_get()->engine);
    if (error < 0)
        goto fail;
    error = engine_misbehave(worker->engine, config_get()->engine_faults, reason, sizeof(reason));
    if (error < 0) {
        log_error(NULL, "engine-faults: %s", reason);
        goto fail;
    }
    return 0;

fail:
    log_error(NULL, "worker %u cannot start: %s: %s", worker->index, what, strerror(-error));
    worker_fini(worker);
    return error;
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    struct worker_thread *thread = worker->thread;
    char name[16];

    snprintf(name, sizeof(name), "worker %u", worker->index);
    pthread_setname_np(pthread_self(), name); /* as top -H shows it */
    current = worker;
    thread->error = worker_init(worker);
    sem_post(&thread->started);
    if (thread->error < 0)
        return NULL;
    event_base_loop(worker->base, EVLOOP_NO_EXIT_ON_EMPTY);
    worker_fini(worker);
    return NULL;
}

static int worker_start(struct worker *worker)
{
    struct worker_thread *thread = calloc(1, sizeof(*thread));
    sigset_t all, saved;
    int error;

    if (!thread)
        return -ENOMEM;
    thread->worker = worker;
    thread->stop.deliver = on_stop;
    sem_init(&thread->started, 0, 0);
    worker->thread = thread;
    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    error = -pthread_create(&thread->id, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    if (error == 0) {
        while (sem_wait(&thread->started) < 0)
            ;
        error = thread->error;
        if (error == 0)
            return 0;
        pthread_join(thread->id, NULL);
    }
    sem_destroy(&thread->started);
    free(thread);
    worker->thread = NULL;
    return error;
}

static void worker_stop(struct worker *worker)
{
    struct worker_thread *thread = worker->thread;

    if (!thread)
        return;
    mailbox_post(&worker->mailbox, &thread->stop);
    pthread_join(thread->id, NULL);
    sem_destroy(&thread->started);
    free(thread);
    worker->thread = NULL;
}

int workers_start(unsigned int count)
{
    int error = 0;

    workers = calloc(count, sizeof(*workers));
    if (!workers)
        return -ENOMEM;
    worker_count = count;
    for (unsigned int i = 0; i < count && error == 0; i++) {
        workers[i].index = i;
        error = worker_start(&workers[i]);
    }
    if (error < 0)
        workers_stop();
    return error;
}

void workers_stop(void)
{
    for (unsigned int i = 0; i < worker_count; i++)
        worker_stop(&workers[i]);
    worker_count = 0;
    free(workers);
    workers = NULL;
}

unsigned int workers_count(void)
{
    return worker_count;
}

struct worker *worker_get(unsigned int index)
{
    return &workers[index];
}

struct worker *worker_current(void)
{
    return current;
}

struct worker *worker_take_queue(void)
{
    struct worker *best = &workers[0];

    for (unsigned int i = 1; i < worker_count; i++) {
        if (workers[i].queues < best->queues)
            best = &workers[i];
    }
    best->queues++;
    return best;
}

void worker_drop_queue(struct worker *worker)
{
    worker->queues--;
}

void worker_move_queue(struct worker *from, struct worker *to)
{
    from->queues--;
    to->queues++;
}
