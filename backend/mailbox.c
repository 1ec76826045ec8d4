// SPDX-License-Identifier: MIT
/*
 * mailbox.c: a stack that any thread may push on and that its reader takes whole and turns round.
 */
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend/mailbox.h"

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct mailbox *box = arg;

    mailbox_deliver(box);
}

int mailbox_init(struct mailbox *box, struct event_base *base)
{
    int error;

    memset(box, 0, sizeof(*box));
    box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (box->fd < 0) {
        error = -errno;
        box->fd = 0;
        return error;
    }
    error = -ENOMEM;
    box->event = event_new(base, box->fd, EV_READ | EV_PERSIST, on_readable, box);
    if (!box->event || event_add(box->event, NULL) < 0)
        goto fail;
    return 0;

fail:
    mailbox_fini(box);
    return error;
}

void mailbox_fini(struct mailbox *box)
{
    mailbox_deliver(box);
    if (box->event)
        event_free(box->event);
    box->event = NULL;
    if (box->fd > 0)
        close(box->fd);
    box->fd = 0;
}

void mailbox_post(struct mailbox *box, struct letter *letter)
{
    struct letter *head = atomic_load_explicit(&box->head, memory_order_relaxed);
    const uint64_t one = 1;

    do
        letter->next = head;
    while (!atomic_compare_exchange_weak_explicit(&box->head, &head, letter, memory_order_release,
                                                  memory_order_relaxed));
    /* From here on the letter is the reader's. The eventfd cannot overflow: the reader empties it. */
    if (!head && write(box->fd, &one, sizeof(one)) < 0)
        return;
}

void mailbox_deliver(struct mailbox *box)
{
    uint64_t count;

    /* The eventfd first: what is posted after the exchange then makes it readable again. */
    if (box->fd > 0 && read(box->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        return;
    struct letter *letter = atomic_exchange_explicit(&box->head, NULL, memory_order_acquire);
    struct letter *in_order = NULL;

    while (letter) {
        struct letter *older = letter->next;
        letter->next = in_order;
        in_order = letter;
        letter = older;
    }
    while (in_order) {
        letter = in_order;
        in_order = letter->next; /* deliver may free or post the letter */
        letter->deliver(letter);
    }
}
