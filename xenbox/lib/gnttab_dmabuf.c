// SPDX-License-Identifier: MIT
/*
 * gnttab_dmabuf.c: dma-bufs, which gntdev has only where its kernel was built with them: a box is one
 * without.
 */
#include <config.h>

#include <errno.h>

#include "xenbox/lib/gnttab.h"

static int dmabuf_refuse(xengnttab_handle *handle, const char *call)
{
    client_log(&handle->client, ENOTTY, "%s: an emulated gntdev has no dma-bufs", call);
    return gnttab_error(-ENOTTY);
}

int xengnttab_dmabuf_exp_from_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t flags, uint32_t count,
                                   const uint32_t *refs, uint32_t *fd)
{
    return dmabuf_refuse(xgt, __func__);
}

int xengnttab_dmabuf_exp_wait_released(xengnttab_handle *xgt, uint32_t fd, uint32_t wait_to_ms)
{
    return dmabuf_refuse(xgt, __func__);
}

int xengnttab_dmabuf_imp_to_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t fd, uint32_t count,
                                 uint32_t *refs)
{
    return dmabuf_refuse(xgt, __func__);
}

int xengnttab_dmabuf_imp_release(xengnttab_handle *xgt, uint32_t fd)
{
    return dmabuf_refuse(xgt, __func__);
}
