// SPDX-License-Identifier: MIT
/*
 * check_xs_mux.c: the xenstore multiplexer, with a hand-played store on the other side of the ring.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xen/io/xs_wire.h>

#include "xenbox/kernel/xs_mux.h"

struct message {
    struct xsd_sockmsg header;
    char body[XENSTORE_PAYLOAD_MAX];
};

#define TEXT(s) s, sizeof(s) /* a body with its last NUL */

static int setup(void **state)
{
    *state = xs_mux_new();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    xs_mux_free(*state);
    return 0;
}

/* The client says all of it, in pieces of at most `piece` bytes; returns how much was taken. */
static size_t client_say_bytes(struct xs_client *client, const void *data, size_t len, size_t piece)
{
    size_t done = 0;
    void *to;

    while (done < len) {
        size_t want = xs_client_want(client, &to);
        size_t step = want < piece ? want : piece;

        if (step == 0)
            break;
        if (step > len - done)
            step = len - done;
        memcpy(to, (const char *)data + done, step);
        xs_client_got(client, step);
        done += step;
    }
    return done;
}

static size_t client_say(struct xs_client *client, uint32_t type, uint32_t req_id, uint32_t tx_id,
                         const void *body, size_t len)
{
    struct message message = { .header = {
                                   .type = type, .req_id = req_id, .tx_id = tx_id, .len = (uint32_t)len } };

    memcpy(message.body, body, len);
    return client_say_bytes(client, &message, sizeof(message.header) + len, SIZE_MAX);
}

/* Takes the next whole message off the multiplexer, as the store would; 0: there is none. */
static int store_take(struct xs_mux *mux, struct message *message)
{
    size_t done = 0, len;
    const void *data;

    memset(message, 0, sizeof(*message));
    do {
        len = xs_mux_peek(mux, &data);
        if (len > 100)
            len = 100; /* a ring takes what it can */
        if (len == 0)
            return 0;
        memcpy((char *)message + done, data, len);
        xs_mux_sent(mux, len);
        done += len;
    } while (done < sizeof(message->header) || done < sizeof(message->header) + message->header.len);
    return 1;
}

static int store_say(struct xs_mux *mux, uint32_t type, uint32_t req_id, uint32_t tx_id, const void *body,
                     size_t len)
{
    struct message message = { .header = {
                                   .type = type, .req_id = req_id, .tx_id = tx_id, .len = (uint32_t)len } };

    memcpy(message.body, body, len);
    return xs_mux_receive(mux, &message, sizeof(message.header) + len);
}

/* The client reads one message; 0: there is none. */
static int client_take(struct xs_client *client, struct message *message)
{
    const void *data;
    size_t len = xs_client_peek(client, &data);

    memset(message, 0, sizeof(*message));
    if (len == 0)
        return 0;
    assert_true(len >= sizeof(message->header));
    memcpy(message, data, sizeof(message->header));
    assert_true(len >= sizeof(message->header) + message->header.len);
    memcpy(message->body, (const char *)data + sizeof(message->header), message->header.len);
    xs_client_sent(client, sizeof(message->header) + message->header.len);
    return 1;
}

/* The client asks, the store answers, the client has its answer. */
static void exchange(struct xs_mux *mux, struct xs_client *client, uint32_t type, const void *ask,
                     size_t ask_len, uint32_t answer_type, const void *answer, size_t answer_len,
                     struct message *seen)
{
    struct message message;

    assert_int_not_equal(client_say(client, type, 1, 0, ask, ask_len), 0);
    assert_true(store_take(mux, seen));
    assert_int_equal(seen->header.type, type);
    assert_int_equal(store_say(mux, answer_type, seen->header.req_id, 0, answer, answer_len), 0);
    assert_true(client_take(client, &message));
    assert_int_equal(message.header.type, answer_type);
}

static void test_request_ids_are_replaced_and_restored(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *a = xs_client_new(mux, NULL), *b = xs_client_new(mux, NULL);
    struct message first, second, got;

    client_say(a, XS_READ, 7, 0, TEXT("a"));
    client_say(b, XS_READ, 7, 0, TEXT("b"));
    assert_true(store_take(mux, &first));
    assert_true(store_take(mux, &second));
    assert_string_equal(first.body, "a");
    assert_int_not_equal(first.header.req_id, second.header.req_id);

    store_say(mux, XS_READ, second.header.req_id, 0, "two", 3);
    store_say(mux, XS_READ, first.header.req_id, 0, "one", 3);
    assert_true(client_take(a, &got));
    assert_memory_equal(got.body, "one", 3);
    assert_int_equal(got.header.req_id, 7);
    assert_true(client_take(b, &got));
    assert_memory_equal(got.body, "two", 3);
    assert_int_equal(got.header.req_id, 7);
}

static void test_input_and_replies_may_come_in_single_bytes(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *client = xs_client_new(mux, NULL);
    struct message ask = { .header = { .type = XS_READ, .req_id = 3, .len = 2 }, .body = "x" };
    struct message answer = { .header = { .type = XS_READ, .len = 2 }, .body = "yz" };
    struct message seen;

    assert_int_equal(client_say_bytes(client, &ask, sizeof(ask.header) + 2, 1), sizeof(ask.header) + 2);
    assert_true(store_take(mux, &seen));
    assert_string_equal(seen.body, "x");
    answer.header.req_id = seen.header.req_id;
    for (size_t i = 0; i < sizeof(answer.header) + 2; i++) {
        assert_false(client_take(client, &seen));
        assert_int_equal(xs_mux_receive(mux, (char *)&answer + i, 1), 0);
    }
    assert_true(client_take(client, &seen));
    assert_memory_equal(seen.body, "yz", 2);
}

static void test_client_waits_for_its_answer(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *client = xs_client_new(mux, NULL);
    struct message seen;
    void *to;

    client_say(client, XS_READ, 1, 0, TEXT("a"));
    assert_int_equal(xs_client_want(client, &to), 0);
    assert_true(store_take(mux, &seen));
    store_say(mux, XS_READ, seen.header.req_id, 0, "v", 1);
    assert_ptr_equal(xs_mux_woken(mux), client);
    assert_null(xs_mux_woken(mux));
    assert_int_equal(xs_client_want(client, &to), sizeof(struct xsd_sockmsg));
}

static void test_identical_watches_do_not_collide(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *a = xs_client_new(mux, NULL), *b = xs_client_new(mux, NULL);
    struct message watch_a, watch_b, got;
    const char *token_b;

    exchange(mux, a, XS_WATCH, TEXT("dev\0tok"), XS_WATCH, TEXT("OK"), &watch_a);
    exchange(mux, b, XS_WATCH, TEXT("dev\0tok"), XS_WATCH, TEXT("OK"), &watch_b);
    assert_int_equal(watch_a.header.len, watch_b.header.len);
    assert_memory_not_equal(watch_a.body, watch_b.body, watch_a.header.len);

    /* an event carries the token as the store knows it */
    token_b = watch_b.body + strlen(watch_b.body) + 1;
    memset(&got, 0, sizeof(got));
    got.header.type = XS_WATCH_EVENT;
    got.header.len = (uint32_t)snprintf(got.body, sizeof(got.body), "dev/x%c%s", 0, token_b) + 1;
    xs_mux_receive(mux, &got, sizeof(got.header) + got.header.len);
    assert_false(client_take(a, &got));
    assert_true(client_take(b, &got));
    assert_int_equal(got.header.type, XS_WATCH_EVENT);
    assert_int_equal(got.header.len, sizeof("dev/x\0tok"));
    assert_memory_equal(got.body, "dev/x\0tok", sizeof("dev/x\0tok"));
}

static void test_close_ends_transactions_and_watches(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *client = xs_client_new(mux, NULL);
    struct message watch, seen;

    exchange(mux, client, XS_WATCH, TEXT("p\0t"), XS_WATCH, TEXT("OK"), &watch);
    exchange(mux, client, XS_TRANSACTION_START, "", 1, XS_TRANSACTION_START, TEXT("42"), &seen);
    xs_client_close(client);

    assert_true(store_take(mux, &seen));
    assert_int_equal(seen.header.type, XS_TRANSACTION_END);
    assert_int_equal(seen.header.tx_id, 42);
    assert_string_equal(seen.body, "F");
    store_say(mux, XS_TRANSACTION_END, seen.header.req_id, 42, TEXT("OK"));
    assert_true(store_take(mux, &seen));
    assert_int_equal(seen.header.type, XS_UNWATCH);
    assert_memory_equal(seen.body, watch.body, watch.header.len);
    store_say(mux, XS_UNWATCH, seen.header.req_id, 0, TEXT("OK"));
    assert_false(store_take(mux, &seen));
}

static void test_close_with_a_transaction_starting_ends_it(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *client = xs_client_new(mux, NULL);
    struct message seen;

    client_say(client, XS_TRANSACTION_START, 1, 0, "", 1);
    assert_true(store_take(mux, &seen));
    xs_client_close(client);
    store_say(mux, XS_TRANSACTION_START, seen.header.req_id, 0, TEXT("9"));
    assert_true(store_take(mux, &seen));
    assert_int_equal(seen.header.type, XS_TRANSACTION_END);
    assert_int_equal(seen.header.tx_id, 9);
}

static void test_ended_transactions_and_removed_watches_need_no_cleanup(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *client = xs_client_new(mux, NULL);
    struct message seen;

    exchange(mux, client, XS_WATCH, TEXT("p\0t"), XS_WATCH, TEXT("OK"), &seen);
    exchange(mux, client, XS_WATCH, TEXT("q\0t"), XS_ERROR, TEXT("EACCES"), &seen);
    exchange(mux, client, XS_UNWATCH, TEXT("p\0t"), XS_UNWATCH, TEXT("OK"), &seen);
    exchange(mux, client, XS_TRANSACTION_START, "", 1, XS_TRANSACTION_START, TEXT("5"), &seen);
    client_say(client, XS_TRANSACTION_END, 2, 5, TEXT("T"));
    assert_true(store_take(mux, &seen));
    store_say(mux, XS_ERROR, seen.header.req_id, 5, TEXT("EAGAIN"));
    xs_client_close(client);
    assert_false(store_take(mux, &seen));
}

static void test_transaction_belongs_to_its_client(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *a = xs_client_new(mux, NULL), *b = xs_client_new(mux, NULL);
    struct message seen;

    exchange(mux, a, XS_TRANSACTION_START, "", 1, XS_TRANSACTION_START, TEXT("5"), &seen);
    client_say(b, XS_WRITE, 8, 5, TEXT("x\0v"));
    assert_false(store_take(mux, &seen));
    assert_true(client_take(b, &seen));
    assert_int_equal(seen.header.type, XS_ERROR);
    assert_int_equal(seen.header.req_id, 8);
    assert_string_equal(seen.body, "ENOENT");
    client_say(a, XS_WRITE, 8, 5, TEXT("x\0v"));
    assert_true(store_take(mux, &seen));
    assert_int_equal(seen.header.tx_id, 5);
}

static void test_reset_watches_resets_only_its_client(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *a = xs_client_new(mux, NULL), *b = xs_client_new(mux, NULL);
    struct message watch, seen;

    exchange(mux, a, XS_WATCH, TEXT("p\0t"), XS_WATCH, TEXT("OK"), &watch);
    exchange(mux, b, XS_WATCH, TEXT("p\0t"), XS_WATCH, TEXT("OK"), &seen);
    client_say(a, XS_RESET_WATCHES, 77, 0, "", 1);
    assert_true(store_take(mux, &seen));
    assert_int_equal(seen.header.type, XS_UNWATCH);
    assert_memory_equal(seen.body, watch.body, watch.header.len);
    assert_false(client_take(a, &seen));
    client_say(b, XS_READ, 1, 0, TEXT("x"));
    assert_true(store_take(mux, &seen));
    assert_int_equal(seen.header.type, XS_READ); /* and not an XS_UNWATCH of b's */
}

static void test_reset_watches_is_answered_at_the_end(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *client = xs_client_new(mux, NULL);
    struct message seen;

    exchange(mux, client, XS_WATCH, TEXT("p\0t"), XS_WATCH, TEXT("OK"), &seen);
    client_say(client, XS_RESET_WATCHES, 77, 0, "", 1);
    assert_true(store_take(mux, &seen));
    store_say(mux, XS_UNWATCH, seen.header.req_id, 0, TEXT("OK"));
    assert_true(client_take(client, &seen));
    assert_int_equal(seen.header.type, XS_RESET_WATCHES);
    assert_int_equal(seen.header.req_id, 77);
    assert_string_equal(seen.body, "OK");
    client_say(client, XS_RESET_WATCHES, 78, 0, "", 1);
    assert_true(client_take(client, &seen));
    assert_int_equal(seen.header.req_id, 78);
}

static void test_garbage_is_refused(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *client = xs_client_new(mux, NULL), *other = xs_client_new(mux, NULL);
    struct message seen;
    char junk[64];

    memset(junk, 0xee, sizeof(junk));
    assert_int_equal(client_say_bytes(client, junk, sizeof(junk), SIZE_MAX), sizeof(struct xsd_sockmsg));
    assert_int_equal(xs_client_error(client), -EPROTO);
    assert_ptr_equal(xs_mux_woken(mux), client);
    xs_client_close(client);
    assert_false(store_take(mux, &seen));
    client_say(other, XS_READ, 1, 0, TEXT("a"));
    assert_true(store_take(mux, &seen));
}

static void test_malformed_requests_are_answered_here(void **state)
{
    static const struct {
        uint32_t type;
        const char *body;
        size_t len;
        const char *error;
    } cases[] = {
        { XS_WATCH, "p", 2, "EINVAL" },           { XS_WATCH, "", 0, "EINVAL" },
        { XS_WATCH, "p\0t", 3, "EINVAL" },        { XS_WATCH, "p\0t\0u", 6, "EINVAL" },
        { XS_UNWATCH, "p", 2, "EINVAL" },         { XS_TRANSACTION_END, "T", 1, "EINVAL" },
        { XS_TRANSACTION_END, "X", 2, "EINVAL" },
    };
    struct xs_mux *mux = *state;
    struct xs_client *client = xs_client_new(mux, NULL);
    struct message seen;
    char big[XENSTORE_PAYLOAD_MAX];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        client_say(client, cases[i].type, 1, 0, cases[i].body, cases[i].len);
        assert_false(store_take(mux, &seen));
        assert_true(client_take(client, &seen));
        assert_string_equal(seen.body, cases[i].error);
    }
    memset(big, 'x', sizeof(big));
    big[1] = big[sizeof(big) - 1] = '\0';
    client_say(client, XS_WATCH, 1, 0, big, sizeof(big)); /* no room for the prefix */
    assert_false(store_take(mux, &seen));
    assert_true(client_take(client, &seen));
    assert_string_equal(seen.body, "E2BIG");
}

static void test_store_that_speaks_nonsense_is_an_error(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *client = xs_client_new(mux, NULL);
    struct xsd_sockmsg big = { .type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1 };
    struct message seen;

    assert_int_equal(store_say(mux, XS_READ, 0x12345678, 0, "x", 1), 0); /* nobody asked */
    assert_int_equal(store_say(mux, XS_READ, 0x10000, 0, "x", 1), 0); /* asked nothing yet */
    assert_int_equal(store_say(mux, XS_WATCH_EVENT, 0, 0, TEXT("path")), 0); /* no token */
    assert_int_equal(store_say(mux, XS_WATCH_EVENT, 0, 0, TEXT("path\0short")), 0);
    assert_int_equal(store_say(mux, XS_WATCH_EVENT, 0, 0, TEXT("path\0ffffffff:t")), 0); /* no such client */
    assert_false(client_take(client, &seen));
    assert_int_equal(xs_mux_receive(mux, &big, sizeof(big)), -EPROTO);
}

static void test_client_that_does_not_read_is_given_up(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *lazy = xs_client_new(mux, NULL), *other = xs_client_new(mux, NULL);
    struct message watch, event = { .header = { .type = XS_WATCH_EVENT } };
    size_t events = 0;

    exchange(mux, lazy, XS_WATCH, TEXT("p\0t"), XS_WATCH, TEXT("OK"), &watch);
    event.header.len = (uint32_t)snprintf(event.body, sizeof(event.body), "p/%03000d%c%s", 0, 0,
                                          watch.body + strlen(watch.body) + 1) +
                       1;
    while (xs_client_error(lazy) == 0 && events < XS_CLIENT_BACKLOG) {
        assert_int_equal(xs_mux_receive(mux, &event, sizeof(event.header) + event.header.len), 0);
        events++;
    }
    assert_int_equal(xs_client_error(lazy), -ENOBUFS);
    assert_in_range(events, XS_CLIENT_BACKLOG / 4096, XS_CLIENT_BACKLOG / 3000);
    exchange(mux, other, XS_READ, TEXT("a"), XS_READ, "v", 1, &watch);
}

static void test_client_with_a_backlog_is_not_read_from(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *client = xs_client_new(mux, NULL);
    struct message seen;
    char value[XENSTORE_PAYLOAD_MAX] = "";
    size_t taken = 0;

    while (client_say(client, XS_READ, 1, 0, TEXT("a")) > 0) {
        assert_true(store_take(mux, &seen));
        store_say(mux, XS_READ, seen.header.req_id, 0, value, sizeof(value));
        taken++;
        assert_true(taken < 10);
    }
    assert_true(client_take(client, &seen));
    assert_true(client_take(client, &seen));
    assert_int_not_equal(client_say(client, XS_READ, 1, 0, TEXT("a")), 0);
}

static void test_slot_is_not_reused_before_the_cleanup_is_over(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *old = xs_client_new(mux, NULL), *fresh;
    struct message asked, seen;

    client_say(old, XS_READ, 1, 0, TEXT("a"));
    assert_true(store_take(mux, &asked));
    xs_client_close(old);
    fresh = xs_client_new(mux, NULL);
    store_say(mux, XS_READ, asked.header.req_id, 0, "late", 4);
    assert_false(client_take(fresh, &seen));
    fresh = xs_client_new(mux, NULL); /* takes the old one's slot */
    client_say(fresh, XS_READ, 1, 0, TEXT("b"));
    store_say(mux, XS_READ, asked.header.req_id, 0, "late", 4);
    assert_false(client_take(fresh, &seen));
}

static void test_clients_take_turns(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *client[8];
    struct message seen;

    for (int i = 0; i < 8; i++) {
        client[i] = xs_client_new(mux, NULL);
        client_say(client[i], XS_READ, (uint32_t)i, 0, (char[]){ (char)('a' + i), 0 }, 2);
    }
    for (int i = 0; i < 8; i++) {
        assert_true(store_take(mux, &seen));
        assert_int_equal(seen.body[0], 'a' + i);
        store_say(mux, XS_READ, seen.header.req_id, 0, "v", 1);
        assert_ptr_equal(xs_mux_woken(mux), client[i]);
        client_say(client[i], XS_READ, 9, 0, TEXT("again")); /* behind those who wait */
    }
}

static void test_number_of_clients_is_bounded(void **state)
{
    struct xs_mux *mux = *state;
    struct xs_client *last = NULL;

    for (unsigned int i = 0; i < XS_MUX_CLIENTS; i++) {
        last = xs_client_new(mux, mux);
        assert_non_null(last);
    }
    assert_null(xs_client_new(mux, NULL));
    assert_int_equal(errno, EUSERS);
    assert_ptr_equal(xs_client_owner(last), mux);
    xs_client_close(last);
    assert_non_null(xs_client_new(mux, NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_request_ids_are_replaced_and_restored),
        TEST(test_input_and_replies_may_come_in_single_bytes),
        TEST(test_client_waits_for_its_answer),
        TEST(test_identical_watches_do_not_collide),
        TEST(test_close_ends_transactions_and_watches),
        TEST(test_close_with_a_transaction_starting_ends_it),
        TEST(test_ended_transactions_and_removed_watches_need_no_cleanup),
        TEST(test_transaction_belongs_to_its_client),
        TEST(test_reset_watches_resets_only_its_client),
        TEST(test_reset_watches_is_answered_at_the_end),
        TEST(test_garbage_is_refused),
        TEST(test_malformed_requests_are_answered_here),
        TEST(test_store_that_speaks_nonsense_is_an_error),
        TEST(test_client_that_does_not_read_is_given_up),
        TEST(test_client_with_a_backlog_is_not_read_from),
        TEST(test_slot_is_not_reused_before_the_cleanup_is_over),
        TEST(test_clients_take_turns),
        TEST(test_number_of_clients_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
