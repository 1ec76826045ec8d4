// SPDX-License-Identifier: MIT
/*
 * survey.h: a round of questions to devices and workers, for one request. Reports go out as letters; when the
 * last one is back the survey is complete and its owner makes an answer of it. Main thread.
 */
#ifndef XENSPLIT_BACKEND_CTL_SURVEY_H
#define XENSPLIT_BACKEND_CTL_SURVEY_H

#include <stddef.h>
#include <stdint.h>

#include "backend/ctl/ctl_request.h"
#include "backend/device_report.h"
#include "backend/mailbox.h"

struct survey;

struct worker_report {
    uint64_t index;
    uint64_t queues; /* that it owns */
    const char *engine;
    uint64_t engine_in_flight; /* I/O that the kernel has */
    uint64_t buffers_in_use;
    uint64_t buffers_touched; /* the most that ever were in use at a time */
    uint64_t buffers_total;
    uint64_t buffer_bytes;
    /* Private to survey.c. */
    struct letter letter;
    struct survey *survey;
};

struct survey {
    struct ctl_request request;
    struct device_report *devices; /* those that the request selects, by domid and devid */
    size_t device_count;
    struct worker_report *workers;
    size_t worker_count;
    void (*on_complete)(struct survey *survey); /* exactly once; ends the survey */
    void *owner;
    /* Private to survey.c. */
    size_t awaited;
    const struct device **selected; /* while it is being sent */
};

/*
 * Sends the questions. NULL: no memory. A worker's answer comes as a letter, so on_complete is never called
 * before this returns.
 */
struct survey *survey_run(const struct ctl_request *request, void (*on_complete)(struct survey *survey),
                          void *owner);
/* Complete. Safe on NULL. */
void survey_destroy(struct survey *survey);

#endif
