// SPDX-License-Identifier: MIT
/*
 * fake_hyper.c: see fake_hyper.h. One event channel at a time; its handle's descriptor is a pipe that holds a byte
 * while an event is to be taken.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "tests/unit/fake_hyper.h"

#define PAGE 4096u
#define REFS_MAX 4096u
#define FIRST_REF 8u
#define PORT 5

struct xenevtchn_handle {
    int pipe[2];
    bool is_bound, is_pending, is_masked;
};

static uint8_t *pages[REFS_MAX]; /* by reference */
static uint32_t shared, limit;
static unsigned int kicks, deliveries;
static struct xenevtchn_handle *channel;

void fake_hyper_reset(void)
{
    memset(pages, 0, sizeof(pages));
    shared = kicks = deliveries = 0;
    limit = REFS_MAX - FIRST_REF;
}

void fake_hyper_limit(uint32_t count)
{
    limit = count;
}

void *fake_page(uint32_t ref)
{
    return ref < REFS_MAX ? pages[ref] : NULL;
}

uint32_t fake_pages(void)
{
    return shared;
}

unsigned int fake_kicks(void)
{
    return kicks;
}

unsigned int fake_deliveries(void)
{
    return deliveries;
}

bool fake_port_is_bound(void)
{
    return channel && channel->is_bound;
}

bool fake_port_is_masked(void)
{
    return channel && channel->is_masked;
}

static void deliver(void)
{
    if (!channel->is_pending || channel->is_masked)
        return;
    channel->is_pending = false;
    channel->is_masked = true;
    if (write(channel->pipe[1], "", 1) != 1)
        abort();
}

void fake_event(void)
{
    if (!fake_port_is_bound())
        return;
    channel->is_pending = true;
    deliver();
}

/* --- libxengnttab ------------------------------------------------------------------------------------------- */

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    return malloc(1);
}

int xengntshr_close(xengntshr_handle *xgs)
{
    free(xgs);
    return 0;
}

void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count, uint32_t *refs, int writable)
{
    uint32_t ref = FIRST_REF;
    uint8_t *base;

    errno = ENOSPC;
    if (shared + (uint32_t)count > limit)
        return NULL;
    base = aligned_alloc(PAGE, (size_t)count * PAGE);
    for (int i = 0; i < count; i++) {
        while (pages[ref])
            ref++;
        pages[ref] = base + (size_t)i * PAGE;
        refs[i] = ref;
    }
    shared += (uint32_t)count;
    return base;
}

int xengntshr_unshare(xengntshr_handle *xgs, void *start, uint32_t count)
{
    for (uint32_t ref = 0; ref < REFS_MAX; ref++) {
        if (pages[ref] >= (uint8_t *)start && pages[ref] < (uint8_t *)start + (size_t)count * PAGE)
            pages[ref] = NULL;
    }
    shared -= count;
    free(start);
    return 0;
}

/* --- libxenevtchn --------------------------------------------------------------------------------------------- */

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    channel = calloc(1, sizeof(*channel));
    if (!channel || pipe(channel->pipe) < 0)
        abort();
    return channel;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    close(xce->pipe[0]);
    close(xce->pipe[1]);
    free(xce);
    channel = NULL;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    return xce->pipe[0];
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
    xce->is_bound = true;
    return PORT;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    xce->is_bound = false;
    return 0;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    kicks++;
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    char byte;

    deliveries++;
    return read(xce->pipe[0], &byte, 1) == 1 ? PORT : -1;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    xce->is_masked = false;
    deliver();
    return 0;
}
