// SPDX-License-Identifier: MIT
/*
 * netif_ring.h: the backend's side of the two rings of a network queue.
 *
 * The pages are shared with a peer that may change any byte of them at any time. Every index is loaded once a call
 * and checked against our own; a slot is copied once (catalogue D01) and no pointer into the page leaves this file.
 * Owner's thread only. Both rings are answered in the order of their requests, so that after each push what was
 * consumed is what was answered: a successor can go on from the page alone.
 */
#ifndef XENSPLIT_COMMON_NETIF_RING_H
#define XENSPLIT_COMMON_NETIF_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/netif_rx.h"
#include "common/netif_tx.h"
#include "common/ring_index.h"

#define NETIF_RING_BYTES 4096u
#define NETIF_RING_SLOTS 256u /* of either ring */

_Static_assert(__CONST_RING_SIZE(netif_tx, NETIF_RING_BYTES) == NETIF_RING_SLOTS, "transmit ring");
_Static_assert(__CONST_RING_SIZE(netif_rx, NETIF_RING_BYTES) == NETIF_RING_SLOTS, "receive ring");

/* Transmit */

/* A fresh page has zeroes there; one that an earlier daemon served says how far it came. */
static inline void netif_tx_ring_attach(netif_tx_back_ring_t *ring, void *page)
{
    netif_tx_sring_t *sring = page;

    BACK_RING_ATTACH(ring, sring, ring_load(&sring->rsp_prod), NETIF_RING_BYTES);
}

static inline int netif_tx_ring_waiting(const netif_tx_back_ring_t *ring)
{
    return ring_waiting(&ring->sring->req_prod, ring->req_cons, ring->rsp_prod_pvt, NETIF_RING_SLOTS);
}

/* There is a request, or an index that cannot be. */
static inline bool netif_tx_ring_has_more(const netif_tx_back_ring_t *ring)
{
    return ring_load(&ring->sring->req_prod) != ring->req_cons;
}

/* Consumes the next request, by a copy of it. */
static inline void netif_tx_ring_take(netif_tx_back_ring_t *ring, union netif_tx_slot *slot)
{
    RING_COPY_REQUEST(ring, ring->req_cons, &slot->request);
    ring->req_cons++;
}

/*
 * Every byte of the response (catalogue C10) and no other: the rest of the slot is the guest's own request, whose id,
 * flags and size a successor needs when this process dies before the push.
 */
static inline void netif_tx_ring_answer(netif_tx_back_ring_t *ring, const struct netif_tx_response *response)
{
    ring->sring->ring[ring->rsp_prod_pvt++ & (NETIF_RING_SLOTS - 1)].rsp = *response;
}

_Static_assert(sizeof(struct netif_tx_response) <= offsetof(struct netif_tx_request, offset),
               "a response leaves all of its request but the grant reference");

/* True when the peer asked to be woken for it. */
static inline bool netif_tx_ring_push(netif_tx_back_ring_t *ring)
{
    bool must_notify;

    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(ring, must_notify);
    return must_notify;
}

/* Before sleeping: true when there already is a request. */
static inline bool netif_tx_ring_final_check(netif_tx_back_ring_t *ring)
{
    return ring_await(&ring->sring->req_prod, &ring->sring->req_event, ring->req_cons, 1);
}

/* Receive */

static inline void netif_rx_ring_attach(netif_rx_back_ring_t *ring, void *page)
{
    netif_rx_sring_t *sring = page;

    BACK_RING_ATTACH(ring, sring, ring_load(&sring->rsp_prod), NETIF_RING_BYTES);
}

static inline int netif_rx_ring_waiting(const netif_rx_back_ring_t *ring)
{
    return ring_waiting(&ring->sring->req_prod, ring->req_cons, ring->rsp_prod_pvt, NETIF_RING_SLOTS);
}

static inline void netif_rx_ring_take(netif_rx_back_ring_t *ring, struct netif_rx_request *request)
{
    RING_COPY_REQUEST(ring, ring->req_cons, request);
    ring->req_cons++;
}

/* Into the slot of the request that was taken in its place. */
static inline void netif_rx_ring_answer(netif_rx_back_ring_t *ring, const union netif_rx_slot *slot)
{
    memcpy(&ring->sring->ring[ring->rsp_prod_pvt++ & (NETIF_RING_SLOTS - 1)], slot, sizeof(*slot));
}

static inline bool netif_rx_ring_push(netif_rx_back_ring_t *ring)
{
    bool must_notify;

    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(ring, must_notify);
    return must_notify;
}

/* Before sleeping: asks to be woken when so many are posted; true when they are. */
static inline bool netif_rx_ring_final_check(netif_rx_back_ring_t *ring, unsigned int wanted)
{
    return ring_await(&ring->sring->req_prod, &ring->sring->req_event, ring->req_cons, wanted);
}

#endif
