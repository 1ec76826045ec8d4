// SPDX-License-Identifier: MIT
/*
 * netif_tx.h: the guest's transmit ring. A packet is a chain of slots: the first, whose size is that of the whole
 * packet; then extra slots, if the first one says so; then the rest of the data. Pure (netif_packet.h).
 */
#ifndef XENSPLIT_COMMON_NETIF_TX_H
#define XENSPLIT_COMMON_NETIF_TX_H

#include "common/netif_packet.h"

/* A slot is what its place in the chain makes of it. */
union netif_tx_slot {
    struct netif_tx_request request;
    struct netif_extra_info extra;
};

_Static_assert(sizeof(union netif_tx_slot) == 12, "a slot of the transmit ring");

struct netif_tx_chain {
    enum netif_verdict verdict;
    unsigned int slots; /* consumed, and to be answered, whatever the verdict; 0 when it is fatal */
    unsigned int extras; /* of these: they follow the first slot */
    struct netif_packet packet; /* only after NETIF_VERDICT_OK */
};

/* Backend: takes one packet from the beginning of `count` private copies of slots; count is at least 1. */
void netif_tx_parse(struct netif_tx_chain *chain, const union netif_tx_slot *slots, unsigned int count,
                    const struct netif_offer *offer);

/*
 * Backend: the answers to a chain's slots, which are those that were parsed; status is NETIF_RSP_OKAY or an error,
 * and an extra slot is always answered NETIF_RSP_NULL.
 */
void netif_tx_answer(const struct netif_tx_chain *chain, const union netif_tx_slot *slots, int16_t status,
                     struct netif_tx_response *responses);

/* Frontend: how many slots a packet takes, and the slots. Every part has its gref and id. */
unsigned int netif_tx_slots(const struct netif_packet *packet);
void netif_tx_build(const struct netif_packet *packet, union netif_tx_slot *slots);

#endif
