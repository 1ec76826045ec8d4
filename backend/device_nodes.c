// SPDX-License-Identifier: MIT
/*
 * device_nodes.c: see device_nodes.h.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xenbus.h"
#include "backend/device.h"
#include "backend/device_nodes.h"
#include "backend/domain.h"
#include "backend/toolstack.h"

bool device_nodes_path_is_good(const char *path, uint16_t domid)
{
    char home[32];
    const int len = snprintf(home, sizeof(home), "/local/domain/%u/", domid);

    return strncmp(path, home, len) == 0 && path[len] != '\0' && !strstr(path, "//") &&
           path[strlen(path) - 1] != '/';
}

/* An answer of the store that is none: what is not the frontend's fault may be the store's end. */
static int cannot_read(struct device *device, const char *dir, const char *key, int error)
{
    log_limited(&device->limit, LOG_LEVEL_WARNING, device->label, "%s/%s cannot be read: %s", dir, key,
                strerror(-error));
    toolstack_suspect(error);
    return -EAGAIN;
}

/* -EINVAL: a value outside the enumeration, which is ignored; *state stays. */
static int read_state(struct device *device, struct xs_handle *xs, const char *dir, enum xenbus_state *state)
{
    char text[32] = "";
    int error = xenbus_read_state(xs, XBT_NULL, dir, state);

    if (error != -EINVAL)
        return error;
    xenbus_read_string(xs, XBT_NULL, dir, "state", text, sizeof(text));
    log_limited(&device->limit, LOG_LEVEL_WARNING, device->label,
                "%s/state: expected a number from 0 to %d, found \"%s\": ignored", dir,
                XENBUS_STATE_COUNT - 1, text);
    return error;
}

/* 1: our directory exists, 0: it does not, -EAGAIN: nobody knows. */
static int find_own(struct device *device, struct device_nodes *nodes, struct xs_handle *xs)
{
    enum xenbus_state own = XenbusStateUnknown;
    int error = read_state(device, xs, device->path, &own);
    char *value;

    if (error == -EINVAL)
        return -EAGAIN;
    if (error < 0)
        return cannot_read(device, device->path, "state", error);
    nodes->view.own = own;
    if (own == XenbusStateUnknown) {
        value = xenbus_read(xs, XBT_NULL, device->path, "");
        if (!value)
            return errno == ENOENT ? 0 : cannot_read(device, device->path, "", -errno);
        free(value);
    }
    return 1;
}

/* The frontend's directory, as the toolstack wrote it: 0, -EAGAIN while that is incomplete, or -EPROTO. */
static int find_frontend(struct device *device, struct xs_handle *xs, char *reason, size_t size)
{
    char path[XENBUS_PATH_MAX];
    char found[32] = "";
    int error = xenbus_read_string(xs, XBT_NULL, device->path, "frontend-id", found, sizeof(found));
    uint64_t domid;

    if (error == -ENOENT)
        return -EAGAIN;
    if (error < 0 && error != -EINVAL && error != -E2BIG)
        return cannot_read(device, device->path, "frontend-id", error);
    if (error < 0 || xenbus_parse_u64(found, strlen(found), device->domid, device->domid, &domid) < 0) {
        snprintf(reason, size, "frontend-id: expected %u, as in the directory's name, found \"%s\"",
                 device->domid, found);
        return -EPROTO;
    }
    error = xenbus_read_string(xs, XBT_NULL, device->path, "frontend", path, sizeof(path));
    if (error == -ENOENT)
        return -EAGAIN;
    if (error < 0 && error != -EINVAL && error != -E2BIG)
        return cannot_read(device, device->path, "frontend", error);
    if (error < 0 || !device_nodes_path_is_good(path, device->domid)) {
        snprintf(reason, size,
                 "frontend: expected a directory below /local/domain/%u of at most %d bytes, found \"%s\"",
                 device->domid, XENBUS_PATH_MAX - 1, error < 0 ? "something else" : path);
        return -EPROTO;
    }
    if (strcmp(path, device->frontend_path) == 0)
        return 0;
    toolstack_unwatch(device);
    strcpy(device->frontend_path, path);
    return 0;
}

/* Which guest has the domid, and does it live? */
static void query_domain(struct device *device, struct device_nodes *nodes)
{
    uint8_t handle[DOMAIN_HANDLE_BYTES];
    int error = domain_query(device->domid, handle);

    nodes->is_replaced = false;
    nodes->view.is_present = error != -ESRCH;
    if (error < 0)
        return;
    if (!nodes->has_generation) {
        memcpy(device->generation, handle, sizeof(handle));
        nodes->has_generation = true;
    }
    nodes->is_replaced = memcmp(device->generation, handle, sizeof(handle)) != 0;
}

bool device_nodes_domain_is_same(struct device *device, struct device_nodes *nodes)
{
    query_domain(device, nodes);
    return nodes->view.is_present && !nodes->is_replaced;
}

void device_nodes_accept(struct device *device, struct device_nodes *nodes)
{
    nodes->has_generation = false;
    query_domain(device, nodes);
}

int device_nodes_read(struct device *device, struct device_nodes *nodes, struct xs_handle *xs, char *reason,
                      size_t reason_size)
{
    enum xenbus_state peer = XenbusStateUnknown;
    int error;

    if (!xs)
        return -EAGAIN;
    query_domain(device, nodes);
    error = find_own(device, nodes, xs);
    if (error < 0)
        return error;
    if (error == 0 && nodes->is_unseen && nodes->view.is_present) {
        log_limited(&device->limit, LOG_LEVEL_WARNING, device->label,
                    "the store came back without the device: it is served until its guest ends");
        return -EAGAIN;
    }
    nodes->is_unseen = false;
    if (error == 0)
        nodes->view.is_present = false;
    if (!nodes->view.is_present)
        return 0;

    error = xenbus_read_bool(xs, XBT_NULL, device->path, "online", &nodes->view.is_online);
    if (error == -EINVAL)
        log_limited(&device->limit, LOG_LEVEL_WARNING, device->label, "online: expected 0 or 1: ignored");
    else if (error < 0)
        return cannot_read(device, device->path, "online", error);

    /* What the toolstack wrote does not change as long as the device is there: one that is new is Initialising. */
    error = nodes->view.own != XenbusStateInitialising && toolstack_watches(device)
                ? 0
                : find_frontend(device, xs, reason, reason_size);
    if (error < 0)
        return error;
    error = toolstack_watch(device);
    if (error < 0)
        return cannot_read(device, device->frontend_path, "state", error);
    error = read_state(device, xs, device->frontend_path, &peer);
    if (error == -EINVAL)
        return -EAGAIN;
    if (error < 0)
        return cannot_read(device, device->frontend_path, "state", error);
    nodes->view.peer = peer;
    return 0;
}
