// SPDX-License-Identifier: MIT
/*
 * attach.c: see attach.h.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xen/xen.h>

#include "frontend/attach.h"
#include "frontend/owner.h"

#define CLAIM_KEY "xenfront-owner"
#define TOKEN_OWN "own"
#define CROWDED_PAUSE_MS 5
#define CROWDED_TRIES 400
#define TOKEN_BACKEND "backend"
#define TOKEN_LIVE "live"

/* The only device of a kind. */
static int device_pick(struct attach *attach, const char *kind_dir, const char *kind, uint32_t *devid)
{
    unsigned int count = 0;
    char **names = xs_directory(attach->xs, XBT_NULL, kind_dir, &count);
    char list[256] = "";
    int err = 0;

    if (!names || !count) {
        err = names || errno == ENOENT ? -ENODEV : -errno;
        front_error_set(attach->error, err, "this domain has no %s (xenstore: %s: %s)", kind, kind_dir,
                        names ? "empty" : strerror(errno));
    } else if (count > 1) {
        for (unsigned int i = 0; i < count && strlen(list) + strlen(names[i]) + 2 < sizeof(list); i++) {
            strcat(list, " ");
            strcat(list, names[i]);
        }
        err = front_error_set(attach->error, -EINVAL, "this domain has %u %s devices: name one of%s", count,
                              kind, list);
    } else {
        char *end;
        unsigned long number = strtoul(names[0], &end, 10);

        if (names[0][0] < '0' || names[0][0] > '9' || *end || number > UINT32_MAX >> 1)
            err = front_error_set(attach->error, -EPROTO, "xenstore: %s: a device number expected, found %s",
                                  kind_dir, names[0]);
        *devid = (uint32_t)number;
    }
    free(names);
    return err;
}

static int backend_find(struct attach *attach)
{
    struct xs_handle *xs = attach->xs;
    int err;

    err = xenbus_read_string(xs, XBT_NULL, attach->dir, "backend", attach->backend, sizeof(attach->backend));
    if (err == -ENOENT)
        return front_error_set(attach->error, -ENODEV,
                               "no such device in this domain (xenstore: no %s/backend)", attach->dir);
    if (err < 0)
        return front_error_set(attach->error, err, "xenstore: cannot read %s/backend: %s", attach->dir,
                               strerror(-err));
    if (attach->backend[0] != '/')
        return front_error_set(attach->error, -EPROTO,
                               "xenstore: %s/backend: an absolute path expected, found '%s'", attach->dir,
                               attach->backend);
    err = xenbus_read_u32(xs, XBT_NULL, attach->dir, "backend-id", 0, DOMID_FIRST_RESERVED - 1,
                          &attach->backend_domid);
    if (err < 0)
        return front_error_set(attach->error, err, "xenstore: %s/backend-id: a domain number expected: %s",
                               attach->dir, strerror(-err));
    return 0;
}

int attach_open(struct attach *attach, struct front_error *error, const char *kind, const uint32_t *devid)
{
    char kind_dir[32];
    int err;

    memset(attach, 0, sizeof(*attach));
    attach->error = error;
    attach->xs = xs_open(0);
    if (!attach->xs) {
        err = errno ? -errno : -EIO;
        return front_error_set(error, err, "cannot connect to xenstore: %s: is this a Xen domain?",
                               strerror(-err));
    }
    snprintf(kind_dir, sizeof(kind_dir), "device/%s", kind);
    if (devid) {
        attach->devid = *devid;
    } else {
        err = device_pick(attach, kind_dir, kind, &attach->devid);
        if (err < 0)
            goto fail;
    }
    snprintf(attach->dir, sizeof(attach->dir), "%s/%" PRIu32, kind_dir, attach->devid);
    err = backend_find(attach);
    if (err < 0)
        goto fail;
    return 0;
fail:
    attach_fini(attach);
    return err;
}

void attach_fini(struct attach *attach)
{
    if (!attach->xs)
        return;
    attach_release(attach);
    xs_close(attach->xs); /* takes the watches with it */
    attach->xs = NULL;
}

int attach_fd(const struct attach *attach)
{
    return xs_fileno(attach->xs);
}

/* What is watched, with its token; false behind the last one. */
static bool watch_path(const struct attach *attach, unsigned int index, char *path, size_t size,
                       const char **token)
{
    static const char *const tokens[] = { TOKEN_OWN, TOKEN_BACKEND, TOKEN_LIVE };

    if (index > 2 || (index == 2 && !attach->live_key))
        return false;
    *token = tokens[index];
    snprintf(path, size, "%s/%s", index ? attach->backend : attach->dir,
             index == 2 ? attach->live_key : "state");
    return true;
}

int attach_watch(struct attach *attach)
{
    char path[XENBUS_PATH_MAX + 32];
    const char *token;
    int err;

    if (attach->is_watching)
        return 0;
    for (unsigned int i = 0; watch_path(attach, i, path, sizeof(path), &token); i++) {
        if (xs_watch(attach->xs, path, token))
            continue;
        err = -errno;
        attach_unwatch(attach);
        return front_error_set(attach->error, err, "xenstore: cannot watch %s: %s", path, strerror(-err));
    }
    attach->is_watching = true;
    return 0;
}

void attach_unwatch(struct attach *attach)
{
    char path[XENBUS_PATH_MAX + 32];
    const char *token;

    for (unsigned int i = 0; watch_path(attach, i, path, sizeof(path), &token); i++)
        xs_unwatch(attach->xs, path, token);
    attach->is_watching = false;
}

unsigned int attach_take_events(struct attach *attach)
{
    unsigned int events = 0;
    char **event;

    while ((event = xs_check_watch(attach->xs)) != NULL) {
        events |= strcmp(event[XS_WATCH_TOKEN], TOKEN_OWN) ? ATTACH_EVENT_BACKEND : ATTACH_EVENT_OWN;
        free(event);
    }
    return events;
}

/* A guest may not see that a node below a removed directory is absent: it gets EACCES from the parent. */
static int state_read(struct attach *attach, const char *dir, enum xenbus_state *state)
{
    int err = xenbus_read_state(attach->xs, XBT_NULL, dir, state);
    char *found;

    if (err == -EACCES) {
        *state = XenbusStateUnknown;
        return 0;
    }
    if (err == -EINVAL) {
        found = xenbus_read(attach->xs, XBT_NULL, dir, "state");
        front_error_set(attach->error, -EPROTO,
                        "xenstore: %s/state: a state from 0 to %d expected, found '%.40s'", dir,
                        XENBUS_STATE_COUNT - 1, found ? found : "");
        free(found);
        return -EPROTO;
    }
    if (err < 0)
        return front_error_set(attach->error, err, "xenstore: cannot read %s/state: %s", dir, strerror(-err));
    return 0;
}

int attach_states(struct attach *attach, enum xenbus_state *own, enum xenbus_state *peer)
{
    int err = state_read(attach, attach->dir, own);

    return err < 0 ? err : state_read(attach, attach->backend, peer);
}

struct transaction {
    struct attach *attach;
    attach_fn fn;
    void *arg;
    int result; /* of fn: it has set the sentence for it */
};

static int transaction_body(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    struct transaction *transaction = arg;

    transaction->result = transaction->fn(transaction->attach, t, transaction->arg);
    return transaction->result;
}

/*
 * A domain may have few transactions open at a time (ten, in xenstored): with many programs that connect at once there
 * is none left for this one just now. It was not the body that failed.
 */
static bool is_crowded(const struct transaction *transaction, int err)
{
    return err == -ENOSPC && transaction->result == 0;
}

int attach_transact(struct attach *attach, attach_fn fn, void *arg)
{
    static const struct timespec pause = { .tv_nsec = CROWDED_PAUSE_MS * 1000000L };
    struct transaction transaction = { attach, fn, arg, 0 };
    int err = xenbus_transact(attach->xs, transaction_body, &transaction);

    for (int tries = 0; tries < CROWDED_TRIES && is_crowded(&transaction, err); tries++) {
        nanosleep(&pause, NULL);
        err = xenbus_transact(attach->xs, transaction_body, &transaction);
    }

    if (err < 0 && err != transaction.result)
        front_error_set(attach->error, err, "xenstore: a transaction on %s failed: %s", attach->dir,
                        strerror(-err));
    return err;
}

/* The state of a device that another program has taken over is that program's, whatever we think of the backend. */
static int switch_state(struct attach *attach, xs_transaction_t t, void *arg)
{
    const enum xenbus_state *state = arg;
    enum xenbus_state own = XenbusStateUnknown;
    char owner[sizeof(attach->claim)];
    int err = xenbus_read_state(attach->xs, t, attach->dir, &own);

    if (err == 0 && own == XenbusStateUnknown)
        err = -ENOENT; /* the device was removed, and is not created again */
    if (err < 0 && err != -EINVAL)
        goto fail;
    err = xenbus_read_string(attach->xs, t, attach->dir, CLAIM_KEY, owner, sizeof(owner));
    if (attach->has_claim && err == 0 && strcmp(owner, attach->claim))
        return front_error_set(attach->error, -EBUSY, "taken over by process %d of this domain",
                               owner_pid(owner));
    err = own == *state ? 0 : xenbus_write(attach->xs, t, attach->dir, "state", "%d", *state);
    if (err == 0)
        return 0;
fail:
    return front_error_set(attach->error, err, "xenstore: cannot set %s/state to %s: %s", attach->dir,
                           xenbus_state_name(*state), strerror(-err));
}

int attach_switch(struct attach *attach, enum xenbus_state state)
{
    return attach_transact(attach, switch_state, &state);
}

static int claim_take(struct attach *attach, xs_transaction_t t, void *arg)
{
    const bool *takeover = arg;
    enum xenbus_state own = XenbusStateUnknown;
    char owner[sizeof(attach->claim)];
    int err;

    err = xenbus_read_state(attach->xs, t, attach->dir, &own);
    if (err < 0 && err != -EINVAL)
        return front_error_set(attach->error, err, "xenstore: cannot read %s/state: %s", attach->dir,
                               strerror(-err));
    err = xenbus_read_string(attach->xs, t, attach->dir, CLAIM_KEY, owner, sizeof(owner));
    if (err == 0 && !*takeover && strcmp(owner, attach->claim) && owner_is_alive(owner))
        return front_error_set(attach->error, -EBUSY, "in use by process %d of this domain",
                               owner_pid(owner));
    if (err < 0 && !*takeover && own != XenbusStateInitialising && own != XenbusStateClosed &&
        own != XenbusStateUnknown)
        return front_error_set(
            attach->error, -EBUSY,
            "another driver has it in state %s, probably the kernel of this domain: a takeover "
            "must be asked for",
            xenbus_state_name(own));
    err = xenbus_write(attach->xs, t, attach->dir, CLAIM_KEY, "%s", attach->claim);
    if (err < 0)
        return front_error_set(attach->error, err, "xenstore: cannot write %s/" CLAIM_KEY ": %s", attach->dir,
                               strerror(-err));
    return 0;
}

int attach_claim(struct attach *attach, bool takeover)
{
    char owner[96];
    int err;

    if (attach->has_claim)
        return 0;
    err = owner_print(owner, sizeof(owner));
    if (err < 0)
        return front_error_set(attach->error, err, "cannot read /proc: %s", strerror(-err));
    snprintf(attach->claim, sizeof(attach->claim), "%s %p", owner,
             (void *)attach); /* one of several handles */
    err = attach_transact(attach, claim_take, &takeover);
    if (err < 0)
        return err;
    attach->has_claim = true;
    return 0;
}

/* Only our own mark: after a takeover it is somebody else's. */
static int claim_drop(struct attach *attach, xs_transaction_t t, void *arg)
{
    char path[XENBUS_PATH_MAX + sizeof(CLAIM_KEY)];
    char owner[sizeof(attach->claim)];
    int err = xenbus_read_string(attach->xs, t, attach->dir, CLAIM_KEY, owner, sizeof(owner));

    if (err < 0 || strcmp(owner, attach->claim))
        return -ENOENT;
    snprintf(path, sizeof(path), "%s/" CLAIM_KEY, attach->dir);
    return xs_rm(attach->xs, t, path) ? 0 : -errno;
}

void attach_release(struct attach *attach)
{
    struct front_error cause = *attach->error; /* the caller's, more telling than what may go wrong here */

    if (attach->has_claim)
        attach_transact(attach, claim_drop, NULL);
    attach->has_claim = false;
    *attach->error = cause;
}
