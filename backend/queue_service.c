// SPDX-License-Identifier: MIT
/*
 * queue_service.c: the letters between a device and the workers of its queues.
 */
#include <config.h>

#include "backend/queue_service.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "backend/daemon.h"
#include "backend/device.h"
#include "backend/worker.h"

#define SERVICE_OF(letter, member)                                                                           \
    ((struct queue_service *)((char *)(letter)-offsetof(struct queue_service, member)))

void queue_services_init(struct queue_services *all, struct device *device,
                         const struct queue_service_ops *ops)
{
    *all = (struct queue_services){ .device = device, .ops = ops };
}

struct worker *queue_service_take(struct queue_services *all, struct queue_service *service)
{
    service->all = all;
    service->worker = worker_take_queue();
    LIST_INSERT_HEAD(&all->list, service, link);
    return service->worker;
}

static void drop(struct queue_service *service)
{
    worker_drop_queue(service->worker);
    service->worker = NULL;
    LIST_REMOVE(service, link);
}

static void post_to_workers(struct queue_services *all, letter_fn *deliver)
{
    struct queue_service *service;

    LIST_FOREACH (service, &all->list, link) {
        service->to_worker.deliver = deliver;
        mailbox_post(&service->worker->mailbox, &service->to_worker);
    }
}

/* The first error counts. */
static void note_error(struct queue_service *service, int error)
{
    struct queue_services *all = service->all;

    if (all->error)
        return;
    all->error = error;
    snprintf(all->reason, sizeof(all->reason), "%s", all->ops->reason(service));
}

/* Stop */

static void on_stopped(struct letter *letter)
{
    struct queue_service *service = SERVICE_OF(letter, to_main);
    struct queue_services *all = service->all;

    drop(service);
    if (LIST_EMPTY(&all->list))
        device_done(all->device, all->error, "%s", all->reason);
}

void queue_service_stopped(struct queue_service *service)
{
    service->to_main.deliver = on_stopped;
    mailbox_post(daemon_mailbox(), &service->to_main);
}

/* Worker's thread. */
static void stop(struct letter *letter)
{
    struct queue_service *service = SERVICE_OF(letter, to_worker);

    service->all->ops->stop(service);
}

void queue_services_stop(struct queue_services *all)
{
    all->is_connected = false;
    all->error = 0;
    all->reason[0] = '\0';
    if (LIST_EMPTY(&all->list))
        device_done(all->device, 0, NULL);
    else
        post_to_workers(all, stop);
}

/* Start */

static void on_started(struct letter *letter)
{
    struct queue_service *service = SERVICE_OF(letter, to_main);
    struct queue_services *all = service->all;

    if (service->error) {
        note_error(service, service->error);
        drop(service);
    }
    if (--all->starting)
        return;
    all->is_connected = all->error == 0;
    if (all->error && !LIST_EMPTY(&all->list))
        post_to_workers(all, stop); /* none without the others */
    else
        device_done(all->device, all->error, "%s", all->reason);
}

/* Worker's thread. */
static void start(struct letter *letter)
{
    struct queue_service *service = SERVICE_OF(letter, to_worker);

    service->error = service->all->ops->start(service);
    service->to_main.deliver = on_started;
    mailbox_post(daemon_mailbox(), &service->to_main);
}

void queue_services_start(struct queue_services *all)
{
    struct queue_service *service;

    all->starting = 0;
    all->error = 0;
    all->reason[0] = '\0';
    LIST_FOREACH (service, &all->list, link)
        all->starting++;
    post_to_workers(all, start);
}

bool queue_services_any(const struct queue_services *all)
{
    return !LIST_EMPTY(&all->list);
}

/* Broken */

static void on_broken(struct letter *letter)
{
    struct queue_service *service = SERVICE_OF(letter, broken);
    struct queue_services *all = service->all;

    if (all->is_connected)
        device_fail(all->device, "%s", all->ops->reason(service));
    else if (all->starting)
        note_error(service, -EIO);
}

void queue_service_broke(struct queue_service *service)
{
    service->broken.deliver = on_broken;
    mailbox_post(daemon_mailbox(), &service->broken);
}
