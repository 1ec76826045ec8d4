// SPDX-License-Identifier: MIT
/*
 * keys.h: the keys of a device, as every kind of frontend handles them: what the backend publishes is parsed
 * strictly, bounded and by tables, inside of the caller's transaction (E13); an error has the sentence: which key,
 * what was expected, what was found. What we publish appears at once, together with our state (E20).
 */
#ifndef XENSPLIT_FRONTEND_KEYS_H
#define XENSPLIT_FRONTEND_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/attach.h"

/* A backend key that is a number, and where it goes in the caller's struct. */
struct number_key {
    const char *key;
    size_t offset;
    uint64_t min, max, fallback; /* fallback: when it is absent and not required */
    bool is_wide; /* 64 bits */
    bool is_required;
};

struct flag_key { /* 0, 1 or absent */
    const char *key;
    size_t offset;
};

/*
 * What the backend's directory holds: one answer of the store, where most of the keys that are looked for are absent.
 * Who may not list it may still read its keys: then names is NULL, and any key may be there.
 */
struct key_list {
    char **names;
    unsigned int count;
};

void keys_list(struct key_list *keys, struct attach *attach, xs_transaction_t t);
void keys_list_free(struct key_list *keys);

int keys_numbers(struct attach *attach, xs_transaction_t t, const struct key_list *present,
                 const struct number_key *keys, size_t count, void *into);
int keys_flags(struct attach *attach, xs_transaction_t t, const struct key_list *present,
               const struct flag_key *keys, size_t count, void *into);
/* Says what was expected of a backend's key and what stands there; err as reading it gave. Returns -EPROTO. */
int keys_error(struct attach *attach, xs_transaction_t t, int err, const char *key, const char *expected);

int keys_backend_state(struct attach *attach, xs_transaction_t t, enum xenbus_state *state);
int keys_own_number(struct attach *attach, xs_transaction_t t, const char *key, uint32_t value);
int keys_own_text(struct attach *attach, xs_transaction_t t, const char *key, const char *value);
/* The own node is read first, so that a device which was removed is not created again. */
int keys_own_state(struct attach *attach, xs_transaction_t t, enum xenbus_state state);
/* Removes keys of ours that an earlier frontend may have left and that contradict what follows. */
int keys_own_remove(struct attach *attach, xs_transaction_t t, const char *const *keys, size_t count);

/*
 * The start of publishing: -EAGAIN when the backend is not in InitWait or Initialised (any more), else our state
 * becomes `own`.
 */
int keys_publish(struct attach *attach, xs_transaction_t t, enum xenbus_state own);
/* -EAGAIN when the backend does not offer itself (any more). */
int keys_offered(struct attach *attach, xs_transaction_t t);
/* -EAGAIN when the backend is not Connected (any more). */
int keys_connected(struct attach *attach, xs_transaction_t t);

#endif
