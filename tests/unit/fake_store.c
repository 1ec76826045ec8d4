// SPDX-License-Identifier: MIT
/*
 * fake_store.c: see fake_store.h. A transaction sees and changes the table at once: what matters here is that a
 * caller repeats it.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenstore.h>

#include "tests/unit/fake_store.h"

#define NODES_MAX 512
#define WATCHES_MAX 64
#define HOME "/local/domain/0/"
#define PATH_BYTES 256

struct event {
    struct event *next;
    char path[PATH_BYTES], token[PATH_BYTES];
};

struct xs_handle {
    int pipe[2];
};

static struct {
    char path[PATH_BYTES];
    char value[PATH_BYTES];
} nodes[NODES_MAX];
static unsigned int node_count;

static struct {
    char path[PATH_BYTES]; /* absolute */
    char token[PATH_BYTES];
    bool is_relative;
} watches[WATCHES_MAX];
static unsigned int watch_count;

static struct event *first_event;
static struct xs_handle *handle;
static unsigned int collisions, reads;
static int transactions;
static bool is_cut;
static uint8_t domains[16];

static void make_absolute(char *out, const char *path)
{
    snprintf(out, PATH_BYTES, "%s%s", path[0] == '/' || path[0] == '@' ? "" : HOME, path);
}

static int find(const char *path)
{
    for (unsigned int i = 0; i < node_count; i++) {
        if (strcmp(nodes[i].path, path) == 0)
            return i;
    }
    return -1;
}

static void queue_event(const char *path, const char *token, bool is_relative)
{
    struct event **end = &first_event;
    struct event *event = calloc(1, sizeof(*event));

    snprintf(event->path, sizeof(event->path), "%s", is_relative ? path + strlen(HOME) : path);
    snprintf(event->token, sizeof(event->token), "%s", token);
    while (*end)
        end = &(*end)->next;
    *end = event;
    if (handle && write(handle->pipe[1], "", 1) < 0)
        abort();
}

/* is_removed: watches below fire, too. */
static void fire(const char *path, bool is_removed)
{
    for (unsigned int i = 0; i < watch_count; i++) {
        if (xs_path_is_subpath(watches[i].path, path))
            queue_event(path, watches[i].token, watches[i].is_relative);
        else if (is_removed && xs_path_is_subpath(path, watches[i].path))
            queue_event(watches[i].path, watches[i].token, watches[i].is_relative);
    }
}

static void drop_connection(void)
{
    while (first_event) {
        struct event *event = first_event;
        first_event = event->next;
        free(event);
    }
    watch_count = 0;
    transactions = 0;
}

int fake_store_transactions(void)
{
    return transactions;
}

void fake_store_reset(void)
{
    drop_connection();
    node_count = collisions = reads = 0;
    is_cut = false;
    memset(domains, 0, sizeof(domains));
}

void fake_store_write(const char *path, const char *value)
{
    char parent[PATH_BYTES];
    int i = find(path);

    if (i < 0) {
        snprintf(parent, sizeof(parent), "%s", path);
        *strrchr(parent, '/') = '\0';
        if (parent[0] && find(parent) < 0)
            fake_store_write(parent, "");
        if (node_count == NODES_MAX)
            abort();
        i = node_count++;
        snprintf(nodes[i].path, sizeof(nodes[i].path), "%s", path);
    }
    snprintf(nodes[i].value, sizeof(nodes[i].value), "%s", value);
    fire(path, false);
}

void fake_store_remove(const char *path)
{
    for (unsigned int i = 0; i < node_count;) {
        if (xs_path_is_subpath(path, nodes[i].path))
            nodes[i] = nodes[--node_count];
        else
            i++;
    }
    fire(path, true);
}

const char *fake_store_read(const char *path)
{
    int i = find(path);

    return i < 0 ? NULL : nodes[i].value;
}

void fake_store_collide(unsigned int count)
{
    collisions = count;
}

void fake_store_cut(bool cut)
{
    if (cut)
        drop_connection();
    is_cut = cut;
}

unsigned int fake_store_reads(void)
{
    return reads;
}

unsigned int fake_store_watches(void)
{
    return watch_count;
}

void fake_domain_set(uint16_t domid, uint8_t value)
{
    domains[domid] = value;
    if (!value)
        fire("@releaseDomain", false);
}

/* --- libxenstore ------------------------------------------------------------------------------------------- */

static bool is_reachable(void)
{
    errno = EBADF;
    return !is_cut;
}

struct xs_handle *xs_open(unsigned long flags)
{
    struct xs_handle *h = calloc(1, sizeof(*h));

    if (!is_reachable() || !h || pipe(h->pipe) < 0) {
        free(h);
        return NULL;
    }
    handle = h;
    return h;
}

void xs_close(struct xs_handle *h)
{
    if (!h)
        return;
    close(h->pipe[0]);
    close(h->pipe[1]);
    free(h);
    handle = NULL;
    drop_connection();
}

int xs_fileno(struct xs_handle *h)
{
    return h->pipe[0];
}

const char *xs_daemon_socket(void)
{
    return NULL;
}

char *xs_get_domain_path(struct xs_handle *h, unsigned int domid)
{
    return is_reachable() ? strdup("/local/domain/0") : NULL;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
    char absolute[PATH_BYTES];

    reads++;
    if (!is_reachable())
        return NULL;
    make_absolute(absolute, path);
    const char *value = fake_store_read(absolute);
    errno = ENOENT;
    if (!value)
        return NULL;
    *len = strlen(value);
    return strdup(value);
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data, unsigned int len)
{
    char absolute[PATH_BYTES], value[PATH_BYTES];

    if (!is_reachable())
        return false;
    make_absolute(absolute, path);
    snprintf(value, sizeof(value), "%.*s", (int)len, (const char *)data);
    fake_store_write(absolute, value);
    return true;
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    char absolute[PATH_BYTES];

    if (!is_reachable())
        return false;
    make_absolute(absolute, path);
    errno = ENOENT;
    if (find(absolute) < 0)
        return false;
    fake_store_remove(absolute);
    return true;
}

/* Names directly below path, once each. */
static bool is_without_names;

void fake_store_forget_names(bool is_on)
{
    is_without_names = is_on;
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
    char absolute[PATH_BYTES];
    char **names = calloc(1, NODES_MAX * (sizeof(char *) + 32));
    char *text = (char *)(names + NODES_MAX);

    make_absolute(absolute, path);
    *num = 0;
    for (unsigned int i = 0; i < node_count; i++) {
        const size_t len = strlen(absolute);
        if (!xs_path_is_subpath(absolute, nodes[i].path) || nodes[i].path[len] != '/' ||
            strchr(nodes[i].path + len + 1, '/'))
            continue;
        names[(*num)++] = strcpy(text, nodes[i].path + len + 1);
        text += strlen(text) + 1;
    }
    if (is_without_names) {
        free(names);
        errno = ENOMEM;
        return NULL;
    }
    return names;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    if (!is_reachable())
        return XBT_NULL;
    transactions++;
    return 1;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort)
{
    if (!is_reachable())
        return false;
    transactions--;
    errno = EAGAIN;
    return abort || collisions == 0 || collisions-- == 0;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    if (!is_reachable() || watch_count == WATCHES_MAX)
        return false;
    make_absolute(watches[watch_count].path, path);
    snprintf(watches[watch_count].token, PATH_BYTES, "%s", token);
    watches[watch_count].is_relative = path[0] != '/' && path[0] != '@';
    watch_count++;
    queue_event(watches[watch_count - 1].path, token, watches[watch_count - 1].is_relative);
    return true;
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
    char absolute[PATH_BYTES];

    make_absolute(absolute, path);
    for (unsigned int i = 0; i < watch_count; i++) {
        if (strcmp(watches[i].path, absolute) == 0 && strcmp(watches[i].token, token) == 0) {
            watches[i] = watches[--watch_count];
            return true;
        }
    }
    errno = ENOENT;
    return false;
}

char **xs_check_watch(struct xs_handle *h)
{
    struct event *event = first_event;
    char byte;
    char **result;

    errno = is_cut ? EINVAL : EAGAIN;
    if (is_cut || !event)
        return NULL;
    if (read(h->pipe[0], &byte, 1) < 0)
        return NULL;
    first_event = event->next;
    result = calloc(1, 2 * sizeof(char *) + 2 * PATH_BYTES);
    result[XS_WATCH_PATH] = strcpy((char *)(result + 2), event->path);
    result[XS_WATCH_TOKEN] = strcpy((char *)(result + 2) + PATH_BYTES, event->token);
    free(event);
    return result;
}

bool xs_path_is_subpath(const char *parent, const char *child)
{
    const size_t len = strlen(parent);

    return strncmp(parent, child, len) == 0 && (child[len] == '/' || child[len] == '\0');
}

/* --- libxenctrl -------------------------------------------------------------------------------------------- */

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger, unsigned flags)
{
    return (xc_interface *)domains;
}

int xc_interface_close(xc_interface *xch)
{
    return 0;
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first, unsigned int max, xc_domaininfo_t *info)
{
    while (first < sizeof(domains) && !domains[first])
        first++;
    if (first == sizeof(domains))
        return 0;
    memset(info, 0, sizeof(*info));
    info->domain = first;
    memset(info->handle, domains[first], sizeof(info->handle));
    return 1;
}
