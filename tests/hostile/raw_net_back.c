// SPDX-License-Identifier: MIT
/*
 * raw_net_back.c: a network backend without manners.
 */
#include <config.h>

#include "tests/hostile/raw_net_back.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

void net_publish(struct raw_back *back)
{
    back_write(back, "feature-rx-copy", "1");
    back_write(back, "feature-sg", "1");
    back_write(back, "feature-gso-tcpv4", "1");
    back_write(back, "feature-gso-tcpv6", "1");
    back_write(back, "feature-ipv6-csum-offload", "1");
}

void net_offer(struct raw_back *back)
{
    net_publish(back);
    back_state(back, XenbusStateInitWait);
    back_wait_front(back, 1u << XenbusStateConnected);
    back->tx_page = back_map(back, "tx-ring-ref");
    BACK_RING_INIT(&back->tx, back->tx_page, 4096);
    back->rx_page = back_map(back, "rx-ring-ref");
    BACK_RING_INIT(&back->rx, back->rx_page, 4096);
    back_bind(back, "event-channel");
}

void net_connect(struct raw_back *back)
{
    net_offer(back);
    back_state(back, XenbusStateConnected);
}

static bool has_request(struct raw_back *back)
{
    bool is_more;

    RING_FINAL_CHECK_FOR_REQUESTS(&back->tx, is_more);
    return is_more;
}

netif_tx_request_t net_request(struct raw_back *back)
{
    time_t end = time(NULL) + back->deadline_s;
    netif_tx_request_t request;

    while (!has_request(back)) {
        if (time(NULL) >= end)
            back_fail("no packet came");
        back_sleep(back);
    }
    RING_COPY_REQUEST(&back->tx, back->tx.req_cons, &request);
    back->tx.req_cons++;
    return request;
}

void net_answer(struct raw_back *back, uint16_t id, int16_t status)
{
    *RING_GET_RESPONSE(&back->tx, back->tx.rsp_prod_pvt) =
        (netif_tx_response_t){ .id = id, .status = status };
    back->tx.rsp_prod_pvt++;
}

void net_answer_push(struct raw_back *back)
{
    RING_PUSH_RESPONSES(&back->tx);
    back_notify(back);
}

void net_give_raw(struct raw_back *back, netif_rx_response_t response)
{
    *RING_GET_RESPONSE(&back->rx, back->rx.rsp_prod_pvt) = response;
    back->rx.rsp_prod_pvt++;
    back->rx.req_cons++;
}

void net_give_bytes(struct raw_back *back, uint16_t offset, const void *bytes, uint16_t length,
                    uint16_t flags)
{
    netif_rx_request_t request;
    uint8_t *page;

    RING_COPY_REQUEST(&back->rx, back->rx.req_cons, &request);
    page = xengnttab_map_grant_ref(back->gnttab, back->domid, request.gref, PROT_READ | PROT_WRITE);
    if (!page)
        back_fail("cannot map a posted page: %s", strerror(errno));
    memcpy(page + offset, bytes, length);
    xengnttab_unmap(back->gnttab, page, 1);
    net_give_raw(back, (netif_rx_response_t){
                           .id = request.id, .offset = offset, .status = (int16_t)length, .flags = flags });
}

void net_give(struct raw_back *back, uint16_t offset, uint16_t length, uint8_t fill, uint16_t flags)
{
    uint8_t bytes[4096];

    memset(bytes, fill, length);
    net_give_bytes(back, offset, bytes, length, flags);
}

void net_give_extra(struct raw_back *back, netif_extra_info_t extra)
{
    netif_rx_response_t response;

    memcpy(&response, &extra, sizeof(response));
    net_give_raw(back, response);
}

void net_give_push(struct raw_back *back)
{
    RING_PUSH_RESPONSES(&back->rx);
    back_notify(back);
}

void net_give_good(struct raw_back *back)
{
    net_give(back, 0, 60, 0x5a, 0);
}

void net_serve(struct raw_back *back)
{
    time_t end = time(NULL) + back->deadline_s;

    while (back_front_is(back, XenbusStateConnected)) {
        if (time(NULL) >= end)
            back_fail("the frontend does not come to an end");
        while (has_request(back))
            net_answer(back, net_request(back).id, NETIF_RSP_OKAY);
        net_answer_push(back);
        if (!has_request(back))
            back_sleep(back);
    }
    back_close(back);
}
