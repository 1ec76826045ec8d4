// SPDX-License-Identifier: MIT
/*
 * aio.c: the replacement of libaio. Requests that touch no granted page go to the kernel as they are.
 *
 * Direct I/O on granted pages pins them at submission. It is done by the kernel, too, in the program's context, if
 * need be with other addresses in the request while it is submitted. With $XENBOX_IO, or when a page cannot be
 * pinned, the box's kernel runs the request and gives its end to the program's context. Buffered I/O copies in the
 * submitter's context and pins nothing.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "xenbox/kernel/io_engine.h"
#include "xenbox/lib/aio_context.h"
#include "xenbox/lib/real.h"

#define BUFFERS_MAX 1024u /* as in a kernel */

static void *library;

static void library_open(void)
{
    library = real_open(REAL_LIBAIO);
}

/* A function of the installed library, found at its first call. */
static void *real(_Atomic(void *) *slot, const char *name, const char *version)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    void *function = atomic_load_explicit(slot, memory_order_relaxed);

    if (function)
        return function;
    pthread_once(&once, library_open);
    function = real_function(library, name, version);
    atomic_store_explicit(slot, function, memory_order_relaxed);
    return function;
}

#define REAL(type, name, version)                                                                            \
    (__extension__({                                                                                         \
        static _Atomic(void *) slot;                                                                         \
        (type) real(&slot, name, version);                                                                   \
    }))

typedef int (*submit_fn)(io_context_t context, long count, struct iocb **iocbs);
typedef int (*getevents_fn)(io_context_t context, long min, long count, struct io_event *events,
                            struct timespec *timeout);
typedef int (*getevents_old_fn)(io_context_t context, long count, struct io_event *events,
                                const struct timespec *timeout);
typedef int (*pgetevents_fn)(io_context_t context, long min, long count, struct io_event *events,
                             struct timespec *timeout, sigset_t *mask);
typedef int (*setup_fn)(int count, io_context_t *context);
typedef int (*context_fn)(io_context_t context);
typedef int (*cancel_fn)(io_context_t context, struct iocb *iocb, struct io_event *event);
typedef int (*cancel_old_fn)(io_context_t context, struct iocb *iocb);
typedef int (*wait_fn)(io_context_t context, const struct timespec *timeout);

#define REAL_SUBMIT REAL(submit_fn, "io_submit", "LIBAIO_0.1")

/* What is done about a request that touches granted pages. */
struct plan {
    struct user_pages *pins;
    struct iovec *pieces; /* where it really goes, if that is somewhere else */
    struct iocb saved; /* with pieces: what the program wrote there */
    int error; /* it cannot be done */
    bool is_engine; /* the box's kernel runs it */
};

/* The buffers of a request that may pin pages. */
static bool buffers_of(const struct iocb *iocb, struct iovec *one, const struct iovec **buffers,
                       unsigned *count, bool *is_write)
{
    *is_write = iocb->aio_lio_opcode == IO_CMD_PREAD || iocb->aio_lio_opcode == IO_CMD_PREADV;
    switch (iocb->aio_lio_opcode) {
    case IO_CMD_PREAD:
    case IO_CMD_PWRITE:
        *one = (struct iovec){ .iov_base = iocb->u.c.buf, .iov_len = iocb->u.c.nbytes };
        *buffers = one;
        *count = 1;
        return true;
    case IO_CMD_PREADV:
    case IO_CMD_PWRITEV:
        *buffers = iocb->u.c.buf;
        *count = iocb->u.c.nbytes;
        return *buffers && iocb->u.c.nbytes <= BUFFERS_MAX;
    default:
        return false;
    }
}

/* Does it pin granted pages? */
static bool is_ours(const struct iocb *iocb)
{
    const struct iovec *buffers;
    bool is_write, is_touched = false;
    struct iovec one;
    unsigned count;
    int flags;

    if (!iocb || !buffers_of(iocb, &one, &buffers, &count, &is_write))
        return false;
    for (unsigned i = 0; !is_touched && i < count; i++)
        is_touched = user_pages_touch(buffers[i].iov_base, buffers[i].iov_len);
    if (!is_touched)
        return false;
    flags = fcntl(iocb->aio_fildes, F_GETFL);
    return flags >= 0 && (flags & O_DIRECT);
}

static void plan_make(struct plan *plan, const struct iocb *iocb)
{
    const struct iovec *buffers;
    bool is_write, is_same;
    struct iovec one;
    unsigned count;
    int pieces;

    if (!is_ours(iocb) || !buffers_of(iocb, &one, &buffers, &count, &is_write))
        return;
    plan->error = user_pages_pin(buffers, count, is_write, XB_IO_AIO, &plan->pins);
    plan->is_engine = plan->error < 0 || (plan->pins && io_engine_has_faults());
    if (!plan->pins)
        return;
    plan->pieces = malloc(BUFFERS_MAX * sizeof(struct iovec));
    pieces =
        plan->pieces ? user_pages_translate(plan->pins, buffers, count, plan->pieces, BUFFERS_MAX) : -ENOMEM;
    if (pieces < 0) {
        plan->error = pieces;
        plan->is_engine = true;
        return;
    }
    plan->saved = *iocb;
    plan->saved.aio_lio_opcode = is_write ? IO_CMD_PREADV : IO_CMD_PWRITEV;
    plan->saved.u.c.buf = plan->pieces;
    plan->saved.u.c.nbytes = (unsigned long)pieces;
    is_same = (unsigned)pieces == count && memcmp(plan->pieces, buffers, count * sizeof(*buffers)) == 0;
    if (is_same && !plan->is_engine) {
        free(plan->pieces);
        plan->pieces = NULL;
    }
}

/* A request with other addresses in it, for as long as its submission takes; and back. */
static void plan_exchange(struct plan *plan, struct iocb *iocb)
{
    struct iocb other = plan->saved;

    if (!plan->pieces)
        return;
    other.key = iocb->key; /* the kernel writes it */
    plan->saved = *iocb;
    *iocb = other;
}

static void plan_drop(struct plan *plan)
{
    if (plan->pins)
        user_pages_unpin(plan->pins);
    plan->pins = NULL;
    free(plan->pieces);
    plan->pieces = NULL;
}

struct engine_request {
    struct io_request io; /* the first member */
    struct aio_substitute *substitute;
};

static void engine_complete(struct io_request *io, int result, uint32_t flags)
{
    aio_substitute_end(((struct engine_request *)io)->substitute, result);
}

/* The box's kernel runs it. 0, or why it was not taken. */
static int engine_submit(io_context_t context, struct iocb *iocb, struct plan *plan)
{
    struct engine_request *request = io_engine_is_ready() ? calloc(1, sizeof(*request)) : NULL;
    struct io_request *io = &request->io;

    if (!request)
        return -EAGAIN;
    request->substitute = aio_substitute_begin(context, iocb);
    if (!request->substitute) {
        free(request);
        return -EAGAIN;
    }
    io->complete = engine_complete;
    io->forced = plan->error;
    io->pins = plan->pins;
    io->pieces = plan->pieces;
    if (!plan->error) {
        io->sqe.opcode = plan->saved.aio_lio_opcode == IO_CMD_PREADV ? IORING_OP_READV : IORING_OP_WRITEV;
        io->sqe.fd = iocb->aio_fildes;
        io->sqe.addr = (uintptr_t)plan->pieces;
        io->sqe.len = (unsigned)plan->saved.u.c.nbytes;
        io->sqe.off = (uint64_t)iocb->u.c.offset;
        io->sqe.rw_flags = (int)iocb->aio_rw_flags;
    }
    plan->pins = NULL;
    plan->pieces = NULL;
    io_engine_run(&io, 1);
    return 0;
}

/* Requests that the kernel runs. How many it took, or the error of the first. */
static int kernel_submit(io_context_t context, long count, struct iocb **iocbs, struct plan *plans)
{
    long known = 0;
    int ret = 0;

    /* An event may be there before the call returns. */
    for (; ret == 0 && known < count; known += ret == 0) {
        if (plans[known].pins)
            ret = aio_pinned_add(context, iocbs[known], plans[known].pins);
    }
    for (long i = 0; i < known; i++)
        plan_exchange(&plans[i], iocbs[i]);
    ret = known || ret == 0 ? REAL_SUBMIT(context, known, iocbs) : -EAGAIN;
    for (long i = 0; i < known; i++) {
        plan_exchange(&plans[i], iocbs[i]);
        if (!plans[i].pins)
            continue;
        plans[i].pins = i < ret ? NULL : aio_pinned_cancel(context, iocbs[i]);
    }
    return ret;
}

static int submit_planned(io_context_t context, long count, struct iocb **iocbs, struct plan *plans)
{
    long done = 0, end;
    int ret = 0;

    while (ret >= 0 && done < count) {
        if (plans[done].is_engine) {
            ret = engine_submit(context, iocbs[done], &plans[done]);
            done += ret == 0;
            continue;
        }
        for (end = done; end < count && !plans[end].is_engine; end++) {
        }
        ret = kernel_submit(context, end - done, iocbs + done, plans + done);
        if (ret < 0 || done + ret < end) {
            done += ret > 0 ? ret : 0;
            break;
        }
        done = end;
    }
    return done ? (int)done : ret;
}

int io_submit(io_context_t context, long count, struct iocb **iocbs)
{
    bool is_found = false;
    struct plan *plans;
    int ret;

    aio_settle(context);
    for (long i = 0; user_pages_any() && !is_found && i < count; i++)
        is_found = is_ours(iocbs[i]);
    if (!is_found)
        return REAL_SUBMIT(context, count, iocbs);
    plans = calloc(count, sizeof(*plans));
    if (!plans)
        return -EAGAIN;
    for (long i = 0; i < count; i++)
        plan_make(&plans[i], iocbs[i]);
    ret = submit_planned(context, count, iocbs, plans);
    for (long i = 0; i < count; i++)
        plan_drop(&plans[i]);
    free(plans);
    return ret;
}

/* What the program has taken. */
static int events_taken(io_context_t context, struct io_event *events, int ret)
{
    if (ret > 0)
        aio_substitute_events(events, ret);
    aio_settle(context);
    return ret;
}

static int getevents(io_context_t context, long min, long count, struct io_event *events,
                     struct timespec *timeout)
{
    return events_taken(
        context, events,
        REAL(getevents_fn, "io_getevents", "LIBAIO_0.4")(context, min, count, events, timeout));
}

int io_pgetevents(io_context_t context, long min, long count, struct io_event *events,
                  struct timespec *timeout, sigset_t *mask)
{
    return events_taken(
        context, events,
        REAL(pgetevents_fn, "io_pgetevents", "LIBAIO_0.5")(context, min, count, events, timeout, mask));
}

int io_destroy(io_context_t context)
{
    int ret;

    aio_substitute_wait(context);
    ret = REAL(context_fn, "io_destroy", "LIBAIO_0.4")(context);
    if (ret == 0)
        aio_forget(context);
    return ret;
}

int io_setup(int count, io_context_t *context)
{
    return REAL(setup_fn, "io_setup", "LIBAIO_0.4")(count, context);
}

int io_queue_init(int count, io_context_t *context)
{
    return REAL(setup_fn, "io_queue_init", "LIBAIO_0.1")(count, context);
}

int io_queue_release(io_context_t context)
{
    return io_destroy(context);
}

/* Calls back for what is over, without waiting. */
int io_queue_run(io_context_t context)
{
    static struct timespec now;
    struct io_event event;
    int ret;

    while ((ret = getevents(context, 0, 1, &event, &now)) == 1) {
        io_callback_t callback = (io_callback_t)event.data;

        callback(context, event.obj, (long)event.res, (long)event.res2);
    }
    return ret;
}

/*
 * The versions of the functions that there are two of. Their names are bound to versions below, and in libaio.map.
 */
int getevents_0_4(io_context_t context, long min, long count, struct io_event *events,
                  struct timespec *timeout);
int getevents_0_1(io_context_t context, long count, struct io_event *events, const struct timespec *timeout);
int cancel_0_4(io_context_t context, struct iocb *iocb, struct io_event *event);
int cancel_0_1(io_context_t context, struct iocb *iocb);
int wait_0_4(io_context_t context, const struct timespec *timeout);
int wait_0_1(io_context_t context, const struct timespec *timeout);

int getevents_0_4(io_context_t context, long min, long count, struct io_event *events,
                  struct timespec *timeout)
{
    return getevents(context, min, count, events, timeout);
}

int getevents_0_1(io_context_t context, long count, struct io_event *events, const struct timespec *timeout)
{
    return events_taken(
        context, events,
        REAL(getevents_old_fn, "io_getevents", "LIBAIO_0.1")(context, count, events, timeout));
}

int cancel_0_4(io_context_t context, struct iocb *iocb, struct io_event *event)
{
    return REAL(cancel_fn, "io_cancel", "LIBAIO_0.4")(context, iocb, event);
}

int cancel_0_1(io_context_t context, struct iocb *iocb)
{
    return REAL(cancel_old_fn, "io_cancel", "LIBAIO_0.1")(context, iocb);
}

int wait_0_4(io_context_t context, const struct timespec *timeout)
{
    return REAL(wait_fn, "io_queue_wait", "LIBAIO_0.4")(context, timeout);
}

int wait_0_1(io_context_t context, const struct timespec *timeout)
{
    return REAL(wait_fn, "io_queue_wait", "LIBAIO_0.1")(context, timeout);
}

__asm__(".symver getevents_0_4, io_getevents@@LIBAIO_0.4");
__asm__(".symver getevents_0_1, io_getevents@LIBAIO_0.1");
__asm__(".symver cancel_0_4, io_cancel@@LIBAIO_0.4");
__asm__(".symver cancel_0_1, io_cancel@LIBAIO_0.1");
__asm__(".symver wait_0_4, io_queue_wait@@LIBAIO_0.4");
__asm__(".symver wait_0_1, io_queue_wait@LIBAIO_0.1");
