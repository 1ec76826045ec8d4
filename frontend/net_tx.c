// SPDX-License-Identifier: MIT
/*
 * net_tx.c: see net_tx.h.
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frontend/net_tx.h"

#define PAGE_BITS 8
#define PAGE_MASK ((1u << PAGE_BITS) - 1)

_Static_assert(NET_TX_SLOTS == 1u << PAGE_BITS, "an id has room for the page's number");

void net_tx_init(struct net_tx *tx, void *page, const struct region *pages)
{
    netif_tx_sring_t *shared = page;

    memset(tx, 0, sizeof(*tx));
    XEN_FRONT_RING_INIT(&tx->front, shared, GRANT_SIZE);
    tx->pages = pages;
    tx->free_count = pages->count < NET_TX_SLOTS ? pages->count : (uint32_t)NET_TX_SLOTS;
    for (uint32_t i = 0; i < tx->free_count; i++) {
        tx->id[i].id = (uint16_t)i;
        tx->free[i] = (uint8_t)(tx->free_count - 1 - i);
    }
}

bool net_tx_has_room(const struct net_tx *tx, uint32_t parts, uint32_t slots)
{
    return parts <= tx->free_count && slots <= RING_FREE_REQUESTS(&tx->front);
}

void net_tx_put(struct net_tx *tx, struct netif_packet *packet)
{
    union netif_tx_slot slots[NETIF_PARTS_MAX + 1];
    unsigned int count = netif_tx_slots(packet);

    for (uint32_t i = 0; i < packet->part_count; i++) {
        uint32_t page = tx->free[--tx->free_count];
        struct net_tx_id *id = &tx->id[page];

        id->id = (uint16_t)(id->id + (1u << PAGE_BITS));
        id->is_pending = true;
        packet->part[i].gref = tx->pages->refs[page];
        packet->part[i].id = id->id;
    }
    netif_tx_build(packet, slots);
    for (unsigned int i = 0; i < count; i++)
        *RING_GET_REQUEST(&tx->front, tx->front.req_prod_pvt++) = slots[i].request;
    tx->extras += count - packet->part_count;
}

bool net_tx_push(struct net_tx *tx)
{
    bool notify;

    if (tx->published == tx->front.req_prod_pvt)
        return false;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&tx->front, notify);
    tx->published = tx->front.req_prod_pvt;
    return notify;
}

__attribute__((format(printf, 2, 3))) static int ring_break(struct net_tx *tx, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(tx->problem, sizeof(tx->problem), fmt, args);
    va_end(args);
    tx->is_broken = true;
    return -EPROTO;
}

static RING_IDX producer_load(const struct net_tx *tx)
{
    return __atomic_load_n(&tx->front.sring->rsp_prod, __ATOMIC_ACQUIRE);
}

/* The slot's id says nothing about an extra: it is only counted. */
static int extra_take(struct net_tx *tx)
{
    if (!tx->extras)
        return ring_break(tx, "transmit: a response to a packet expected, found one to an extra slot");
    tx->extras--;
    return 0;
}

static int response_take(struct net_tx *tx, const struct netif_tx_response *response)
{
    uint32_t page = response->id & PAGE_MASK;
    struct net_tx_id *id = &tx->id[page];

    if (response->status == NETIF_RSP_NULL)
        return extra_take(tx);
    if (page >= tx->pages->count || !id->is_pending)
        return ring_break(tx, "transmit: the id of a slot in flight expected, found %#x", response->id);
    if (id->id != response->id)
        return ring_break(tx, "transmit: id %#x expected, found %#x", id->id, response->id);
    id->is_pending = false;
    tx->free[tx->free_count++] = (uint8_t)page;
    return 0;
}

int net_tx_reap(struct net_tx *tx, struct net_tx_counts *counts)
{
    uint32_t outstanding = net_tx_outstanding(tx);
    uint32_t waiting;

    if (tx->is_broken)
        return -EPROTO;
    tx->seen = producer_load(tx);
    waiting = tx->seen - tx->front.rsp_cons;
    if (waiting > outstanding)
        return ring_break(tx, "transmit: at most %u responses expected, found %u", outstanding, waiting);
    for (uint32_t i = 0; i < waiting; i++) {
        struct netif_tx_response response;
        int err;

        RING_COPY_RESPONSE(&tx->front, tx->front.rsp_cons, &response);
        tx->front.rsp_cons++;
        err = response_take(tx, &response);
        if (err < 0)
            return err;
        counts->responses++;
        counts->dropped += response.status == NETIF_RSP_DROPPED;
        counts->errors += response.status != NETIF_RSP_OKAY && response.status != NETIF_RSP_NULL &&
                          response.status != NETIF_RSP_DROPPED;
    }
    return (int)waiting;
}

/*
 * A packet that does not fit finds more outstanding than pages - NETIF_PARTS_MAX, so an event at half of that comes
 * before the ring stands still.
 */
bool net_tx_arm(struct net_tx *tx, bool is_eager)
{
    uint32_t lazy = (tx->pages->count - NETIF_PARTS_MAX) / 2;

    tx->front.sring->rsp_event = tx->front.rsp_cons + 1 + (is_eager ? net_tx_outstanding(tx) / 2 : lazy);
    xen_mb(); /* the backend sees it before we look for the last time */
    return is_eager ? net_tx_peek(tx) : producer_load(tx) - tx->front.rsp_cons > lazy;
}

bool net_tx_peek(const struct net_tx *tx)
{
    return producer_load(tx) != tx->front.rsp_cons;
}

void net_tx_abort(struct net_tx *tx)
{
    memset(tx->id, 0, sizeof(tx->id));
    tx->free_count = 0;
    tx->extras = 0;
    tx->front.rsp_cons = tx->published;
}
