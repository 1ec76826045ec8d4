// SPDX-License-Identifier: MIT
/*
 * survey.c: see survey.h.
 */
#include <config.h>

#include "backend/ctl/survey.h"

#include <stdlib.h>

#include "backend/daemon.h"
#include "backend/device.h"
#include "backend/device_table.h"
#include "backend/disk/engine.h"
#include "backend/worker.h"

static bool is_selected(const struct survey *survey, const struct device *device)
{
    return ctl_request_selects(&survey->request, device->family->name, device->domid, device->devid);
}

static void count_one(struct device *device, void *arg)
{
    struct survey *survey = arg;

    survey->device_count += is_selected(survey, device);
}

/* selected has room for as many as were counted; nothing has changed since. */
static void select_one(struct device *device, void *arg)
{
    struct survey *survey = arg;

    if (is_selected(survey, device))
        survey->selected[survey->device_count++] = device;
}

/* In the order in which people look for them. */
static int compare_devices(const void *a, const void *b)
{
    const struct device *one = *(const struct device *const *)a, *other = *(const struct device *const *)b;

    if (one->domid != other->domid)
        return one->domid < other->domid ? -1 : 1;
    return one->devid < other->devid ? -1 : one->devid > other->devid;
}

static void answer_came(struct survey *survey)
{
    if (--survey->awaited == 0)
        survey->on_complete(survey);
}

static void device_answered(struct device_report *report)
{
    answer_came(report->asker);
}

static void worker_answered(struct letter *letter)
{
    answer_came(((struct worker_report *)((char *)letter - offsetof(struct worker_report, letter)))->survey);
}

/* Worker's thread. It has no engine any more when the letter was still on its way as the daemon ended. */
static void inspect_worker(struct letter *letter)
{
    struct worker_report *report =
        (struct worker_report *)((char *)letter - offsetof(struct worker_report, letter));
    struct engine *engine = worker_current()->engine;

    if (engine) {
        const struct buffer_pool *pool = engine_buffers(engine);
        report->engine_in_flight = engine_in_flight(engine);
        report->buffers_in_use = pool->fresh - pool->free_count;
        report->buffers_touched = pool->fresh;
    }
    letter->deliver = worker_answered;
    mailbox_post(daemon_mailbox(), letter);
}

static void ask_devices(struct survey *survey)
{
    for (size_t i = 0; i < survey->device_count; i++) {
        survey->devices[i].asker = survey;
        survey->devices[i].on_complete = device_answered;
        device_inspect(survey->selected[i], &survey->devices[i]);
    }
}

static void ask_workers(struct survey *survey)
{
    for (unsigned int i = 0; i < survey->worker_count; i++) {
        struct worker_report *report = &survey->workers[i];
        struct worker *worker = worker_get(i);

        report->survey = survey;
        report->index = i;
        report->queues = worker->queues;
        report->engine = engine_name(worker->engine);
        report->buffers_total = BUFFER_POOL_BUFFERS;
        report->buffer_bytes = BUFFER_BYTES;
        report->letter.deliver = inspect_worker;
        mailbox_post(&worker->mailbox, &report->letter);
    }
}

struct survey *survey_run(const struct ctl_request *request, void (*on_complete)(struct survey *survey),
                          void *owner)
{
    struct survey *survey = calloc(1, sizeof(*survey));

    if (!survey)
        return NULL;
    survey->request = *request;
    survey->on_complete = on_complete;
    survey->owner = owner;
    device_table_each(count_one, survey);
    survey->worker_count = workers_count();
    survey->selected = calloc(survey->device_count + 1, sizeof(*survey->selected));
    survey->devices = calloc(survey->device_count + 1, sizeof(*survey->devices));
    survey->workers = calloc(survey->worker_count + 1, sizeof(*survey->workers));
    if (!survey->selected || !survey->devices || !survey->workers) {
        survey_destroy(survey);
        return NULL;
    }
    survey->device_count = 0;
    device_table_each(select_one, survey);
    qsort(survey->selected, survey->device_count, sizeof(*survey->selected), compare_devices);
    survey->awaited = survey->device_count + survey->worker_count;
    ask_devices(survey);
    ask_workers(survey);
    return survey;
}

void survey_destroy(struct survey *survey)
{
    if (!survey)
        return;
    free(survey->selected);
    free(survey->devices);
    free(survey->workers);
    free(survey);
}
