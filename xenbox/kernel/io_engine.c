// SPDX-License-Identifier: MIT
/*
 * io_engine.c: see io_engine.h.
 *
 * One ring, whose submission side is under a lock. A kernel interrupts the thread that has submitted a request when
 * the request is over, and a program's thread may be in a system call then that would fail for it. So a thread of
 * ours submits what programs want, and another one takes the completions and submits what follows from them. The
 * two low bits of a completion's user_data say what it belongs to.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "xenbox/hv/bugs.h"
#include "xenbox/kernel/io_engine.h"
#include "xenbox/kernel/io_faults.h"
#include "xenbox/kernel/io_ring.h"

#define ENTRIES                                                                                              \
    (4 * IO_ENGINE_CHAIN_MAX) /* each request may be two of them, and there is room for completions */
#define SECTOR 512u
#define RETRY_NS 1000000

#ifndef IORING_MSG_RING_FLAGS_PASS
#define IORING_MSG_RING_FLAGS_PASS (1U << 1)
#endif

enum tag {
    TAG_REQUEST, /* struct io_request; 0: nobody's */
    TAG_EXTRA, /* struct io_request whose pages are let go now */
    TAG_POST, /* struct post */
    TAG_MASK = 3,
};

/* A completion on its way to a program's ring. */
struct post {
    int ring_fd;
    uint64_t user_data;
    int result;
    uint32_t flags;
};

static struct {
    pthread_mutex_t lock; /* the submission side, and all here */
    pthread_cond_t wanted; /* something was pushed, to be submitted */
    pthread_cond_t taken; /* all that was pushed has been submitted */
    struct io_ring ring;
    bool is_up;
    int error; /* why it is not */
    unsigned requests; /* counted for the faults */
} engine = { .lock = PTHREAD_MUTEX_INITIALIZER,
             .wanted = PTHREAD_COND_INITIALIZER,
             .taken = PTHREAD_COND_INITIALIZER };

bool io_engine_has_faults(void)
{
    return io_faults_get() != NULL;
}

/* In a thread of ours, with the lock. */
static void ring_submit(void)
{
    io_ring_submit(&engine.ring);
    pthread_cond_broadcast(&engine.taken);
}

static bool is_all_taken(void)
{
    return io_ring_room(&engine.ring) == engine.ring.entries;
}

static void *submitter_thread(void *unused)
{
    pthread_mutex_lock(&engine.lock);
    for (;;) {
        while (is_all_taken())
            pthread_cond_wait(&engine.wanted, &engine.lock);
        ring_submit();
    }
    return NULL;
}

static void push_post(struct post *post)
{
    struct io_uring_sqe *sqe;

    sqe = io_ring_push(&engine.ring);
    sqe->opcode = IORING_OP_MSG_RING;
    sqe->fd = post->ring_fd;
    sqe->len = (uint32_t)post->result;
    sqe->off = post->user_data;
    if (post->flags) {
        sqe->msg_ring_flags = IORING_MSG_RING_FLAGS_PASS;
        sqe->file_index = post->flags;
    }
    sqe->user_data = (uintptr_t)post | TAG_POST;
}

void io_engine_post(int ring_fd, uint64_t user_data, int result, uint32_t flags)
{
    struct post *post = malloc(sizeof(*post));

    /* Without memory a kernel drops it, too. */
    if (!post)
        return;
    *post = (struct post){ .ring_fd = ring_fd, .user_data = user_data, .result = result, .flags = flags };
    pthread_mutex_lock(&engine.lock);
    push_post(post);
    ring_submit();
    pthread_mutex_unlock(&engine.lock);
}

/* It was delivered, or has to be tried again, or the ring is gone. */
static void post_done(struct post *post, int result)
{
    if (result != -EOVERFLOW && result != -EAGAIN && result != -EBADFD && result != -ENOMEM) {
        free(post);
        return;
    }
    nanosleep(&(struct timespec){ .tv_nsec = RETRY_NS }, NULL);
    pthread_mutex_lock(&engine.lock);
    push_post(post);
    ring_submit();
    pthread_mutex_unlock(&engine.lock);
}

static void push_wait(struct io_request *request, uint64_t us, uint8_t flags, uint64_t user_data)
{
    struct io_uring_sqe *sqe = io_ring_push(&engine.ring);

    request->wait.tv_sec = (int64_t)(us / 1000000);
    request->wait.tv_nsec = (long long)(us % 1000000) * 1000;
    sqe->opcode = IORING_OP_TIMEOUT;
    sqe->fd = -1;
    sqe->addr = (uintptr_t)&request->wait;
    sqe->len = 1;
    sqe->timeout_flags = IORING_TIMEOUT_ETIME_SUCCESS;
    sqe->flags = flags;
    sqe->user_data = user_data;
}

static void request_free(struct io_request *request)
{
    if (request->pins)
        user_pages_unpin(request->pins);
    free(request->pieces);
    free(request);
}

static void request_done(struct io_request *request, int result, uint32_t flags)
{
    const struct io_faults *faults = io_faults_get();
    bool is_extra = request->pins && faults && faults->extra_ref_us;

    if (flags & IORING_CQE_F_MORE) {
        request->complete(request, result, flags);
        return;
    }
    if (request->forced && result != -ECANCELED)
        result = request->forced;
    if (!is_extra && request->pins) {
        if (!request->is_short || !user_pages_have_bug(request->pins, BUG_H15))
            user_pages_unpin(request->pins);
        request->pins = NULL;
    }
    request->complete(request, result, flags);
    if (!is_extra) {
        request_free(request);
        return;
    }
    pthread_mutex_lock(&engine.lock);
    push_wait(request, faults->extra_ref_us, 0, (uintptr_t)request | TAG_EXTRA);
    ring_submit();
    pthread_mutex_unlock(&engine.lock);
}

/*
 * What its thread has written for a request before it pushed it was written before the completion is read here. The
 * kernel sees to that on its way, which neither the language nor a tool that looks for races knows.
 */
static void follow_pushes(void)
{
    pthread_mutex_lock(&engine.lock);
    pthread_mutex_unlock(&engine.lock);
}

static void *engine_thread(void *ring)
{
    struct io_uring_cqe cqe;

    while (io_ring_reap(ring, &cqe) == 0) {
        void *object = (void *)(uintptr_t)(cqe.user_data & ~(uint64_t)TAG_MASK);

        if (!object)
            continue;
        follow_pushes();
        switch ((enum tag)(cqe.user_data & TAG_MASK)) {
        case TAG_EXTRA:
            request_free(object);
            break;
        case TAG_POST:
            post_done(object, cqe.res);
            break;
        default:
            request_done(object, cqe.res, cqe.flags);
        }
    }
    return NULL;
}

static void fork_prepare(void)
{
    pthread_mutex_lock(&engine.lock);
}

static void fork_parent(void)
{
    pthread_mutex_unlock(&engine.lock);
}

/* Its parent's thread, ring and requests are its parent's. */
static void fork_child(void)
{
    if (engine.is_up)
        close(engine.ring.fd);
    engine.is_up = false;
    engine.error = 0;
    pthread_mutex_unlock(&engine.lock);
}

static void fork_watch(void)
{
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* No signal of the program's is for this thread. */
static int threads_start(void)
{
    pthread_t submitter, taker;
    sigset_t all, old;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&taker, NULL, engine_thread, &engine.ring);
    if (error == 0) {
        pthread_detach(taker);
        error = pthread_create(&submitter, NULL, submitter_thread, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0)
        pthread_detach(submitter);
    return -error;
}

/* The caller holds the lock. */
static bool engine_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (engine.is_up || engine.error < 0)
        return engine.is_up;
    pthread_once(&once, fork_watch);
    engine.error = io_ring_init(&engine.ring, ENTRIES);
    if (engine.error < 0)
        return false;
    madvise(engine.ring.sqes, engine.ring.entries * sizeof(struct io_uring_sqe), MADV_DONTFORK);
    engine.error = threads_start();
    engine.is_up = engine.error == 0;
    return engine.is_up;
}

static bool is_vectored(const struct io_request *request)
{
    return request->sqe.opcode == IORING_OP_READV || request->sqe.opcode == IORING_OP_WRITEV;
}

/* About a half, in whole sectors. */
static void request_shorten(struct io_request *request)
{
    size_t bytes = 0, half;

    if (!request->pieces || !is_vectored(request))
        return;
    for (unsigned i = 0; i < request->sqe.len; i++)
        bytes += request->pieces[i].iov_len;
    half = bytes / 2 / SECTOR * SECTOR;
    for (unsigned i = 0; half && i < request->sqe.len; i++) {
        if (half <= request->pieces[i].iov_len) {
            request->pieces[i].iov_len = half;
            request->sqe.len = i + 1;
            request->is_short = true;
            return;
        }
        half -= request->pieces[i].iov_len;
    }
}

static void request_spoil(struct io_request *request, const struct io_faults *faults)
{
    unsigned number = ++engine.requests;
    bool is_linked = request->sqe.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);

    if (faults->error_every && number % faults->error_every == 0)
        request->forced = -faults->error;
    else if (faults->short_every && number % faults->short_every == 0 && !is_linked)
        request_shorten(request);
}

/* The caller holds the lock. */
static void request_push(struct io_request *request)
{
    const struct io_faults *faults = request->pins ? io_faults_get() : NULL;
    struct io_uring_sqe *sqe;

    if (faults && !request->forced)
        request_spoil(request, faults);
    if (faults && faults->delay_us)
        push_wait(request, faults->delay_us, IOSQE_IO_LINK, 0);
    sqe = io_ring_push(&engine.ring);
    *sqe = request->sqe;
    if (request->forced) {
        /* What fails of itself breaks the chain that it stands in, as it has to. */
        memset(sqe, 0, sizeof(*sqe));
        sqe->flags = request->sqe.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
        sqe->opcode = IORING_OP_READ;
        sqe->fd = -1;
    }
    sqe->user_data = (uintptr_t)request | TAG_REQUEST;
}

bool io_engine_is_ready(void)
{
    bool is_ready;

    pthread_mutex_lock(&engine.lock);
    is_ready = engine_start();
    pthread_mutex_unlock(&engine.lock);
    return is_ready;
}

int io_engine_run(struct io_request **requests, unsigned count)
{
    if (count > IO_ENGINE_CHAIN_MAX)
        return -E2BIG;
    pthread_mutex_lock(&engine.lock);
    while (!is_all_taken())
        pthread_cond_wait(&engine.taken, &engine.lock);
    for (unsigned i = 0; i < count; i++)
        request_push(requests[i]);
    /* The program may take the pages away as soon as we return: what pins them for the kernel has run then. */
    pthread_cond_signal(&engine.wanted);
    while (!is_all_taken())
        pthread_cond_wait(&engine.taken, &engine.lock);
    pthread_mutex_unlock(&engine.lock);
    return 0;
}
