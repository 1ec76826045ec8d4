// SPDX-License-Identifier: MIT
/*
 * mailbox.h: how threads ask each other for something: a lock-free queue of letters with one reader, and an
 * eventfd in the reader's event_base. A letter is embedded in the object that it concerns, so posting allocates
 * nothing and cannot fail. Letters of one sender arrive in order. The eventfd is written only when the queue
 * was empty.
 */
#ifndef XENSPLIT_BACKEND_MAILBOX_H
#define XENSPLIT_BACKEND_MAILBOX_H

#include <stdatomic.h>
#include <event2/event.h>

struct letter;
typedef void letter_fn(struct letter *letter);

struct letter {
    struct letter *next; /* private to mailbox.c while it is on its way */
    letter_fn *deliver; /* runs on the reader's thread; the letter may be posted again or freed there */
};

struct mailbox {
    _Atomic(struct letter *) head; /* newest first */
    struct event *event;
    int fd;
};

/* Reader's thread. 0 or negative errno; then the mailbox is as after mailbox_fini. */
int mailbox_init(struct mailbox *box, struct event_base *base);
/*
 * Reader's thread, after its loop: undelivered letters are delivered first. Nobody may post any more: senders
 * have been joined. Safe twice and on zeroes.
 */
void mailbox_fini(struct mailbox *box);
/* Any thread. The letter must not be on its way already. */
void mailbox_post(struct mailbox *box, struct letter *letter);
/* Reader's thread: delivers what has arrived, without waiting. The event does it; a drain may want it too. */
void mailbox_deliver(struct mailbox *box);

#endif
