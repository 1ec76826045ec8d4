// SPDX-License-Identifier: MIT
/*
 * net_rx.c: see net_rx.h.
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frontend/net_rx.h"

#define CHAIN_SLOTS (NETIF_PARTS_MAX + XEN_NETIF_EXTRA_TYPE_MAX) /* a longer packet is none */
#define SLOT_MASK ((uint32_t)NET_RX_SLOTS - 1)

void net_rx_init(struct net_rx *rx, void *page, const struct region *pages)
{
    netif_rx_sring_t *shared = page;

    memset(rx, 0, sizeof(*rx));
    XEN_FRONT_RING_INIT(&rx->front, shared, GRANT_SIZE);
    rx->pages = pages;
}

void net_rx_post(struct net_rx *rx)
{
    while (RING_FREE_REQUESTS(&rx->front)) {
        uint32_t slot = rx->front.req_prod_pvt & SLOT_MASK;
        struct netif_rx_request request = { .id = (uint16_t)slot, .gref = rx->pages->refs[slot] };

        *RING_GET_REQUEST(&rx->front, rx->front.req_prod_pvt) = request;
        rx->front.req_prod_pvt++;
    }
}

bool net_rx_push(struct net_rx *rx)
{
    bool notify;

    if (rx->published == rx->front.req_prod_pvt)
        return false;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&rx->front, notify);
    rx->published = rx->front.req_prod_pvt;
    return notify;
}

__attribute__((format(printf, 2, 3))) static int ring_break(struct net_rx *rx, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(rx->problem, sizeof(rx->problem), fmt, args);
    va_end(args);
    rx->is_broken = true;
    return -EPROTO;
}

static RING_IDX producer_load(const struct net_rx *rx)
{
    return __atomic_load_n(&rx->front.sring->rsp_prod, __ATOMIC_ACQUIRE);
}

/* An extra slot has no id. */
static int ids_check(struct net_rx *rx, const struct netif_rx_chain *chain, const union netif_rx_slot *slots)
{
    for (unsigned int i = 0; i < chain->slots; i++) {
        uint32_t slot = (rx->front.rsp_cons + i) & SLOT_MASK;

        if ((i == 0 || i > chain->extras) && slots[i].response.id != slot)
            return ring_break(rx, "receive: id %u expected in slot %u, found %u", slot, slot,
                              slots[i].response.id);
    }
    return 0;
}

int net_rx_take(struct net_rx *rx, struct netif_rx_chain *chain, const struct netif_offer *ours)
{
    union netif_rx_slot slots[CHAIN_SLOTS];
    uint32_t outstanding = rx->published - rx->front.rsp_cons;
    uint32_t waiting, count;
    int err;

    if (rx->is_broken)
        return -EPROTO;
    waiting = producer_load(rx) - rx->front.rsp_cons;
    if (waiting > outstanding)
        return ring_break(rx, "receive: at most %u responses expected, found %u", outstanding, waiting);
    if (!waiting)
        return 0;
    count = waiting < CHAIN_SLOTS ? waiting : CHAIN_SLOTS;
    for (uint32_t i = 0; i < count; i++)
        RING_COPY_RESPONSE(&rx->front, rx->front.rsp_cons + i, &slots[i].response);
    netif_rx_parse(chain, slots, count, ours);
    if (netif_verdict_is_fatal(chain->verdict))
        return ring_break(rx, "receive: slot %u: %s", rx->front.rsp_cons & SLOT_MASK,
                          netif_verdict_text(chain->verdict));
    err = ids_check(rx, chain, slots);
    if (err < 0)
        return err;
    for (unsigned int i = 0; i < chain->packet.part_count; i++)
        chain->packet.part[i].slot =
            (uint16_t)((rx->front.rsp_cons + chain->packet.part[i].slot) & SLOT_MASK);
    rx->front.rsp_cons += chain->slots;
    return 1;
}

bool net_rx_arm(struct net_rx *rx)
{
    bool is_more;

    RING_FINAL_CHECK_FOR_RESPONSES(&rx->front, is_more);
    return is_more;
}

bool net_rx_peek(const struct net_rx *rx)
{
    return producer_load(rx) != rx->front.rsp_cons;
}

void net_rx_abort(struct net_rx *rx)
{
    rx->published = rx->front.rsp_cons;
    rx->front.req_prod_pvt = rx->front.rsp_cons;
    rx->is_broken = true;
}
