// SPDX-License-Identifier: MIT
/*
 * xs_owned.c: what a client of the multiplexer owns in the store: transactions that it started, watches that
 * it set.
 */
#include <config.h>

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "xenbox/kernel/xs_mux_internal.h"

static int watch_compare(const void *left, const void *right)
{
    const struct watch *a = left, *b = right;

    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return memcmp(a->body, b->body, a->len);
}

struct watch *watch_new(const struct message *message)
{
    struct watch *watch = malloc(sizeof(*watch) + message->header.len);

    if (!watch)
        return NULL;
    watch->len = message->header.len;
    memcpy(watch->body, message->body, watch->len);
    return watch;
}

static void watch_remove(struct xs_client *client, struct watch *key)
{
    struct watch **found = tfind(key, &client->watches, watch_compare);
    struct watch *watch = found ? *found : NULL;

    if (watch) {
        tdelete(watch, &client->watches, watch_compare);
        free(watch);
    }
}

static void transaction_remove(struct xs_client *client, uint32_t tx_id)
{
    for (size_t i = 0; i < client->transaction_count; i++) {
        if (client->transactions[i] == tx_id) {
            client->transactions[i] = client->transactions[--client->transaction_count];
            return;
        }
    }
}

bool transaction_is_mine(const struct xs_client *client, uint32_t tx_id)
{
    for (size_t i = 0; i < client->transaction_count; i++) {
        if (client->transactions[i] == tx_id)
            return true;
    }
    return false;
}

void owned_account(struct xs_client *client, uint32_t type, const struct message *reply)
{
    bool is_ok = reply->header.type != XS_ERROR;

    switch (type) {
    case XS_WATCH:
        if (is_ok && tsearch(client->watch, &client->watches, watch_compare))
            client->watch = NULL;
        break;
    case XS_UNWATCH:
        if (is_ok)
            watch_remove(client, client->watch);
        break;
    case XS_TRANSACTION_START:
        if (is_ok && message_has_strings(reply, 1))
            client->transactions[client->transaction_count++] = (uint32_t)strtoul(reply->body, NULL, 10);
        break;
    case XS_TRANSACTION_END: /* also one that failed is over */
        transaction_remove(client, client->tx_id);
        break;
    }
    free(client->watch);
    client->watch = NULL;
}

bool owned_remove_one(struct xs_client *client)
{
    struct message *message = &client->message;

    if (client->transaction_count > 0) {
        message->header = (struct xsd_sockmsg){
            .type = XS_TRANSACTION_END,
            .tx_id = client->transactions[--client->transaction_count],
            .len = sizeof("F"),
        };
        memcpy(message->body, "F", sizeof("F"));
        return true;
    }
    if (client->watches) {
        struct watch *watch = *(struct watch **)client->watches;

        message->header = (struct xsd_sockmsg){ .type = XS_UNWATCH, .len = (uint32_t)watch->len };
        memcpy(message->body, watch->body, watch->len);
        watch_remove(client, watch);
        return true;
    }
    return false;
}

void owned_free(struct xs_client *client)
{
    tdestroy(client->watches, free);
    free(client->watch);
    free(client->transactions);
}
