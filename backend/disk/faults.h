// SPDX-License-Identifier: MIT
/*
 * faults.h: an engine that misbehaves on purpose, for tests (setting engine-faults). It stands between an engine and
 * the kernel: what is given to the kernel may be cut short, what comes back may be turned into an error, come late, or
 * have somebody who still holds on to the pages. Callers must see none of it but errors: one completion a request,
 * after the last use of its memory, and an error if a byte is missing (catalogue H01, H15).
 *
 * Worker's thread only.
 */
#ifndef XENSPLIT_BACKEND_DISK_FAULTS_H
#define XENSPLIT_BACKEND_DISK_FAULTS_H

#include <stdbool.h>
#include <stdint.h>
#include <event2/event.h>

#include "backend/disk/disk.h"

struct faults;

/* What happens to how many; 0: never. */
struct faults_plan {
    unsigned int short_every; /* transfers that move a part only */
    unsigned int again_every; /* results that are EAGAIN or EINTR in turn */
    unsigned int error_every; /* results that are EIO */
    unsigned int slow_us; /* completions come up to so much late, out of order */
    unsigned int keep_us; /* for so long a pipe refers to the pages after a transfer */
};

/* "short=3,again=5,error=100,slow=2000,keep=500", or "none". 0, or -EINVAL and a reason. */
int faults_parse(struct faults_plan *plan, const char *text, char *reason, size_t reason_size);

/* over: called for each io that was held back, when it is complete. 0 or negative errno. */
int faults_create(struct faults **faults, const struct faults_plan *plan, struct event_base *base,
                  void (*over)(void *arg, struct disk_io *io, int64_t result), void *arg);
/* Nothing held back. Safe on NULL. */
void faults_destroy(struct faults *faults);

/* Before the kernel has it. */
void faults_before(struct faults *faults, struct disk_io *io);
/* The kernel did not take it after all. */
void faults_undo(struct disk_io *io);
/* The kernel is through with it. True: it is held back, and over will be called. */
bool faults_after(struct faults *faults, struct disk_io *io, int64_t *result);

#endif
