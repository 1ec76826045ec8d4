// SPDX-License-Identifier: MIT
/*
 * raw_net_back.h: the least that serves a network device's rings. As raw_back.h.
 */
#ifndef XENSPLIT_TESTS_RAW_NET_BACK_H
#define XENSPLIT_TESTS_RAW_NET_BACK_H

#include "tests/hostile/raw_back.h"

/* What a good backend publishes before InitWait. */
void net_publish(struct raw_back *back);
/* InitWait, then waits for the frontend's keys and maps what they name. */
void net_offer(struct raw_back *back);
/* All of it, up to Connected at both ends. */
void net_connect(struct raw_back *back);

/* The next slot of the transmit ring; waits for it. */
netif_tx_request_t net_request(struct raw_back *back);
/* Responses go onto the rings unseen by the frontend until the push, which always notifies. */
void net_answer(struct raw_back *back, uint16_t id, int16_t status);
void net_answer_push(struct raw_back *back);
/* Takes the next posted slot; its page gets the bytes, or so many of `fill`, at the offset. */
void net_give_bytes(struct raw_back *back, uint16_t offset, const void *bytes, uint16_t length,
                    uint16_t flags);
void net_give(struct raw_back *back, uint16_t offset, uint16_t length, uint8_t fill, uint16_t flags);
/* The same, but the response says what it says, and nothing is written. */
void net_give_raw(struct raw_back *back, netif_rx_response_t response);
void net_give_extra(struct raw_back *back, netif_extra_info_t extra);
void net_give_push(struct raw_back *back);
/* A good packet of 60 bytes. */
void net_give_good(struct raw_back *back);
/* Answers every packet until the frontend closes, then closes, too. */
void net_serve(struct raw_back *back);

#endif
