// SPDX-License-Identifier: MIT
/*
 * check_xs_model.c: random traffic through the xenstore multiplexer against a model of the store. Clients come, go at
 * any moment, and ask for anything; the store answers late, refuses at random and sends events. However it went: each
 * answer goes to who asked, in order, and when all clients are gone the store holds nothing of theirs.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xen/io/xs_wire.h>

#include "xenbox/kernel/xs_mux.h"

#define CLIENTS 12u
#define OWNED 4096u /* transactions or watches that the model can hold */
#define STEPS 60000u

struct message {
    struct xsd_sockmsg header;
    char body[XENSTORE_PAYLOAD_MAX];
};

struct watch {
    uint32_t len; /* 0: free */
    char body[128]; /* path and token */
};

struct client {
    struct xs_client *xs; /* NULL: not connected */
    uint32_t asked, answered; /* req_ids are given in order */
    uint32_t transactions[OWNED];
    unsigned int transaction_count;
};

struct model {
    struct xs_mux *mux;
    unsigned int seed;
    struct client clients[CLIENTS];
    struct message requests[CLIENTS * 2]; /* taken off the ring, not answered yet */
    unsigned int request_count;
    struct message partial; /* the request that is on its way out */
    size_t partial_len;
    bool has_transaction[OWNED];
    uint32_t next_transaction;
    struct watch watches[OWNED];
};

static unsigned int pick(struct model *model, unsigned int below)
{
    return (unsigned int)rand_r(&model->seed) % below;
}

/* ---- the store ---- */

static struct watch *watch_find(struct model *model, const struct message *request)
{
    for (unsigned int i = 0; i < OWNED; i++) {
        struct watch *watch = &model->watches[i];

        if (watch->len == request->header.len && memcmp(watch->body, request->body, watch->len) == 0)
            return watch;
    }
    return NULL;
}

static const char *store_watch(struct model *model, const struct message *request)
{
    if (watch_find(model, request))
        return "EEXIST";
    for (unsigned int i = 0; i < OWNED; i++) {
        struct watch *watch = &model->watches[i];

        if (watch->len == 0) {
            assert_in_range(request->header.len, 1, sizeof(watch->body));
            watch->len = request->header.len;
            memcpy(watch->body, request->body, watch->len);
            return NULL;
        }
    }
    return "E2BIG";
}

static const char *store_unwatch(struct model *model, const struct message *request)
{
    struct watch *watch = watch_find(model, request);

    if (!watch)
        return "ENOENT";
    watch->len = 0;
    return NULL;
}

static const char *store_transaction_end(struct model *model, const struct message *request)
{
    uint32_t id = request->header.tx_id;

    if (id >= OWNED || !model->has_transaction[id])
        return "ENOENT";
    model->has_transaction[id] = false;
    return pick(model, 3) == 0 ? "EAGAIN" : NULL;
}

/* Answers the oldest request. */
static void store_answer(struct model *model)
{
    const struct message request = model->requests[0];
    struct message answer = { .header = request.header, .body = "OK" };
    const char *error = NULL;
    char id[16] = "OK";

    memmove(model->requests, model->requests + 1, --model->request_count * sizeof(model->requests[0]));
    if (request.header.type == XS_WATCH) {
        error = pick(model, 6) == 0 ? "EACCES" : store_watch(model, &request);
    } else if (request.header.type == XS_UNWATCH) {
        error = store_unwatch(model, &request);
    } else if (request.header.type == XS_TRANSACTION_END) {
        error = store_transaction_end(model, &request);
    } else if (request.header.type == XS_TRANSACTION_START) {
        error = pick(model, 6) == 0 || model->next_transaction == OWNED ? "ENOSPC" : NULL;
        if (!error) {
            model->has_transaction[model->next_transaction] = true;
            snprintf(id, sizeof(id), "%u", model->next_transaction++);
        }
    }
    snprintf(answer.body, sizeof(answer.body), "%s", error ? error : id);
    answer.header.type = error ? XS_ERROR : request.header.type;
    answer.header.len = (uint32_t)strlen(answer.body) + 1;
    assert_int_equal(xs_mux_receive(model->mux, &answer, sizeof(answer.header) + answer.header.len), 0);
}

static void store_event(struct model *model)
{
    const struct watch *watch = &model->watches[pick(model, OWNED)];
    struct message event = { .header = { .type = XS_WATCH_EVENT, .len = watch->len } };

    if (watch->len == 0)
        return;
    memcpy(event.body, watch->body, watch->len);
    assert_int_equal(xs_mux_receive(model->mux, &event, sizeof(event.header) + event.header.len), 0);
}

/* The ring takes a few bytes. */
static void ring_step(struct model *model)
{
    const size_t header_len = sizeof(model->partial.header);
    const void *data;
    size_t len = xs_mux_peek(model->mux, &data), most = 1 + pick(model, 64);

    if (len == 0 || model->request_count == CLIENTS * 2)
        return;
    len = len < most ? len : most;
    memcpy((char *)&model->partial + model->partial_len, data, len);
    xs_mux_sent(model->mux, len);
    model->partial_len += len;
    if (model->partial_len >= header_len && model->partial_len == header_len + model->partial.header.len) {
        model->requests[model->request_count++] = model->partial;
        model->partial_len = 0;
    }
}

/* ---- the clients ---- */

/* One random request: of any kind, sometimes on a transaction of somebody else. */
static void client_ask(struct model *model, struct client *client)
{
    static const uint32_t types[] = { XS_READ,  XS_WATCH,   XS_WATCH, XS_UNWATCH, XS_TRANSACTION_START,
                                      XS_WRITE, XS_UNWATCH, XS_READ,  XS_READ,    XS_TRANSACTION_END };
    struct message ask = { .header = { .type = types[pick(model, sizeof(types) / sizeof(types[0]))] } };
    void *to;

    if (pick(model, 100) == 0)
        ask.header.type = XS_RESET_WATCHES;
    if (client->transaction_count > 0 && pick(model, 2) == 0)
        ask.header.tx_id = client->transactions[pick(model, client->transaction_count)];
    if (pick(model, 40) == 0)
        ask.header.tx_id = pick(model, OWNED);
    if (ask.header.type == XS_WATCH || ask.header.type == XS_UNWATCH)
        ask.header.len = (uint32_t)snprintf(ask.body, sizeof(ask.body), "p%u%ctoken", pick(model, 4), 0) + 1;
    else if (ask.header.type == XS_TRANSACTION_END)
        ask.header.len = (uint32_t)snprintf(ask.body, sizeof(ask.body), "%c", "TF?"[pick(model, 3)]) + 1;
    ask.header.req_id = client->asked++;
    for (size_t done = 0, want; done < sizeof(ask.header) + ask.header.len; done += want) {
        want = xs_client_want(client->xs, &to);
        assert_int_not_equal(want, 0);
        memcpy(to, (char *)&ask + done, want);
        xs_client_got(client->xs, want);
    }
}

static void client_read(struct client *client)
{
    struct message got;
    const void *data;
    size_t len = xs_client_peek(client->xs, &data);

    while (len >= sizeof(got.header)) {
        memcpy(&got.header, data, sizeof(got.header));
        assert_in_range(got.header.len, 1, sizeof(got.body));
        assert_in_range(sizeof(got.header) + got.header.len, 1, len);
        memcpy(got.body, (const char *)data + sizeof(got.header), got.header.len);
        xs_client_sent(client->xs, sizeof(got.header) + got.header.len);
        if (got.header.type == XS_WATCH_EVENT)
            assert_string_equal(got.body + strlen(got.body) + 1, "token");
        else
            assert_int_equal(got.header.req_id, client->answered++);
        if (got.header.type == XS_TRANSACTION_START)
            client->transactions[client->transaction_count++] = (uint32_t)atoi(got.body);
        len = xs_client_peek(client->xs, &data);
    }
}

static void client_step(struct model *model, struct client *client)
{
    void *to;

    if (!client->xs) {
        *client = (struct client){ .xs = xs_client_new(model->mux, client) };
        assert_non_null(client->xs);
    } else if (pick(model, 60) == 0) {
        xs_client_close(client->xs);
        client->xs = NULL;
    } else {
        client_read(client);
        assert_int_equal(xs_client_error(client->xs), 0);
        if (xs_client_want(client->xs, &to) > 0)
            client_ask(model, client);
    }
}

static void store_step(struct model *model)
{
    ring_step(model);
    if (model->request_count > 0 && pick(model, 3) == 0)
        store_answer(model);
    if (pick(model, 4) == 0)
        store_event(model);
    while (xs_mux_woken(model->mux)) {
    }
}

/* All clients go; what they owned must go after them. */
static void end(struct model *model)
{
    const void *data;

    for (unsigned int i = 0; i < CLIENTS; i++) {
        if (model->clients[i].xs)
            xs_client_close(model->clients[i].xs);
    }
    while (model->request_count > 0 || xs_mux_peek(model->mux, &data) > 0)
        store_step(model);
    for (unsigned int i = 0; i < OWNED; i++) {
        assert_false(model->has_transaction[i]);
        assert_int_equal(model->watches[i].len, 0);
    }
}

static void test_nothing_is_left_of_random_clients(void **state)
{
    for (unsigned int seed = 1; seed <= 8; seed++) {
        struct model *model = calloc(1, sizeof(*model));

        assert_non_null(model);
        model->mux = xs_mux_new();
        model->seed = seed;
        model->next_transaction = 1;
        for (unsigned int step = 0; step < STEPS / 8; step++) {
            client_step(model, &model->clients[pick(model, CLIENTS)]);
            for (unsigned int i = pick(model, 8); i > 0; i--)
                store_step(model);
        }
        assert_in_range(model->next_transaction, 20, OWNED); /* it was no empty run */
        end(model);
        xs_mux_free(model->mux);
        free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_left_of_random_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
