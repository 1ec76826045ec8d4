// SPDX-License-Identifier: MIT
/*
 * plug.c: the toolstack's side of a device's life. A node of a device is only written in a transaction that
 * has seen its directory, since the other side may have removed it meanwhile.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "xenbox/cmd/hotplug.h"
#include "xenbox/cmd/number.h"
#include "xenbox/cmd/plug.h"

#define STORE_PATH_MAX (DEVICE_PATH_MAX + 64)

static void below(const char *dir, const char *name, char path[STORE_PATH_MAX])
{
    snprintf(path, STORE_PATH_MAX, "%s/%s", dir, name);
}

/* 0 when the backend's state is unknown. */
static unsigned long backend_state(const struct plug *plug, const struct device *device)
{
    char path[STORE_PATH_MAX];
    unsigned long state;

    below(device->backend, "state", path);
    return store_read_number(plug->store, path, &state) == 0 ? state : XenbusStateUnknown;
}

/* Where a Xen backend says why it failed. */
static void error_path(const struct device *device, char path[STORE_PATH_MAX])
{
    snprintf(path, STORE_PATH_MAX, "/local/domain/0/error/backend/%s/%u/%u", device->kind->name,
             device->domid, device->devid);
}

/* What it has to say, to be freed; or NULL. */
static char *backend_error(const struct plug *plug, const struct device *device)
{
    char dir[STORE_PATH_MAX], path[STORE_PATH_MAX + sizeof("/error")], *text;

    error_path(device, dir);
    snprintf(path, sizeof(path), "%s/error", dir);
    store_read(plug->store, path, &text);
    return text;
}

static int is_answered(struct store *store, void *arg)
{
    const struct device *device = arg;
    char path[STORE_PATH_MAX];
    unsigned long state;
    int error;

    below(device->backend, "state", path);
    error = store_read_number(store, path, &state);
    if (error)
        return error;
    return state >= XenbusStateClosing ? -ECONNREFUSED : state >= XenbusStateInitWait;
}

static int wait_for_answer(const struct plug *plug, struct device *device)
{
    int error = store_wait(plug->store, device->backend, plug->timeout_ms, is_answered, device);
    char *reason;

    if (!error)
        return 0;
    reason = backend_error(plug, device);
    if (reason)
        device_complain(device, error, "the backend refused: %s", reason);
    else if (error == -ETIMEDOUT)
        device_complain(device, error, "no backend answered within %d s: is %s running in domain 0?",
                        plug->timeout_ms / 1000, device->kind->server);
    else if (error == -ENOENT)
        device_complain(device, error, "somebody removed its nodes");
    else if (error == -EINTR)
        device_complain(device, error, "interrupted while it waited for the backend");
    else if (error == -ECONNREFUSED)
        device_complain(device, error, "the backend closed it and gave no reason");
    else
        device_complain(device, error, "lost the store: %s", strerror(-error));
    free(reason);
    return error;
}

static int is_connected(struct store *store, void *arg)
{
    const struct device *device = arg;
    char path[STORE_PATH_MAX], *status;
    int result;

    below(device->backend, "hotplug-status", path);
    result = store_read(store, path, &status);
    if (result == 0 && strcmp(status, "connected") == 0)
        result = 1;
    else if (result == 0 && strcmp(status, "error") == 0)
        result = -ECONNREFUSED;
    free(status);
    return result == -ENOENT ? 0 : result;
}

/* Runs the device's hotplug script, if it has one. */
static int run_script(const struct plug *plug, struct device *device, const char *const *arguments)
{
    char path[STORE_PATH_MAX], *script;
    int error;

    below(device->backend, "script", path);
    error = store_read(plug->store, path, &script);
    if (error)
        return error == -ENOENT ? 0 : device_complain(device, error, "lost the store: %s", strerror(-error));
    error = hotplug_run(plug->box, device, script, arguments);
    free(script);
    return error;
}

/* The node is there as long as the device is. */
static int write_connected(struct store *store, xs_transaction_t t, void *arg)
{
    const char *path = arg;
    char *value = xs_read(store->xs, t, path, NULL);
    int error = value ? 0 : -errno;

    free(value);
    if (!error && !xs_write(store->xs, t, path, "connected", strlen("connected")))
        error = -errno;
    return error;
}

/*
 * With xl there is always a script, and the backend waits for what it writes: without one there is nothing to wait
 * for.
 */
static int connect_without_script(const struct plug *plug, struct device *device)
{
    char path[STORE_PATH_MAX];
    int error;

    if (!device->kind->has_hotplug_status)
        return 0;
    below(device->backend, "hotplug-status", path);
    error = store_transact(plug->store, write_connected, path);
    return error ? device_complain(device, error, "cannot write its hotplug-status: %s", strerror(-error))
                 : 0;
}

static int connect_script(const struct plug *plug, struct device *device)
{
    char path[STORE_PATH_MAX], *reason = NULL;
    int error;

    if (!device_setting(device, "script"))
        return connect_without_script(plug, device);
    error = run_script(plug, device, device->kind->script_add);
    if (error)
        return error;
    error = store_wait(plug->store, device->backend, plug->timeout_ms, is_connected, device);
    if (!error)
        return 0;
    below(device->backend, "hotplug-error", path);
    store_read(plug->store, path, &reason);
    device_complain(device, error, "the hotplug script ended but did not write hotplug-status=connected%s%s",
                    reason ? ": " : "", reason ? reason : "");
    free(reason);
    return error;
}

static void remove_nodes(const struct plug *plug, const struct device *device)
{
    char top[32];

    snprintf(top, sizeof(top), "/local/domain/%u", device->domid);
    store_prune(plug->store, device->frontend, top);
    snprintf(top, sizeof(top), "/libxl/%u", device->domid);
    store_prune(plug->store, device->libxl, top);
    store_prune(plug->store, device->backend, "/local/domain/0");
}

static int is_closed(struct store *store, void *arg)
{
    const struct device *device = arg;
    char path[STORE_PATH_MAX];
    unsigned long state;
    int error;

    below(device->backend, "state", path);
    error = store_read_number(store, path, &state);
    return error == -ENOENT ? 1 : error ? error : state == XenbusStateClosed;
}

struct closing {
    struct device *device;
    unsigned long was; /* the backend's state before */
};

static int ask_to_close(struct store *store, xs_transaction_t t, void *arg)
{
    struct closing *closing = arg;
    char online[STORE_PATH_MAX], state[STORE_PATH_MAX], *value;
    int error = 0;

    below(closing->device->backend, "online", online);
    below(closing->device->backend, "state", state);
    value = xs_read(store->xs, t, state, NULL);
    closing->was = XenbusStateUnknown;
    if (!value)
        return errno == ENOENT ? 0 : -errno;
    if (number_parse(value, XenbusStateReconfigured, &closing->was) < 0)
        closing->was = XenbusStateInitialising;
    free(value);
    if (closing->was != XenbusStateClosed && !xs_write(store->xs, t, state, "5", 1))
        error = -errno;
    if (!error && !xs_write(store->xs, t, online, "0", 1))
        error = -errno;
    return error;
}

/* A backend that never took the device will not close it either. */
static bool is_worth_waiting(unsigned long was)
{
    return was != XenbusStateUnknown && was != XenbusStateInitialising && was != XenbusStateClosed;
}

static int shut(const struct plug *plug, struct device *device)
{
    struct closing closing = { .device = device };
    int error;

    error = store_transact(plug->store, ask_to_close, &closing);
    if (error)
        return device_complain(device, error, "cannot change its state: %s", strerror(-error));
    if (is_worth_waiting(closing.was))
        error = store_wait(plug->store, device->backend, plug->timeout_ms, is_closed, device);
    if (error == -ETIMEDOUT && !plug->is_forced)
        return device_complain(
            device, error,
            "the backend did not close it within %d s and is in state %lu; it may wait for the guest "
            "(--force does not)",
            plug->timeout_ms / 1000, backend_state(plug, device));
    if (error && error != -ETIMEDOUT)
        return device_complain(device, error, "lost the store: %s", strerror(-error));
    return 0;
}

static int take_out(const struct plug *plug, struct device *device)
{
    char top[32];
    int error;

    if (plug->is_forced) {
        snprintf(top, sizeof(top), "/local/domain/%u", device->domid);
        store_prune(plug->store, device->frontend, top);
    }
    error = shut(plug, device);
    if (error)
        return error;
    /* A script that fails now has nothing to stop any more: its complaint is kept, the nodes go. */
    error = run_script(plug, device, device->kind->script_remove);
    remove_nodes(plug, device);
    return error;
}

/* The backend's directory, where the toolstack's notes say it is. */
static int find_backend(const struct plug *plug, struct device *device)
{
    char path[STORE_PATH_MAX], *backend;
    int error;

    below(device->libxl, "backend", path);
    error = store_read(plug->store, path, &backend);
    if (error == -ENOENT)
        return device_complain(device, error, "there is no such device");
    if (error)
        return device_complain(device, error, "lost the store: %s", strerror(-error));
    if (snprintf(device->backend, sizeof(device->backend), "%s", backend) >= (int)sizeof(device->backend))
        error = device_complain(device, -EINVAL, "%s is no path of a backend", path);
    free(backend);
    return error;
}

int plug_out(const struct plug *plug, struct device *device)
{
    int error = find_backend(plug, device);

    return error ? error : take_out(plug, device);
}

int plug_in(const struct plug *plug, struct device *device)
{
    const struct plug undo = { plug->box, plug->store, plug->timeout_ms, true };
    char why[DEVICE_WHY_MAX], path[STORE_PATH_MAX];
    struct node_list list;
    int error;

    /* What was said of a predecessor of this name must not be taken for an answer. */
    error_path(device, path);
    store_prune(plug->store, path, "/local/domain/0");

    node_list_init(&list, device->domid);
    device_create_nodes(device, &list);
    error = store_apply(plug->store, &list);
    node_list_fini(&list);
    if (error == -EEXIST)
        return device_complain(device, error, "the domain has this device already");
    if (error)
        return device_complain(device, error, "cannot write its nodes: %s", strerror(-error));
    error = wait_for_answer(plug, device);
    if (!error)
        error = connect_script(plug, device);
    if (error) {
        memcpy(why, device->why, sizeof(why));
        take_out(&undo, device);
        memcpy(device->why, why, sizeof(why));
    }
    return error;
}

static int plug_out_one(const struct plug *plug, const struct device_kind *kind, uint16_t domid,
                        const char *name)
{
    struct device device;
    int error;

    device_init(&device, kind, domid);
    error = device_name(&device, name);
    if (!error)
        error = plug_out(plug, &device);
    device_fini(&device);
    return error;
}

int plug_out_all(const struct plug *plug, uint16_t domid)
{
    int result = 0;

    for (const struct device_kind *kind = device_kinds; kind->name; kind++) {
        char path[STORE_PATH_MAX], **names;
        unsigned int count = 0;

        snprintf(path, sizeof(path), "/libxl/%u/device/%s", domid, kind->frontend);
        names = xs_directory(plug->store->xs, XBT_NULL, path, &count);
        for (unsigned int i = 0; names && i < count; i++) {
            int error = plug_out_one(plug, kind, domid, names[i]);

            result = result ? result : error;
        }
        free(names);
    }
    return result;
}
