// SPDX-License-Identifier: MIT
/*
 * toolstack.c: watches, and the life of the connection to the store. See toolstack.h.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xenstore.h>

#include "common/log.h"
#include "common/xenbus.h"
#include "backend/blk/vbd.h"
#include "backend/net/vif.h"
#include "backend/claim.h"
#include "backend/config.h"
#include "backend/device.h"
#include "backend/device_table.h"
#include "backend/slot.h"
#include "backend/toolstack.h"

/* The kinds of devices that we serve: backend/<name>. */
static const struct device_family_ops *const families[] = { &vbd_family_ops, &vif_family_ops };
#define FAMILY_COUNT (sizeof(families) / sizeof(families[0]))

/* Tokens of the watches; that of a frontend's watch is our directory's path. */
#define TOKEN_BACKEND "toolstack"
#define TOKEN_RELEASE "release"

#define EVENTS_MAX 1024 /* taken from the library in a turn of the loop */
#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 5000

static struct {
    struct event_base *base;
    struct xs_handle *xs;
    struct event *readable;
    int sentinel; /* a second connection, which only tells when the store goes away; 0: none */
    struct event *sentinel_event;
    struct event *retry; /* connect again; also: is it still there? */
    struct event *check; /* is anybody listening still? */
    unsigned int retry_ms;
    bool is_suspect;
    bool is_incomplete; /* devices may have been passed over: look for them again */
    bool is_refusing;
    unsigned int epoch; /* counts connections: watches are gone with theirs */
} store;

/* Digits up to a slash or the end. */
static bool parse_number(const char **at, uint64_t max, uint64_t *value)
{
    const size_t len = strcspn(*at, "/");

    if (xenbus_parse_u64(*at, len, 0, max, value) < 0)
        return false;
    *at += len;
    return true;
}

bool toolstack_parse(const char *path, struct toolstack_name *name)
{
    uint64_t domid, devid;
    size_t len;

    if (strncmp(path, "/local/domain/", 14) == 0) {
        path += 14;
        if (!parse_number(&path, UINT16_MAX, &domid) || *path++ != '/')
            return false;
    }
    if (strncmp(path, "backend/", 8) != 0)
        return false;
    path += 8;
    len = strcspn(path, "/");
    if (len == 0 || len >= sizeof(name->kind) || path[len] != '/')
        return false;
    memcpy(name->kind, path, len);
    name->kind[len] = '\0';
    path += len + 1;
    if (!parse_number(&path, UINT16_MAX, &domid) || *path++ != '/')
        return false;
    if (!parse_number(&path, UINT32_MAX, &devid))
        return false;
    name->domid = domid;
    name->devid = devid;
    return true;
}

static void queue_one(struct device *device, void *arg)
{
    device_queue_add(device);
}

static void queue_below(struct device *device, void *arg)
{
    if (xs_path_is_subpath(arg, device->path))
        device_queue_add(device);
}

static void check_domain(struct device *device, void *arg)
{
    device_check_domain(device);
}

static void resync_one(struct device *device, void *arg)
{
    device_resync(device);
}

static void schedule_retry(unsigned int ms)
{
    struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

    evtimer_add(store.retry, &wait);
}

/* Nothing will be heard by itself of what was passed over. */
static void scan_again(void)
{
    store.is_incomplete = true;
    schedule_retry(RETRY_MAX_MS);
}

/* may_create: the toolstack has written something there. false: the path is about no device. */
static bool queue_device(const char *path, bool may_create)
{
    struct toolstack_name name;
    struct device *device;

    if (!toolstack_parse(path, &name))
        return false;
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        if (strcmp(families[i]->name, name.kind) != 0)
            continue;
        device = device_table_find(families[i], name.domid, name.devid);
        if (device)
            device_queue_add(device);
        else if (may_create && !store.is_refusing && !device_create(families[i], name.domid, name.devid)) {
            log_error(NULL, "no memory for device %s %u/%u: trying again", name.kind, name.domid, name.devid);
            scan_again();
        }
    }
    return true;
}

/* The names below, to free(); NULL: there are none, or nobody knows. */
static char **list_names(const char *path, unsigned int *count)
{
    char **names = xs_directory(store.xs, XBT_NULL, path, count);

    if (!names && errno != ENOENT) {
        log_error(NULL, "%s cannot be listed: %s: trying again", path, strerror(errno));
        scan_again();
    }
    return names;
}

/*
 * The first event of a watch on backend/<kind> names that directory only, since nothing has changed yet: what
 * exists already has to be looked for.
 */
static void scan_family(const struct device_family_ops *family)
{
    char path[XENBUS_PATH_MAX];
    unsigned int domain_count, device_count;
    char **domains, **devices;

    snprintf(path, sizeof(path), "backend/%s", family->name);
    domains = list_names(path, &domain_count);
    for (unsigned int i = 0; domains && i < domain_count; i++) {
        if (snprintf(path, sizeof(path), "backend/%s/%s", family->name, domains[i]) >= (int)sizeof(path))
            continue;
        devices = list_names(path, &device_count);
        for (unsigned int j = 0; devices && j < device_count; j++) {
            if (snprintf(path, sizeof(path), "backend/%s/%s/%s", family->name, domains[i], devices[j]) <
                (int)sizeof(path))
                queue_device(path, true);
        }
        free(devices);
    }
    free(domains);
}

/* A directory above devices: it was removed with all that was in it, or the watch is new. */
static void take_parent_event(const char *path)
{
    char root[64];

    device_table_each(queue_below, (void *)path);
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        snprintf(root, sizeof(root), "backend/%s", families[i]->name);
        if (strcmp(path, root) == 0)
            scan_family(families[i]);
    }
}

static void take_event(const char *path, const char *token)
{
    if (strcmp(token, TOKEN_RELEASE) == 0) { /* it does not say which domain */
        device_table_each(check_domain, NULL);
        slots_check();
    } else if (strcmp(token, TOKEN_BACKEND) != 0)
        queue_device(token, false); /* a frontend's state */
    else if (!queue_device(path, true))
        take_parent_event(path);
}

static void lose_store(void);

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    char **event = NULL;

    for (int i = 0; i < EVENTS_MAX; i++) {
        event = xs_check_watch(store.xs);
        if (!event)
            break;
        take_event(event[XS_WATCH_PATH], event[XS_WATCH_TOKEN]);
        free(event);
    }
    if (event)
        event_active(store.readable, EV_READ, 0); /* the descriptor need not be readable for the rest */
    else if (errno != EAGAIN)
        lose_store();
}

/* Nothing ever comes from it, so what makes it readable is its end. */
static void on_sentinel(evutil_socket_t fd, short what, void *arg)
{
    lose_store();
}

/*
 * libxenstore's own descriptor says nothing when the other end is gone. A second connection to the same socket
 * does, at once and without asking now and then. Where the store is reached through the kernel there is no such
 * socket, nor a daemon that could go away.
 */
static int open_sentinel(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = xs_daemon_socket();

    if (!path || strlen(path) >= sizeof(address.sun_path))
        return 0;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        goto fail;
    store.sentinel_event = event_new(store.base, fd, EV_READ, on_sentinel, NULL);
    if (!store.sentinel_event || event_add(store.sentinel_event, NULL) < 0)
        goto fail;
    return fd;

fail:
    close(fd);
    return 0;
}

static void close_store(void)
{
    if (store.sentinel_event)
        event_free(store.sentinel_event);
    store.sentinel_event = NULL;
    if (store.sentinel > 0)
        close(store.sentinel);
    store.sentinel = 0;
    if (store.readable)
        event_free(store.readable);
    store.readable = NULL;
    xs_close(store.xs);
    store.xs = NULL;
    store.is_suspect = false;
}

static int open_store(void)
{
    char root[64];
    pid_t holder = 0;
    int error;

    store.xs = xs_open(0);
    if (!store.xs)
        return errno ? -errno : -ENOTCONN;
    store.readable = event_new(store.base, xs_fileno(store.xs), EV_READ | EV_PERSIST, on_readable, NULL);
    if (!store.readable || event_add(store.readable, NULL) < 0) {
        error = -ENOMEM;
        goto fail;
    }
    error = claim_take(store.xs, &holder);
    if (error == -EBUSY)
        log_error(NULL, "another xensplitd (process %d) serves this domain's devices", holder);
    if (error < 0)
        goto fail;
    store.epoch++;
    store.sentinel = open_sentinel();
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        snprintf(root, sizeof(root), "backend/%s", families[i]->name);
        if (!xs_watch(store.xs, root, TOKEN_BACKEND))
            goto fail_errno;
    }
    if (!xs_watch(store.xs, "@releaseDomain", TOKEN_RELEASE)) {
        if (errno != EACCES)
            goto fail_errno;
        log_warning(NULL,
                    "this domain may not see when others end (@releaseDomain): the toolstack has to say it");
    }
    return 0;

fail_errno:
    error = errno ? -errno : -EIO;
fail:
    close_store();
    return error;
}

/* Devices that are connected are served on; nothing of theirs needs the store. */
static void lose_store(void)
{
    log_error(NULL, "the store is gone (has xenstored ended, or was there no memory?): connected devices are "
                    "served on, no other will be; trying to reach it again");
    close_store();
    store.retry_ms = RETRY_FIRST_MS;
    schedule_retry(store.retry_ms);
}

/*
 * The thread that reads for libxenstore ends for good when it has no memory for a message, without a word to anybody:
 * no watch would fire again. The next call fails, so there is one now and then.
 */
static void on_check(evutil_socket_t fd, short what, void *arg)
{
    char *home = store.xs ? xs_get_domain_path(store.xs, 0) : NULL;

    if (store.xs && !home)
        lose_store();
    free(home);
}

static int start_check(void)
{
    const struct timeval every = { .tv_sec = config_get()->store_check_s };

    if (!every.tv_sec)
        return 0;
    store.check = event_new(store.base, -1, EV_PERSIST, on_check, NULL);
    return store.check && event_add(store.check, &every) == 0 ? 0 : -ENOMEM;
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    bool is_incomplete;
    char *home;

    if (store.xs) {
        /* Only suspected. Any answer will do. */
        store.is_suspect = false;
        is_incomplete = store.is_incomplete;
        store.is_incomplete = false;
        home = xs_get_domain_path(store.xs, 0);
        if (!home)
            lose_store();
        else
            device_table_each(queue_one, NULL);
        for (size_t i = 0; home && is_incomplete && i < FAMILY_COUNT; i++)
            scan_family(families[i]);
        free(home);
        return;
    }
    if (open_store() < 0) {
        store.retry_ms = store.retry_ms * 2 < RETRY_MAX_MS ? store.retry_ms * 2 : RETRY_MAX_MS;
        schedule_retry(store.retry_ms);
        return;
    }
    log_info(NULL, "the store is back");
    device_table_each(resync_one, NULL);
}

bool toolstack_watches(const struct device *device)
{
    return store.xs && device->watch_epoch == store.epoch;
}

/* The state alone: whatever else a guest writes into its directory costs us nothing. */
int toolstack_watch(struct device *device)
{
    char path[XENBUS_PATH_MAX + 8];

    if (!store.xs)
        return -ENOTCONN;
    if (toolstack_watches(device))
        return 0;
    snprintf(path, sizeof(path), "%s/state", device->frontend_path);
    if (!xs_watch(store.xs, path, device->path))
        return errno ? -errno : -EIO;
    device->watch_epoch = store.epoch;
    return 0;
}

void toolstack_unwatch(struct device *device)
{
    char path[XENBUS_PATH_MAX + 8];

    if (!toolstack_watches(device))
        return;
    snprintf(path, sizeof(path), "%s/state", device->frontend_path);
    xs_unwatch(store.xs, path, device->path);
    device->watch_epoch = 0;
}

int toolstack_start(struct event_base *base)
{
    int error = -ENOMEM;

    store.base = base;
    store.is_refusing = false;
    store.retry = evtimer_new(base, on_retry, NULL);
    if (store.retry)
        error = open_store();
    if (error == 0)
        error = start_check();
    if (error < 0) {
        if (error != -EBUSY)
            log_error(NULL, "cannot reach the store (is xenstored running?): %s", strerror(-error));
        toolstack_stop();
    }
    return error;
}

void toolstack_refuse(void)
{
    store.is_refusing = true;
}

void toolstack_stop(void)
{
    claim_drop(store.xs);
    close_store();
    if (store.retry)
        event_free(store.retry);
    if (store.check)
        event_free(store.check);
    store.retry = store.check = NULL;
}

struct xs_handle *toolstack_xs(void)
{
    return store.xs;
}

void toolstack_suspect(int error)
{
    /* What the store answers when it works. */
    if (!store.xs || store.is_suspect || error == -ENOENT || error == -EACCES || error == -EAGAIN)
        return;
    store.is_suspect = true;
    schedule_retry(RETRY_FIRST_MS);
}
