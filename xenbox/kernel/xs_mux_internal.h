// SPDX-License-Identifier: MIT
/*
 * xs_mux_internal.h: what the files of the xenstore multiplexer share (xs_mux.c, xs_client.c, xs_owned.c).
 *
 * The life of a request: gathered in client->message, checked and rewritten for the ring, queued in
 * mux->ready, sent from there, answered (client->is_waiting ends). Clean-up requests, after a client has gone
 * or has asked for XS_RESET_WATCHES, take the same way, one at a time, and their answers are thrown away.
 */
#ifndef XENBOX_KERNEL_XS_MUX_INTERNAL_H
#define XENBOX_KERNEL_XS_MUX_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <xen/io/xs_wire.h>

#include "xenbox/kernel/xs_mux.h"

#define PREFIX_LEN 9 /* "%08x:" of the client's id, before the client's own token */
#define ID_SLOT(id) (uint16_t)(id)
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

/* xs_client.c */

/* A message for the client. One that failed is not owed anything any longer. */
void client_deliver(struct xs_client *client, struct xsd_sockmsg header, const char *body);
/* An answer to the client's own request, which ends it. */
void client_answer(struct xs_client *client, uint32_t type, const char *body, size_t len);
/* Puts client->message in the queue for the ring. */
void client_enqueue(struct xs_client *client, bool is_cleaning);
/*
 * One step of the clean-up: the next thing that the client still owns goes. Frees a closed client at the end.
 */
void client_clean(struct xs_client *client);
void client_free(struct xs_client *client);

/* xs_owned.c */

struct watch *watch_new(const struct message *message);
bool transaction_is_mine(const struct xs_client *client, uint32_t tx_id);
/* What the answer to a request of that type changes in what the client owns. */
void owned_account(struct xs_client *client, uint32_t type, const struct message *reply);
/* Makes client->message the request that removes one thing of the client's; false: it owns nothing. */
bool owned_remove_one(struct xs_client *client);
void owned_free(struct xs_client *client);

/* xs_mux.c */

/* A body must be `count` strings, each with its NUL, and nothing else. */
bool message_has_strings(const struct message *message, int count);

#endif
