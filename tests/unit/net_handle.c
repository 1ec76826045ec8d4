// SPDX-License-Identifier: MIT
/*
 * net_handle.c: see net_handle.h.
 */
#include <config.h>

#include "tests/unit/net_handle.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct xenfront_net *net;
netif_tx_back_ring_t tx;
netif_rx_back_ring_t rx;
uint8_t sent[PACKET_ROOM];

void state_set(unsigned int state)
{
    char text[8];

    snprintf(text, sizeof(text), "%u", state);
    fake_store_write(BACK "state", text);
}

static void setup_with(const struct xenfront_net_options *options)
{
    static const char *const features[] = { "feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6",
                                            "feature-ipv6-csum-offload", "feature-rx-copy" };

    fake_store_reset();
    fake_hyper_reset();
    fake_store_write(FRONT "backend", BACK_DIR);
    fake_store_write(FRONT "backend-id", "0");
    fake_store_write(FRONT "mac", "00:16:3E:00:00:01");
    fake_store_write(FRONT "state", "1");
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        char path[128];

        snprintf(path, sizeof(path), BACK "%s", features[i]);
        fake_store_write(path, "1");
    }
    state_set(XenbusStateInitWait);
    net = xenfront_net_new(options);
    assert_non_null(net);
    assert_int_equal(xenfront_net_open(net, "0"), 0);
}

int setup(void **state)
{
    setup_with(NULL);
    return 0;
}

int setup_plain(void **state)
{
    struct xenfront_net_options options = { .size = sizeof(options), .flags = XENFRONT_NET_NO_CSUM };

    setup_with(&options);
    return 0;
}

int teardown(void **state)
{
    xenfront_net_free(net);
    assert_int_equal(fake_pages(), 0);
    assert_int_equal(fake_store_watches(), 0);
    assert_null(fake_store_read(FRONT "xenfront-owner"));
    return 0;
}

bool fd_is_readable(void)
{
    struct pollfd pollfd = { .fd = xenfront_net_fd(net), .events = POLLIN };

    return poll(&pollfd, 1, 0) == 1;
}

int pump(void)
{
    int result;

    do
        result = xenfront_net_pump(net);
    while (result == 0 && (fd_is_readable() || xenfront_net_timeout_ms(net) == 0));
    return result;
}

uint32_t front_number(const char *key)
{
    char path[128];

    snprintf(path, sizeof(path), FRONT "%s", key);
    return (uint32_t)strtoul(fake_store_read(path), NULL, 10);
}

void connect_all(void)
{
    assert_int_equal(xenfront_net_start(net, 0), 0);
    pump();
    assert_string_equal(fake_store_read(FRONT "state"), "4"); /* a network backend waits for that */
    BACK_RING_INIT(&tx, (netif_tx_sring_t *)fake_page(front_number("tx-ring-ref")), 4096);
    BACK_RING_INIT(&rx, (netif_rx_sring_t *)fake_page(front_number("rx-ring-ref")), 4096);
    assert_int_equal(rx.sring->req_prod, 256);
    state_set(XenbusStateConnected);
    pump();
    assert_int_equal(xenfront_net_state(net), XENFRONT_CONNECTED);
}

/* An Ethernet frame with IPv4 and TCP headers and a counting payload. */
uint32_t packet_make(uint8_t *frame, uint32_t payload)
{
    uint32_t length = 54 + payload;

    memset(frame, 0, 54);
    frame[12] = 8;
    frame[14] = 0x45;
    frame[16] = (uint8_t)((length - 14) >> 8);
    frame[17] = (uint8_t)(length - 14);
    frame[22] = 64;
    frame[23] = 6;
    frame[29] = 1;
    frame[33] = 2;
    frame[46] = 0x50;
    for (uint32_t i = 0; i < payload; i++)
        frame[54 + i] = (uint8_t)(i * 7);
    return length;
}

int packet_send(uint32_t length, const struct xenfront_net_offload *offload)
{
    struct iovec iov[3] = { { sent, 10 }, { sent + 10, 0 }, { sent + 10, length - 10 } };

    return xenfront_net_send(net, iov, 3, offload);
}
