// SPDX-License-Identifier: MIT
/*
 * hostile_net_wire.c: what the far end of a socket port may do to its device: go away, at the worst time, come back,
 * and speak nonsense.
 */
#include <config.h>

#include "tests/hostile/hostile_net.h"

#include <poll.h>
#include <string.h>

/* One after the other: each is answered well, whether it comes out or not. */
static void send_many(struct raw_net *net, unsigned int count, const char *what)
{
    const union netif_tx_slot slot = { .request = raw_net_slot(net, 0, 0, 1000, 0) };

    for (unsigned int i = 0; i < count; i++)
        net_expect(net, &slot, 1, NETIF_RSP_OKAY, what);
}

void net_case_far_end(struct raw_net *net)
{
    raw_net_connect(net, false);
    for (unsigned int round = 0; round < 3; round++) {
        net_expect_service(net);
        raw_net_hang_up(net);
        raw_net_wait_carrier(net, false);
        send_many(net, 600, "a packet without a far end");
        raw_net_listen(net);
        raw_net_wait_carrier(net, true);
        net_expect_service(net);
        raw_net_post(net, 0, 1);
        raw_net_push_posted(net);
        raw_net_inject(net, net->tx_data, 1000);
        if (raw_net_received(net).response.status != 1000)
            raw_fail("a frame after the far end came back is not as it was");
    }
}

/* 16 chains of 16 pages: 1 MB, which nobody takes. */
static void fill_wire(struct raw_net *net)
{
    for (unsigned int i = 0; i < NETIF_RING_SLOTS; i++) {
        struct netif_tx_request request =
            raw_net_slot(net, i % 16, 0, 4090, i % 16 < 15 ? NETTXF_more_data : 0);

        if (i % 16 == 0)
            request.size = 16 * 4090;
        raw_net_put(net, &request);
    }
    raw_net_push(net);
}

/*
 * Catalogue D14: a guest whose packets are held up by a far end that is there and does not read can go, and come again.
 * They are more than socket and buffer hold: once the first is answered the last wait, and all of those that follow.
 */
void net_case_far_end_sleeps(struct raw_net *net)
{
    for (unsigned int round = 0; round < 3; round++) {
        raw_net_connect(net, false);
        fill_wire(net);
        if (round == 0)
            raw_net_response(net);
        raw_net_disconnect(net);
    }
    raw_net_connect(net, false);
    raw_net_hang_up(net);
    raw_net_wait_carrier(net, false);
    raw_net_listen(net);
    raw_net_wait_carrier(net, true);
    net_expect_service(net);
}

/* The port stops reading for a while, since there is no page, and reads again. */
static void read_again(struct raw_net *net)
{
    raw_net_post(net, 0, 1);
    raw_net_push_posted(net);
    for (unsigned int i = 0; i < 2; i++)
        raw_net_inject(net, net->tx_data, 1000);
    raw_net_received(net);
    poll(NULL, 0, 100); /* until it has seen that there is no other: most likely */
    raw_net_post(net, 1, 1);
    raw_net_push_posted(net);
    raw_net_received(net);
}

/*
 * Catalogue D09: it goes while the guest's packets wait for room, so that the error comes from within a pass. Whoever
 * began to wait last is called first: the end is found in a read, and nobody says that there is room.
 */
void net_case_far_end_full(struct raw_net *net)
{
    raw_net_connect(net, false);
    net_expect_service(net);
    fill_wire(net);
    poll(NULL, 0, 100); /* that they do wait is not certain, only that they will be answered */
    read_again(net);
    raw_net_hang_up(net);
    for (unsigned int i = 0; i < NETIF_RING_SLOTS; i++)
        if (raw_net_response(net).id != 0xa000 + i % 16)
            raw_fail("the answer to slot %u is not its own", i);
    raw_net_wait_carrier(net, false);
    raw_net_listen(net);
    raw_net_wait_carrier(net, true);
    net_expect_service(net);
}

/* The connection is given up, and looked for again. */
void net_case_nonsense(struct raw_net *net)
{
    static const char words[] = "GET / HTTP/1.1\r\n\r\n";
    static const unsigned char too_long[] = { 0, 2, 0, 1 }, without_end[] = { 255, 255, 255, 255 };

    raw_net_connect(net, false);
    net_expect_service(net);
    raw_net_inject_raw(net, words, sizeof(words) - 1);
    raw_net_await_end(net);
    net_expect_service(net);
    raw_net_inject_raw(net, too_long, sizeof(too_long));
    raw_net_await_end(net);
    net_expect_service(net);
    raw_net_inject_raw(net, without_end, sizeof(without_end));
    raw_net_await_end(net);
    net_expect_service(net);
}

/* Lengths that no frame has, without end as it were: passed over, and the guest is served all the while. */
void net_case_bad_frames(struct raw_net *net)
{
    static unsigned char zeroes[1u << 18];

    raw_net_connect(net, false);
    for (unsigned int i = 0; i < 64; i++) {
        raw_net_inject_raw(net, zeroes, sizeof(zeroes));
        net_expect_service(net);
    }
}
