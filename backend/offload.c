// SPDX-License-Identifier: MIT
/*
 * offload.c: a queue under a lock, since a job costs far more than the lock does.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "backend/offload.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t is_filled;
    struct offload_job *first;
    struct offload_job **end; /* where the next job is linked; NULL: &first */
    bool is_stopping;
    pthread_t *threads; /* main thread */
    unsigned int count;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .is_filled = PTHREAD_COND_INITIALIZER };

/* Waits for a job; NULL when the pool stops and none is left. */
static struct offload_job *take_job(void)
{
    pthread_mutex_lock(&pool.lock);
    while (!pool.first && !pool.is_stopping)
        pthread_cond_wait(&pool.is_filled, &pool.lock);
    struct offload_job *job = pool.first;
    if (job) {
        pool.first = job->next;
        if (!pool.first)
            pool.end = NULL;
    }
    pthread_mutex_unlock(&pool.lock);
    return job;
}

static void *run(void *arg)
{
    struct offload_job *job;

    pthread_setname_np(pthread_self(), "offload");
    while ((job = take_job())) {
        job->work(job);
        mailbox_post(job->reply_to, &job->done);
    }
    return NULL;
}

int offload_start(unsigned int count)
{
    sigset_t all, saved;
    int error = 0;

    pool.threads = calloc(count, sizeof(*pool.threads));
    if (!pool.threads)
        return -ENOMEM;
    pool.is_stopping = false;
    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    for (pool.count = 0; pool.count < count && error == 0; pool.count += error == 0)
        error = -pthread_create(&pool.threads[pool.count], NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    if (error < 0)
        offload_stop();
    return error;
}

void offload_stop(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.is_stopping = true;
    pthread_cond_broadcast(&pool.is_filled);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned int i = 0; i < pool.count; i++)
        pthread_join(pool.threads[i], NULL);
    pool.count = 0;
    free(pool.threads);
    pool.threads = NULL;
}

void offload_post(struct offload_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool.lock);
    *(pool.end ? pool.end : &pool.first) = job;
    pool.end = &job->next;
    pthread_cond_signal(&pool.is_filled);
    pthread_mutex_unlock(&pool.lock);
}
