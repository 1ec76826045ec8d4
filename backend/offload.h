// SPDX-License-Identifier: MIT
/*
 * offload.h: a small pool of threads for what may block: opening an image, a buffered transfer, fallocate. A job
 * is embedded in the object that it concerns, so posting allocates nothing and cannot fail. Jobs start in the
 * order in which they were posted.
 */
#ifndef XENSPLIT_BACKEND_OFFLOAD_H
#define XENSPLIT_BACKEND_OFFLOAD_H

#include "backend/mailbox.h"

struct offload_job {
    void (*work)(struct offload_job *job); /* on a thread of the pool */
    struct letter done; /* delivered to reply_to afterwards; the job may be posted again or freed there */
    struct mailbox *reply_to;
    struct offload_job *next; /* private to offload.c */
};

/* Main thread. Starts count threads; -errno and none running on failure. */
int offload_start(unsigned int count);
/* Main thread. Finishes the jobs that were posted, then joins. Safe twice. */
void offload_stop(void);
/* Any thread. The job must not be on its way already. */
void offload_post(struct offload_job *job);

#endif
