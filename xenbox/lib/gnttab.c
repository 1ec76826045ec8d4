// SPDX-License-Identifier: MIT
/*
 * gnttab.c: libxengnttab's consuming half: handles, map, unmap. What is mapped is in gnttab_region.c, copy in
 * gnttab_copy.c. Whatever fails in a map call, the caller sees EINVAL, as from the real gntdev.
 */
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "xenbox/hv/bugs.h"
#include "xenbox/lib/gnttab.h"
#include "xenbox/lib/gnttab_pv.h"
#include "xenbox/lib/gnttab_region.h"

int gnttab_error(int error)
{
    errno = -error;
    return -1;
}

/* gntdev cannot restrict a descriptor to a domain: as with the real library, the handle becomes useless. */
static int gnttab_restrict(Xentoolcore__Active_Handle *active, domid_t domid)
{
    struct xengntdev_handle *handle = (void *)((char *)active - offsetof(struct xengntdev_handle, active));

    handle->is_restricted = true;
    return 0;
}

void gnttab_get(struct xengntdev_handle *handle)
{
    atomic_fetch_add(&handle->users, 1);
}

void gnttab_put(struct xengntdev_handle *handle)
{
    if (atomic_fetch_sub(&handle->users, 1) != 1)
        return;
    pv_close(handle);
    client_close(&handle->client);
    pthread_mutex_destroy(&handle->lock);
    free(handle->free_maps);
    free(handle);
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    struct xengntdev_handle *handle = calloc(1, sizeof(*handle));
    int ret;

    if (!handle)
        return NULL;
    if (open_flags) {
        free(handle);
        errno = EINVAL;
        return NULL;
    }
    ret = client_open(&handle->client, "gnttab", logger, XB_CONN_GNTTAB, 0, -1, NULL);
    if (ret < 0) {
        free(handle);
        errno = -ret;
        return NULL;
    }
    ret = pv_open(handle);
    if (ret < 0) {
        client_close(&handle->client);
        free(handle);
        errno = -ret;
        return NULL;
    }
    pthread_mutex_init(&handle->lock, NULL);
    atomic_store(&handle->users, 1);
    handle->active.restrict_callback = gnttab_restrict;
    xentoolcore__register_active_handle(&handle->active);
    return handle;
}

int xengnttab_close(xengnttab_handle *xgt)
{
    if (!xgt)
        return 0;
    xentoolcore__deregister_active_handle(&xgt->active);
    if (client_is_ours(&xgt->client)) {
        user_pages_settle();
        pthread_mutex_lock(&xgt->lock);
        region_unmap_all(xgt);
        atomic_store(&xgt->is_closed, true);
        xgt->client.logger = NULL; /* the caller may destroy it, and I/O may keep us for a while */
        pthread_mutex_unlock(&xgt->lock);
    } else {
        region_forget_all(xgt);
        atomic_store(&xgt->users, 1); /* those of the parent are in the parent */
    }
    gnttab_put(xgt);
    return 0;
}

int xengnttab_fd(xengnttab_handle *xgt)
{
    return xgt->client.fd;
}

/*
 * Linux sets no limit by this call any more, and neither do we: what one map call may ask for is the box's.
 */
int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
    return 0;
}

static void *gnttab_map(struct xengntdev_handle *handle, const struct region_request *request)
{
    void *address;
    int ret = -EINVAL;

    if (client_is_ours(&handle->client) && !handle->is_restricted && request->count != 0 &&
        request->count <= handle->client.tables->limits.gntdev_pages) {
        pthread_mutex_lock(&handle->lock);
        ret = region_map(handle, request, &address);
        pthread_mutex_unlock(&handle->lock);
    }
    if (ret == 0)
        return address;
    if (ret != -EIO)
        client_log(&handle->client, -ret, "mapping %u grant refs (the first: domain %u, ref %u) failed",
                   request->count, request->count ? request->domids[0] : 0,
                   request->count ? request->refs[0] : 0);
    errno = ret == -EIO ? EIO : EINVAL;
    return NULL;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    return xengnttab_map_grant_ref_notify(xgt, domid, ref, prot, -1, -1);
}

void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t *domids, uint32_t *refs,
                               int prot)
{
    struct region_request request = { .count = count,
                                      .domids = domids,
                                      .domid_step = 1,
                                      .refs = refs,
                                      .prot = prot,
                                      .notify_offset = -1,
                                      .notify_port = -1 };

    return gnttab_map(xgt, &request);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid, uint32_t *refs,
                                      int prot)
{
    struct region_request request = {
        .count = count, .domids = &domid, .refs = refs, .prot = prot, .notify_offset = -1, .notify_port = -1
    };

    return gnttab_map(xgt, &request);
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot,
                                     uint32_t notify_offset, evtchn_port_t notify_port)
{
    struct region_request request = { .count = 1,
                                      .domids = &domid,
                                      .refs = &ref,
                                      .prot = prot,
                                      .notify_offset = notify_offset,
                                      .notify_port = notify_port };

    return gnttab_map(xgt, &request);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
    struct region *region;
    int ret = -EINVAL;

    if (!client_is_ours(&xgt->client))
        return gnttab_error(-EINVAL);
    user_pages_settle();
    pthread_mutex_lock(&xgt->lock);
    region = region_find(xgt, start_address, count);
    if (region)
        ret = region_unmap(region);
    else if (bug_is_on(xgt->client.tables, BUG_H04))
        ret = region_unmap_again(xgt, start_address);
    else if (bug_is_on(xgt->client.tables, BUG_A02))
        abort(); /* there is nothing to tear down */
    pthread_mutex_unlock(&xgt->lock);
    return ret < 0 ? gnttab_error(ret) : 0;
}
