// SPDX-License-Identifier: MIT
/* xs_client.c: the multiplexer's side of one client: its requests, its answers and its clean-up. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenbox/kernel/xs_mux_internal.h"

static int bytes_append(struct bytes *bytes, const void *data, size_t len)
{
    if (bytes->start == bytes->end)
        bytes->start = bytes->end = 0;
    if (bytes->size - bytes->end < len && bytes->start > 0) {
        memmove(bytes->data, bytes->data + bytes->start, bytes->end - bytes->start);
        bytes->end -= bytes->start;
        bytes->start = 0;
    }
    if (bytes->size - bytes->end < len) {
        size_t size = (bytes->end + len) * 2;
        char *grown = realloc(bytes->data, size);

        if (!grown)
            return -ENOMEM;
        bytes->data = grown;
        bytes->size = size;
    }
    memcpy(bytes->data + bytes->end, data, len);
    bytes->end += len;
    return 0;
}

static size_t bytes_count(const struct bytes *bytes)
{
    return bytes->end - bytes->start;
}

static void client_wake(struct xs_client *client)
{
    if (client->is_woken || client->phase == PHASE_CLOSED)
        return;
    client->is_woken = true;
    TAILQ_INSERT_TAIL(&client->mux->woken, client, woken_link);
}

static void client_fail(struct xs_client *client, int error)
{
    if (client->error == 0)
        client->error = error;
    client_wake(client);
}

void client_deliver(struct xs_client *client, struct xsd_sockmsg header, const char *body)
{
    int rc;

    if (client->phase == PHASE_CLOSED || client->error)
        return;
    if (bytes_count(&client->output) + sizeof(header) + header.len > XS_CLIENT_BACKLOG) {
        client_fail(client, -ENOBUFS);
        return;
    }
    rc = bytes_append(&client->output, &header, sizeof(header));
    if (rc == 0)
        rc = bytes_append(&client->output, body, header.len);
    if (rc < 0)
        client_fail(client, rc);
    client_wake(client);
}

void client_answer(struct xs_client *client, uint32_t type, const char *body, size_t len)
{
    const struct xsd_sockmsg header = {
        .type = type, .req_id = client->req_id, .tx_id = client->tx_id, .len = (uint32_t)len
    };

    client->is_waiting = false;
    client->gathered = 0;
    client_deliver(client, header, body);
}

static void client_answer_error(struct xs_client *client, const char *name)
{
    client_answer(client, XS_ERROR, name, strlen(name) + 1);
}

void client_enqueue(struct xs_client *client, bool is_cleaning)
{
    client->message.header.req_id = client->id;
    client->is_waiting = true;
    client->is_cleaning = is_cleaning;
    TAILQ_INSERT_TAIL(&client->mux->ready, client, ready_link);
}

void client_free(struct xs_client *client)
{
    client->mux->slots[ID_SLOT(client->id)] = NULL;
    owned_free(client);
    free(client->output.data);
    free(client);
}

void client_clean(struct xs_client *client)
{
    if (owned_remove_one(client)) {
        client_enqueue(client, true);
    } else if (client->phase == PHASE_RESETTING) {
        client->phase = PHASE_OPEN;
        client_answer(client, XS_RESET_WATCHES, "OK", sizeof("OK"));
    } else {
        client_free(client);
    }
}

/* Each of these answers itself and returns false, or makes the message fit for the ring and returns true. */

static bool request_watch(struct xs_client *client)
{
    struct message *message = &client->message;
    char prefix[PREFIX_LEN + 1];
    size_t path;

    if (!message_has_strings(message, 2)) {
        client_answer_error(client, "EINVAL");
        return false;
    }
    if (message->header.len + PREFIX_LEN > sizeof(message->body)) {
        client_answer_error(client, "E2BIG");
        return false;
    }
    path = strlen(message->body) + 1;
    memmove(message->body + path + PREFIX_LEN, message->body + path, message->header.len - path);
    snprintf(prefix, sizeof(prefix), "%08x:", client->id);
    memcpy(message->body + path, prefix, PREFIX_LEN);
    message->header.len += PREFIX_LEN;
    client->watch = watch_new(message);
    if (!client->watch)
        client_answer_error(client, "ENOMEM");
    return client->watch != NULL;
}

static bool request_transaction_start(struct xs_client *client)
{
    uint32_t *grown = reallocarray(client->transactions, client->transaction_count + 1, sizeof(*grown));

    if (!grown) {
        client_answer_error(client, "ENOMEM");
        return false;
    }
    client->transactions = grown;
    return true;
}

/* Anything else would leave the transaction open, and us in doubt. */
static bool request_transaction_end(struct xs_client *client)
{
    const struct message *message = &client->message;

    if (message->header.len == 2 &&
        (memcmp(message->body, "T", 2) == 0 || memcmp(message->body, "F", 2) == 0))
        return true;
    client_answer_error(client, "EINVAL");
    return false;
}

/* The store would reset the whole domain. */
static bool request_reset_watches(struct xs_client *client)
{
    client->phase = PHASE_RESETTING;
    client_clean(client);
    return false;
}

static bool (*const request_fns[])(struct xs_client *client) = {
    [XS_WATCH] = request_watch,
    [XS_UNWATCH] = request_watch,
    [XS_TRANSACTION_START] = request_transaction_start,
    [XS_TRANSACTION_END] = request_transaction_end,
    [XS_RESET_WATCHES] = request_reset_watches,
};

static void client_request(struct xs_client *client)
{
    uint32_t type = client->message.header.type;
    bool is_known = type < sizeof(request_fns) / sizeof(request_fns[0]) && request_fns[type];

    client->req_id = client->message.header.req_id;
    client->tx_id = client->message.header.tx_id;
    client->is_waiting = true;
    if (client->tx_id != 0 && !transaction_is_mine(client, client->tx_id)) {
        client_answer_error(client, "ENOENT");
        return;
    }
    if (!is_known || request_fns[type](client))
        client_enqueue(client, false);
}

void *xs_client_owner(const struct xs_client *client)
{
    return client->owner;
}

void xs_client_close(struct xs_client *client)
{
    if (client->is_woken) {
        TAILQ_REMOVE(&client->mux->woken, client, woken_link);
        client->is_woken = false;
    }
    client->phase = PHASE_CLOSED;
    client->owner = NULL;
    if (!client->is_waiting)
        client_clean(client);
}

int xs_client_error(const struct xs_client *client)
{
    return client->error;
}

size_t xs_client_want(struct xs_client *client, void **to)
{
    const size_t header_len = sizeof(client->message.header);

    if (client->error || client->is_waiting || client->phase != PHASE_OPEN ||
        bytes_count(&client->output) > sizeof(client->message))
        return 0;
    *to = (char *)&client->message + client->gathered;
    if (client->gathered < header_len)
        return header_len - client->gathered;
    return header_len + client->message.header.len - client->gathered;
}

void xs_client_got(struct xs_client *client, size_t len)
{
    const size_t header_len = sizeof(client->message.header);

    client->gathered += len;
    if (client->gathered < header_len)
        return;
    if (client->message.header.len > sizeof(client->message.body))
        client_fail(client, -EPROTO);
    else if (client->gathered == header_len + client->message.header.len)
        client_request(client);
}

size_t xs_client_peek(struct xs_client *client, const void **data)
{
    /* An empty buffer may not have been allocated yet. */
    *data = client->output.data ? client->output.data + client->output.start : NULL;
    return bytes_count(&client->output);
}

void xs_client_sent(struct xs_client *client, size_t len)
{
    client->output.start += len;
}
