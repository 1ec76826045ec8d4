// SPDX-License-Identifier: MIT
/*
 * mailbox.h: how threads ask each other for something: a lock-free queue of letters with one reader, and an
 * eventfd in the reader's event_base. A letter is embedded in the object that it concerns, so posting allocates
 * nothing and cannot fail. Letters of one sender arrive in order.
 */
#ifndef XENSPLIT_BACKEND_MAILBOX_H
#define XENSPLIT_BACKEND_MAILBOX_H

#include <stdatomic.h>
#include <event2/event.h>

struct letter;
typedef void letter_fn(struct letter *letter);

struct letter {
    _Atomic(struct letter *) next;
    letter_fn *deliver; /* runs on the reader's thread; the letter may be posted again from there */
};

struct mailbox {
    _Atomic(struct letter *) head;
    struct event *event;
    int fd;
};

int mailbox_init(struct mailbox *box, struct event_base *base); /* 0 or negative errno */
void mailbox_fini(struct mailbox *box); /* undelivered letters are delivered first; safe twice, safe on zeroes */
void mailbox_post(struct mailbox *box, struct letter *letter); /* any thread */

#endif
