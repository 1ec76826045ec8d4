// SPDX-License-Identifier: MIT
/* xs_mux.c: see xs_mux.h. The ring's side: what goes out next, and to whom belongs what comes in. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xenbox/kernel/xs_mux_internal.h"

bool message_has_strings(const struct message *message, int count)
{
    for (uint32_t i = 0; i < message->header.len; i++)
        count -= message->body[i] == '\0';
    return count == 0 && message->header.len > 0 && message->body[message->header.len - 1] == '\0';
}

static struct xs_client *client_by_id(struct xs_mux *mux, uint32_t id)
{
    struct xs_client *client = ID_SLOT(id) < mux->slot_count ? mux->slots[ID_SLOT(id)] : NULL;

    return client && client->id == id ? client : NULL;
}

static void mux_reply(struct xs_mux *mux)
{
    const struct message *reply = &mux->reply;
    struct xs_client *client = client_by_id(mux, reply->header.req_id);

    if (!client || !client->is_waiting)
        return;
    if (!client->is_cleaning)
        owned_account(client, client->message.header.type, reply);
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
