// SPDX-License-Identifier: MIT
/*
 * device_report.c: the way of a report to a queue's worker and back.
 */
#include <config.h>

#include "backend/device_report.h"

#include <stddef.h>

#include "backend/daemon.h"

static struct device_report *report_of(struct letter *letter)
{
    return (struct device_report *)((char *)letter - offsetof(struct device_report, letter));
}

static void come_back(struct letter *letter)
{
    struct device_report *report = report_of(letter);

    report->on_complete(report);
}

/* Worker's thread. */
static void ask_queue(struct letter *letter)
{
    struct device_report *report = report_of(letter);

    report->fill(report->subject, report);
    letter->deliver = come_back;
    mailbox_post(daemon_mailbox(), letter);
}

void device_report_address(struct device_report *report, const void *queue,
                           void (*fill)(const void *queue, struct device_report *report))
{
    report->subject = queue;
    report->fill = fill;
    report->letter.deliver = ask_queue;
}
