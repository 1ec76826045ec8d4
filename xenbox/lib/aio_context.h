// SPDX-License-Identifier: MIT
/*
 * aio_context.h: requests of libaio that refer to granted pages, by context. Any thread.
 *
 * A kernel's context is a ring in shared memory to which it appends an event for each request that is over. Whoever
 * looks there knows what can be unpinned, also when the program has taken the events from it by itself. Between two
 * looks no more events come than the ring has room for, since each submission looks first.
 */
#ifndef XENBOX_LIB_AIO_CONTEXT_H
#define XENBOX_LIB_AIO_CONTEXT_H

#include <libaio.h>
#include <stdbool.h>

#include "xenbox/kernel/user_pages.h"

/* Has any context a request that refers to granted pages, or an event to be put right? */
bool aio_is_busy(void);

/* Before it is submitted. -ENOMEM. */
int aio_pinned_add(io_context_t context, struct iocb *iocb, struct user_pages *pins);

/* It was not submitted: gives the pins back. */
struct user_pages *aio_pinned_cancel(io_context_t context, struct iocb *iocb);

/* Unpins what is over in a context; in all. */
void aio_settle(io_context_t context);
void aio_settle_all(void);

/* The context is gone, and no request of it runs any more. */
void aio_forget(io_context_t context);

/*
 * A request that the box's kernel runs. Its end is seen in the program's context as the end of a request that does
 * nothing, and the event of that is put right when the program takes it.
 */
struct aio_substitute;
struct aio_substitute *aio_substitute_begin(io_context_t context, struct iocb *iocb);
void aio_substitute_end(struct aio_substitute *substitute, long result);

/* Puts the events right that the program takes. */
void aio_substitute_events(struct io_event *events, int count);

/* Waits until none runs in the context. */
void aio_substitute_wait(io_context_t context);

#endif
