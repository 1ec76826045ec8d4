// SPDX-License-Identifier: MIT
/*
 * xs_mux.c: see xs_mux.h. The life of a request: gathered in client->message, checked and rewritten for the
 * ring, queued in mux->ready, sent from there, answered (client->is_waiting ends). Clean-up requests, after a
 * client has gone or has asked for XS_RESET_WATCHES, take the same way, one at a time, and their answers are
 * thrown away.
 */
#include <config.h>

#include "xs_mux.h"

#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <xen/io/xs_wire.h>

#define PREFIX_LEN 9 /* "%08x:" of the client's id, before the client's own token */
#define ID_SLOT(id) ((id) & 0xffffu)
#define ID_STEP 0x10000u /* from one user of a slot to the next */

struct message {
    struct xsd_sockmsg header;
    char body[XENSTORE_PAYLOAD_MAX];
};
_Static_assert(offsetof(struct message, body) == sizeof(struct xsd_sockmsg), "a message is one run of bytes");

struct bytes { /* a queue */
    char *data;
    size_t start, end, size;
};

struct watch {
    size_t len;
    char body[]; /* path, prefixed token, each with its NUL: as XS_UNWATCH wants it */
};

enum phase {
    PHASE_OPEN,
    PHASE_RESETTING, /* asked for XS_RESET_WATCHES: clean up, then answer */
    PHASE_CLOSED, /* clean up, then free */
};

struct xs_client {
    struct xs_mux *mux;
    void *owner;
    uint32_t id;
    enum phase phase;
    int error;
    bool is_waiting; /* message is queued, under way, or not answered yet */
    bool is_cleaning; /* ... and is not the client's own */
    bool is_woken; /* on mux->woken */
    uint32_t req_id, tx_id; /* the client's own, for the answer */
    struct message message;
    size_t gathered; /* bytes of message that the client has sent */
    struct bytes output;
    uint32_t *transactions;
    size_t transaction_count;
    struct watch *watch; /* being added */
    void *watches; /* tsearch(3) tree of struct watch */
    TAILQ_ENTRY(xs_client) ready_link, woken_link;
};

TAILQ_HEAD(client_list, xs_client);

struct xs_mux {
    struct xs_client **slots;
    uint32_t *next_id; /* by slot */
    size_t slot_count;
    size_t sent; /* bytes of the first ready client's message that are on the ring */
    struct message reply;
    size_t received; /* bytes of it */
    struct client_list ready, woken;
};

/* ---- byte queues ---- */

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

/* ---- what clients own in the store ---- */

static int watch_compare(const void *left, const void *right)
{
    const struct watch *a = left, *b = right;

    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return memcmp(a->body, b->body, a->len);
}

static struct watch *watch_new(const struct message *message)
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

static bool transaction_is_mine(const struct xs_client *client, uint32_t tx_id)
{
    for (size_t i = 0; i < client->transaction_count; i++) {
        if (client->transactions[i] == tx_id)
            return true;
    }
    return false;
}

/* ---- towards a client ---- */

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

/* What a client that failed is owed is not kept any longer. */
static void client_deliver(struct xs_client *client, struct xsd_sockmsg header, const char *body)
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

/* An answer to the client's own request, which ends it. */
static void client_answer(struct xs_client *client, uint32_t type, const char *body, size_t len)
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

/* ---- towards the ring ---- */

static void client_enqueue(struct xs_client *client, bool is_cleaning)
{
    client->message.header.req_id = client->id;
    client->is_waiting = true;
    client->is_cleaning = is_cleaning;
    TAILQ_INSERT_TAIL(&client->mux->ready, client, ready_link);
}

static void client_free(struct xs_client *client)
{
    client->mux->slots[ID_SLOT(client->id)] = NULL;
    tdestroy(client->watches, free);
    free(client->watch);
    free(client->transactions);
    free(client->output.data);
    free(client);
}

/* One step of the clean-up: the next thing that the client still owns goes. Frees a closed client at the end. */
static void client_clean(struct xs_client *client)
{
    struct message *message = &client->message;

    if (client->transaction_count > 0) {
        message->header = (struct xsd_sockmsg){
            .type = XS_TRANSACTION_END,
            .tx_id = client->transactions[--client->transaction_count],
            .len = sizeof("F"),
        };
        memcpy(message->body, "F", sizeof("F"));
        client_enqueue(client, true);
    } else if (client->watches) {
        struct watch *watch = *(struct watch **)client->watches;

        message->header = (struct xsd_sockmsg){ .type = XS_UNWATCH, .len = (uint32_t)watch->len };
        memcpy(message->body, watch->body, watch->len);
        watch_remove(client, watch);
        client_enqueue(client, true);
    } else if (client->phase == PHASE_RESETTING) {
        client->phase = PHASE_OPEN;
        client_answer(client, XS_RESET_WATCHES, "OK", sizeof("OK"));
    } else {
        client_free(client);
    }
}

/* A body must be `count` strings, each with its NUL, and nothing else. */
static bool message_has_strings(const struct message *message, int count)
{
    for (uint32_t i = 0; i < message->header.len; i++)
        count -= message->body[i] == '\0';
    return count == 0 && message->header.len > 0 && message->body[message->header.len - 1] == '\0';
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

    if (message->header.len == 2 && (memcmp(message->body, "T", 2) == 0 || memcmp(message->body, "F", 2) == 0))
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

/* ---- from the ring ---- */

static struct xs_client *client_by_id(struct xs_mux *mux, uint32_t id)
{
    struct xs_client *client = ID_SLOT(id) < mux->slot_count ? mux->slots[ID_SLOT(id)] : NULL;

    return client && client->id == id ? client : NULL;
}

/* What the answer changes in what the client owns. */
static void client_account(struct xs_client *client, uint32_t type, const struct message *reply)
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

static void mux_reply(struct xs_mux *mux)
{
    const struct message *reply = &mux->reply;
    struct xs_client *client = client_by_id(mux, reply->header.req_id);

    if (!client || !client->is_waiting)
        return;
    if (!client->is_cleaning)
        client_account(client, client->message.header.type, reply);
    client->is_waiting = false;
    if (client->phase != PHASE_OPEN)
        client_clean(client);
    else
        client_answer(client, reply->header.type, reply->body, reply->header.len);
}

static void mux_event(struct xs_mux *mux)
{
    struct message *event = &mux->reply;
    struct xs_client *client;
    char *token;
    size_t rest;

    if (!message_has_strings(event, 2))
        return;
    token = event->body + strlen(event->body) + 1;
    rest = (size_t)(event->body + event->header.len - token);
    if (rest <= PREFIX_LEN || token[PREFIX_LEN - 1] != ':')
        return;
    client = client_by_id(mux, (uint32_t)strtoul(token, NULL, 16));
    if (!client)
        return;
    memmove(token, token + PREFIX_LEN, rest - PREFIX_LEN);
    event->header.len -= PREFIX_LEN;
    client_deliver(client, event->header, event->body);
}

int xs_mux_receive(struct xs_mux *mux, const void *data, size_t len)
{
    const char *next = data;
    const size_t header_len = sizeof(mux->reply.header);

    while (len > 0) {
        size_t goal = mux->received < header_len ? header_len : header_len + mux->reply.header.len;
        size_t step = goal - mux->received < len ? goal - mux->received : len;

        memcpy((char *)&mux->reply + mux->received, next, step);
        mux->received += step;
        next += step;
        len -= step;
        if (mux->received < header_len)
            break;
        if (mux->reply.header.len > sizeof(mux->reply.body))
            return -EPROTO;
        if (mux->received < header_len + mux->reply.header.len)
            continue;
        mux->received = 0;
        if (mux->reply.header.type == XS_WATCH_EVENT)
            mux_event(mux);
        else
            mux_reply(mux);
    }
    return 0;
}

/* ---- the multiplexer ---- */

struct xs_mux *xs_mux_new(void)
{
    struct xs_mux *mux = calloc(1, sizeof(*mux));

    if (mux) {
        TAILQ_INIT(&mux->ready);
        TAILQ_INIT(&mux->woken);
    }
    return mux;
}

void xs_mux_free(struct xs_mux *mux)
{
    if (!mux)
        return;
    for (size_t i = 0; i < mux->slot_count; i++) {
        if (mux->slots[i])
            client_free(mux->slots[i]);
    }
    free(mux->slots);
    free(mux->next_id);
    free(mux);
}

size_t xs_mux_peek(struct xs_mux *mux, const void **data)
{
    const struct xs_client *client = TAILQ_FIRST(&mux->ready);

    if (!client)
        return 0;
    *data = (const char *)&client->message + mux->sent;
    return sizeof(client->message.header) + client->message.header.len - mux->sent;
}

void xs_mux_sent(struct xs_mux *mux, size_t len)
{
    struct xs_client *client = TAILQ_FIRST(&mux->ready);

    mux->sent += len;
    if (mux->sent == sizeof(client->message.header) + client->message.header.len) {
        mux->sent = 0;
        TAILQ_REMOVE(&mux->ready, client, ready_link);
    }
}

struct xs_client *xs_mux_woken(struct xs_mux *mux)
{
    struct xs_client *client = TAILQ_FIRST(&mux->woken);

    if (client) {
        TAILQ_REMOVE(&mux->woken, client, woken_link);
        client->is_woken = false;
    }
    return client;
}

/* ---- a client ---- */

static int mux_grow(struct xs_mux *mux)
{
    size_t count = mux->slot_count ? mux->slot_count * 2 : 16;
    struct xs_client **slots;
    uint32_t *next_id;

    if (count > XS_MUX_CLIENTS)
        return -EUSERS;
    slots = reallocarray(mux->slots, count, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    mux->slots = slots;
    next_id = reallocarray(mux->next_id, count, sizeof(*next_id));
    if (!next_id)
        return -ENOMEM;
    mux->next_id = next_id;
    for (size_t i = mux->slot_count; i < count; i++) {
        slots[i] = NULL;
        next_id[i] = ID_STEP | (uint32_t)i;
    }
    mux->slot_count = count;
    return 0;
}

struct xs_client *xs_client_new(struct xs_mux *mux, void *owner)
{
    struct xs_client *client;
    size_t slot = 0;
    int rc;

    while (slot < mux->slot_count && mux->slots[slot])
        slot++;
    rc = slot == mux->slot_count ? mux_grow(mux) : 0;
    client = rc == 0 ? calloc(1, sizeof(*client)) : NULL;
    if (!client) {
        errno = rc == 0 ? ENOMEM : -rc;
        return NULL;
    }
    client->mux = mux;
    client->owner = owner;
    client->id = mux->next_id[slot];
    mux->next_id[slot] += ID_STEP;
    mux->slots[slot] = client;
    return client;
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
