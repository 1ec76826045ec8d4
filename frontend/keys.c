// SPDX-License-Identifier: MIT
/*
 * keys.c: see keys.h.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/keys.h"

static void list(struct key_list *list, struct attach *attach, xs_transaction_t t, const char *dir)
{
    list->count = 0;
    list->names = xs_directory(attach->xs, t, dir, &list->count);
    if (!list->names) /* it may have counted them all the same, without memory for them */
        list->count = 0;
}

void keys_list(struct key_list *keys, struct attach *attach, xs_transaction_t t)
{
    list(keys, attach, t, attach->backend);
}

void keys_list_free(struct key_list *keys)
{
    free(keys->names);
    keys->names = NULL;
}

static bool may_have(const struct key_list *keys, const char *name)
{
    for (unsigned int i = 0; i < keys->count; i++)
        if (strcmp(keys->names[i], name) == 0)
            return true;
    return !keys->names;
}

int keys_error(struct attach *attach, xs_transaction_t t, int err, const char *key, const char *expected)
{
    char *found = xenbus_read(attach->xs, t, attach->backend, key);

    if (err == -ENOENT)
        front_error_set(attach->error, -EPROTO, "backend: %s expected, found no key %s/%s", expected,
                        attach->backend, key);
    else
        front_error_set(attach->error, -EPROTO, "backend: %s: %s expected, found '%.40s' (%s)", key, expected,
                        found ? found : "", strerror(-err));
    free(found);
    return -EPROTO;
}

static int number_read(struct attach *attach, xs_transaction_t t, const struct key_list *present,
                       const struct number_key *key, void *into)
{
    char expected[80];
    uint64_t value;
    int err = -ENOENT;

    if (may_have(present, key->key))
        err = xenbus_read_u64(attach->xs, t, attach->backend, key->key, key->min, key->max, &value);
    if (err == -ENOENT && !key->is_required) {
        value = key->fallback;
    } else if (err < 0) {
        snprintf(expected, sizeof(expected), "a number from %" PRIu64 " to %" PRIu64, key->min, key->max);
        return keys_error(attach, t, err, key->key, expected);
    }
    if (key->is_wide)
        *(uint64_t *)((char *)into + key->offset) = value;
    else
        *(uint32_t *)((char *)into + key->offset) = (uint32_t)value;
    return 0;
}

int keys_numbers(struct attach *attach, xs_transaction_t t, const struct key_list *present,
                 const struct number_key *keys, size_t count, void *into)
{
    int err = 0;

    for (size_t i = 0; i < count && err == 0; i++)
        err = number_read(attach, t, present, &keys[i], into);
    return err;
}

static int flag_read(struct attach *attach, xs_transaction_t t, const struct key_list *present,
                     const struct flag_key *key, void *into)
{
    bool *flag = (bool *)((char *)into + key->offset);
    int err;

    *flag = false;
    if (!may_have(present, key->key))
        return 0;
    err = xenbus_read_bool(attach->xs, t, attach->backend, key->key, flag);
    return err < 0 ? keys_error(attach, t, err, key->key, "0 or 1") : 0;
}

int keys_flags(struct attach *attach, xs_transaction_t t, const struct key_list *present,
               const struct flag_key *keys, size_t count, void *into)
{
    int err = 0;

    for (size_t i = 0; i < count && err == 0; i++)
        err = flag_read(attach, t, present, &keys[i], into);
    return err;
}

int keys_backend_state(struct attach *attach, xs_transaction_t t, enum xenbus_state *state)
{
    int err = xenbus_read_state(attach->xs, t, attach->backend, state);

    if (err < 0)
        return front_error_set(attach->error, err, "xenstore: cannot read %s/state: %s", attach->backend,
                               strerror(-err));
    return 0;
}

int keys_own_text(struct attach *attach, xs_transaction_t t, const char *key, const char *value)
{
    int err = xenbus_write(attach->xs, t, attach->dir, key, "%s", value);

    if (err < 0)
        return front_error_set(attach->error, err, "xenstore: cannot write %s/%s: %s", attach->dir, key,
                               strerror(-err));
    return 0;
}

int keys_own_number(struct attach *attach, xs_transaction_t t, const char *key, uint32_t value)
{
    char text[16];

    snprintf(text, sizeof(text), "%" PRIu32, value);
    return keys_own_text(attach, t, key, text);
}

int keys_own_state(struct attach *attach, xs_transaction_t t, enum xenbus_state state)
{
    enum xenbus_state own;
    int err = xenbus_read_state(attach->xs, t, attach->dir, &own);

    if (err < 0 || own == XenbusStateUnknown)
        return front_error_set(attach->error, -ENODEV, "the device was removed (xenstore: no %s/state)",
                               attach->dir);
    return keys_own_number(attach, t, "state", state);
}

int keys_own_remove(struct attach *attach, xs_transaction_t t, const char *const *keys, size_t count)
{
    char path[XENBUS_PATH_MAX + 32];
    struct key_list present;
    int err = 0;

    list(&present, attach, t, attach->dir);
    for (size_t i = 0; i < count && err == 0; i++) {
        if (!may_have(&present, keys[i]))
            continue;
        snprintf(path, sizeof(path), "%s/%s", attach->dir, keys[i]);
        if (!xs_rm(attach->xs, t, path) && errno != ENOENT)
            err = front_error_set(attach->error, -errno, "xenstore: cannot remove %s: %s", path, strerror(errno));
    }
    keys_list_free(&present);
    return err;
}

int keys_offered(struct attach *attach, xs_transaction_t t)
{
    enum xenbus_state peer;
    int err = keys_backend_state(attach, t, &peer);

    if (err < 0)
        return err;
    return peer == XenbusStateInitWait || peer == XenbusStateInitialised ? 0 : -EAGAIN;
}

int keys_publish(struct attach *attach, xs_transaction_t t, enum xenbus_state own)
{
    int err = keys_offered(attach, t);

    return err < 0 ? err : keys_own_state(attach, t, own);
}

int keys_connected(struct attach *attach, xs_transaction_t t)
{
    enum xenbus_state peer;
    int err = keys_backend_state(attach, t, &peer);

    if (err < 0)
        return err;
    return peer == XenbusStateConnected ? 0 : -EAGAIN;
}
