// SPDX-License-Identifier: MIT
/*
 * gntshr.c: libxengnttab's producing half: pages that are granted to another domain.
 *
 * The hypervisor process allocates frames and refs; here they are mapped. Unsharing unmaps first. A page that
 * its peer still maps is out of our sight then, and becomes free when the peer lets go.
 */
#include <config.h>

#include <errno.h>
#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xen/sys/gntalloc.h>

#include "xenbox/lib/gnttab.h"

struct shared_region {
    void *address;
    uint32_t count;
    uint32_t ref[];
};

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    struct xengntdev_handle *handle = calloc(1, sizeof(*handle));
    int ret;

    if (!handle)
        return NULL;
    ret = open_flags ? -EINVAL : client_open(&handle->client, "gntshr", logger, XB_CONN_GNTSHR, 0, -1, NULL);
    if (ret < 0) {
        free(handle);
        errno = -ret;
        return NULL;
    }
    pthread_mutex_init(&handle->lock, NULL);
    return handle;
}

static int region_compare(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const struct shared_region *)a)->address;
    uintptr_t right = (uintptr_t)((const struct shared_region *)b)->address;

    return (left > right) - (left < right);
}

static void region_free(void *node)
{
    struct shared_region *region = node;

    client_unmap_frames(region->address, region->count);
    free(region);
}

int xengntshr_close(xengntshr_handle *xgs)
{
    if (!xgs)
        return 0;
    tdestroy(xgs->regions, client_is_ours(&xgs->client) ? region_free : free);
    client_close(&xgs->client);
    pthread_mutex_destroy(&xgs->lock);
    free(xgs);
    return 0;
}

int xengntshr_fd(xengntshr_handle *xgs)
{
    return xgs->client.fd;
}

/* The end of refs; as many messages as it takes. */
static int refs_unshare(struct xengntdev_handle *handle, const uint32_t *refs, uint32_t count)
{
    int ret = 0;

    for (uint32_t done = 0; ret == 0 && done < count; done += XB_SHARE_MAX) {
        struct xb_unshare head = { .count = count - done < XB_SHARE_MAX ? count - done : XB_SHARE_MAX };
        struct iovec message[2] = { { .iov_base = &head, .iov_len = sizeof(head) },
                                    { .iov_base = (void *)(refs + done),
                                      .iov_len = head.count * sizeof(*refs) } };

        ret = client_callv(&handle->client, XB_OP_UNSHARE, message, 2, NULL, 0, NULL, NULL);
    }
    return ret;
}

/* Allocates and grants `count` frames. On failure none. */
static int refs_share(struct xengntdev_handle *handle, uint32_t domid, uint32_t count, bool is_writable,
                      uint32_t *refs, uint32_t *frames)
{
    struct xb_shared *shared = malloc(XB_SHARE_MAX * sizeof(*shared));
    uint32_t done = 0;
    int ret = shared ? 0 : -ENOMEM;

    while (ret == 0 && done < count) {
        struct xb_share share = { .domid = domid,
                                  .is_writable = is_writable,
                                  .count = count - done < XB_SHARE_MAX ? count - done : XB_SHARE_MAX };

        ret = client_call(&handle->client, XB_OP_SHARE, &share, sizeof(share), shared,
                          share.count * sizeof(*shared), NULL);
        for (uint32_t i = 0; ret == 0 && i < share.count; i++, done++) {
            refs[done] = shared[i].ref;
            frames[done] = shared[i].frame;
        }
    }
    if (ret < 0)
        refs_unshare(handle, refs, done);
    free(shared);
    return ret;
}

static int region_notify(struct xengntdev_handle *handle, uint32_t ref, uint32_t offset, uint32_t port)
{
    struct xb_share_notify notify = { .ref = ref, .offset = offset, .port = port };

    notify.action = (offset < XB_FRAME_SIZE ? UNMAP_NOTIFY_CLEAR_BYTE : 0) |
                    (port != (uint32_t)-1 ? UNMAP_NOTIFY_SEND_EVENT : 0);
    if (!notify.action)
        return 0;
    return client_call(&handle->client, XB_OP_SHARE_NOTIFY, &notify, sizeof(notify), NULL, 0, NULL);
}

static void *gntshr_share(struct xengntdev_handle *handle, uint32_t domid, int count, uint32_t *refs,
                          bool is_writable, uint32_t notify_offset, uint32_t notify_port)
{
    struct shared_region *region = NULL;
    uint32_t *frames = NULL;
    int ret = -EINVAL;

    if (!client_is_ours(&handle->client) || count <= 0)
        goto fail;
    ret = -ENOMEM;
    region = malloc(sizeof(*region) + count * sizeof(region->ref[0]));
    frames = malloc(count * sizeof(frames[0]));
    if (!region || !frames)
        goto fail;
    region->count = count;
    ret = refs_share(handle, domid, count, is_writable, region->ref, frames);
    if (ret < 0)
        goto fail;

    ret = client_map_frames(&handle->client, frames, count, PROT_READ | PROT_WRITE, &region->address);
    if (ret < 0)
        goto fail_unshare;
    ret = region_notify(handle, region->ref[0], notify_offset, notify_port);
    pthread_mutex_lock(&handle->lock);
    if (ret == 0 && !tsearch(region, &handle->regions, region_compare))
        ret = -ENOMEM;
    pthread_mutex_unlock(&handle->lock);
    if (ret < 0) {
        client_unmap_frames(region->address, count);
        goto fail_unshare;
    }
    memcpy(refs, region->ref, count * sizeof(*refs));
    free(frames);
    return region->address;

fail_unshare:
    refs_unshare(handle, region->ref, count);
fail:
    if (ret != -EIO)
        client_log(&handle->client, -ret, "sharing %d pages with domain %u failed", count, domid);
    free(frames);
    free(region);
    errno = -ret;
    return NULL;
}

void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count, uint32_t *refs, int writable)
{
    return gntshr_share(xgs, domid, count, refs, writable, -1, -1);
}

void *xengntshr_share_page_notify(xengntshr_handle *xgs, uint32_t domid, uint32_t *ref, int writable,
                                  uint32_t notify_offset, evtchn_port_t notify_port)
{
    return gntshr_share(xgs, domid, 1, ref, writable, notify_offset, notify_port);
}

int xengntshr_unshare(xengntshr_handle *xgs, void *start_address, uint32_t count)
{
    struct shared_region wanted = { .address = start_address };
    struct shared_region *region, **found;
    int ret;

    if (!client_is_ours(&xgs->client))
        return gnttab_error(-EINVAL);
    pthread_mutex_lock(&xgs->lock);
    found = tfind(&wanted, &xgs->regions, region_compare);
    region = found ? *found : NULL;
    if (region && region->count == count)
        tdelete(region, &xgs->regions, region_compare);
    else
        region = NULL;
    pthread_mutex_unlock(&xgs->lock);
    if (!region)
        return gnttab_error(-EINVAL);
    client_unmap_frames(region->address, region->count);
    ret = refs_unshare(xgs, region->ref, region->count);
    free(region);
    return ret < 0 ? gnttab_error(ret) : 0;
}
