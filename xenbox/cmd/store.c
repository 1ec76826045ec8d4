// SPDX-License-Identifier: MIT
/* store.c: transactions, waiting and tidying on the store. */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xenbox/cmd/clock.h"
#include "xenbox/cmd/cmd.h"
#include "xenbox/cmd/number.h"
#include "xenbox/cmd/store.h"
#include "xenbox/cmd/store_ping.h"

#define MAX_ATTEMPTS 1000 /* of a transaction that others keep disturbing */
#define MAX_PERMS 2
#define PING_TIMEOUT_MS 5000
#define WATCH_TOKEN "xenbox"

int store_open(struct store *store, const struct box *box)
{
    char path[BOX_PATH_MAX];

    *store = (struct store){ 0 };
    box_store_path(box, 0, path);
    if (access(path, F_OK) < 0)
        return -errno;
    /* The library tries other sockets, of a real Xen, when this one does not answer: not if it is named. */
    if (setenv("XENSTORED_PATH", path, 1) < 0)
        return -errno;
    store->xs = xs_open(0);
    return store->xs ? 0 : -errno;
}

int store_connect(struct store *store, const struct box *box)
{
    struct box_status status;
    int error;

    error = store_ping(box, PING_TIMEOUT_MS);
    if (!error)
        error = store_open(store, box);
    if (!error)
        return 0;
    box_probe(box, &status);
    if (*status.failure)
        cmd_fail("the store of box '%s' does not answer: %s", box->name, status.failure);
    else if (error == -ETIMEDOUT)
        cmd_fail("the store of box '%s' does not answer within %d s: is xenstored (pid %d) stopped?",
                 box->name, PING_TIMEOUT_MS / 1000, (int)status.xenstored);
    else
        cmd_fail("the store of box '%s' does not answer: %s", box->name, strerror(-error));
    return error;
}

void store_close(struct store *store)
{
    if (store->xs)
        xs_close(store->xs);
    store->xs = NULL;
}

/* Permissions as xs_set_permissions wants them; returns how many, 0 for inherited ones. */
static unsigned int make_perms(enum node_access access, uint16_t domid,
                               struct xs_permissions perms[MAX_PERMS])
{
    const struct {
        unsigned int count;
        unsigned int owner;
        unsigned int reader;
    } table[] = {
        [NODE_INHERIT] = { 0, 0, 0 },   [NODE_DOM0_ONLY] = { 1, 0, 0 },      [NODE_DOM0] = { 2, 0, domid },
        [NODE_GUEST] = { 2, domid, 0 }, [NODE_GUEST_ONLY] = { 1, domid, 0 },
    };

    perms[0] = (struct xs_permissions){ .id = table[access].owner, .perms = XS_PERM_NONE };
    perms[1] = (struct xs_permissions){ .id = table[access].reader, .perms = XS_PERM_READ };
    return table[access].count;
}

static int apply_step(struct store *store, xs_transaction_t t, const struct node *node, uint16_t domid)
{
    struct xs_permissions perms[MAX_PERMS];
    unsigned int count = make_perms(node->access, domid, perms);
    bool done = true;
    char *value;

    switch (node->step) {
    case NODE_EXPECT_NONE:
        value = xs_read(store->xs, t, node->path, NULL);
        free(value);
        return value ? -EEXIST : errno == ENOENT ? 0 : -errno;
    case NODE_REMOVE:
        if (!xs_rm(store->xs, t, node->path) && errno != ENOENT)
            return -errno;
        return 0;
    case NODE_MAKE:
        done = xs_mkdir(store->xs, t, node->path);
        break;
    case NODE_WRITE:
        done = xs_write(store->xs, t, node->path, node->value, (unsigned int)strlen(node->value));
        break;
    }
    if (done && count)
        done = xs_set_permissions(store->xs, t, node->path, perms, count);
    return done ? 0 : -errno;
}

int store_transact(struct store *store, int (*fn)(struct store *store, xs_transaction_t t, void *arg),
                   void *arg)
{
    for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        xs_transaction_t t = xs_transaction_start(store->xs);
        int error;

        if (t == XBT_NULL)
            return -errno;
        error = fn(store, t, arg);
        if (xs_transaction_end(store->xs, t, error != 0) || error)
            return error;
        if (errno != EAGAIN)
            return -errno;
    }
    return -EAGAIN;
}

static int apply_list(struct store *store, xs_transaction_t t, void *arg)
{
    const struct node_list *list = arg;
    int error = list->error;

    for (size_t i = 0; i < list->count && !error; i++)
        error = apply_step(store, t, &list->nodes[i], list->domid);
    return error;
}

int store_apply(struct store *store, struct node_list *list)
{
    return store_transact(store, apply_list, list);
}

int store_read(struct store *store, const char *path, char **value)
{
    unsigned int length;

    *value = xs_read(store->xs, XBT_NULL, path, &length);
    return *value ? 0 : -errno;
}

int store_read_number(struct store *store, const char *path, unsigned long *number)
{
    char *value;
    int error = store_read(store, path, &value);

    if (!error)
        error = number_parse(value, INT32_MAX, number);
    free(value);
    return error;
}

bool store_has(struct store *store, const char *path)
{
    char *value;
    int error = store_read(store, path, &value);

    free(value);
    return error != -ENOENT;
}

/*
 * Takes one event and all that are queued behind it. A caller that wants to be interrupted blocks its signals: they
 * are let through here only, so that none is lost between a look at the store and the waiting.
 */
static int take_events(struct store *store, int64_t deadline)
{
    struct pollfd wait = { .fd = xs_fileno(store->xs), .events = POLLIN };
    int64_t left = deadline - clock_now_ms();
    struct timespec limit = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
    sigset_t none;
    char **event;
    int ready;

    if (left <= 0)
        return -ETIMEDOUT;
    sigemptyset(&none);
    ready = ppoll(&wait, 1, &limit, &none);
    if (ready < 0)
        return -errno;
    while (ready > 0 && (event = xs_check_watch(store->xs)))
        free(event);
    return ready > 0 && errno != EAGAIN ? -errno : 0;
}

int store_wait(struct store *store, const char *path, int timeout_ms,
               int (*is_met)(struct store *store, void *arg), void *arg)
{
    int64_t deadline = clock_now_ms() + timeout_ms;
    int met, error = 0;

    if (!xs_watch(store->xs, path, WATCH_TOKEN))
        return -errno;
    while ((met = is_met(store, arg)) == 0 && !error)
        error = take_events(store, deadline);
    xs_unwatch(store->xs, path, WATCH_TOKEN);
    return met ? (met < 0 ? met : 0) : error;
}

/* An empty directory is a node without value and without children. */
static bool is_empty(struct store *store, xs_transaction_t t, const char *path)
{
    unsigned int children = 1, length = 1;
    char **names = xs_directory(store->xs, t, path, &children);
    char *value = xs_read(store->xs, t, path, &length);
    bool empty = names && value && children == 0 && length == 0;

    free(names);
    free(value);
    return empty;
}

struct prune {
    const char *path;
    const char *top;
};

static int prune(struct store *store, xs_transaction_t t, void *arg)
{
    const struct prune *what = arg;
    char *dir = strdup(what->path), *slash;
    int error;

    if (!dir)
        return -ENOMEM;
    error = xs_rm(store->xs, t, dir) || errno == ENOENT ? 0 : -errno;
    while (!error && (slash = strrchr(dir, '/'))) {
        *slash = '\0';
        if (strlen(dir) <= strlen(what->top) || !is_empty(store, t, dir))
            break;
        if (!xs_rm(store->xs, t, dir))
            error = -errno;
    }
    free(dir);
    return error;
}

int store_prune(struct store *store, const char *path, const char *top)
{
    struct prune what = { path, top };

    return store_transact(store, prune, &what);
}
