// SPDX-License-Identifier: MIT
/*
 * hostile_net.h: what the files of cases of network frontends share. A case ends the program when the backend did
 * wrong.
 */
#ifndef XENSPLIT_TESTS_HOSTILE_HOSTILE_NET_H
#define XENSPLIT_TESTS_HOSTILE_HOSTILE_NET_H

#include "tests/hostile/raw_net.h"

/* Puts count slots on the ring, and takes as many answers: each must have the slot's id and this status. */
void net_expect(struct raw_net *net, const union netif_tx_slot *slots, unsigned int count, int16_t status,
                const char *what);
/* A good frame in each direction comes through as it was. */
void net_expect_service(struct raw_net *net);
/* Nothing has come out since. */
void net_expect_silence(struct raw_net *net, const char *what);

/* hostile_net_flight.c */
void net_case_mutation(struct raw_net *net);
void net_case_ids(struct raw_net *net);
void net_case_reuse(struct raw_net *net);
void net_case_gso(struct raw_net *net);

/* hostile_net_wire.c */
void net_case_far_end(struct raw_net *net);
void net_case_far_end_sleeps(struct raw_net *net);
void net_case_far_end_full(struct raw_net *net);
void net_case_nonsense(struct raw_net *net);
void net_case_bad_frames(struct raw_net *net);

/* hostile_net_tx.c */
void net_case_service(struct raw_net *net);
void net_case_split(struct raw_net *net);
void net_case_sizes(struct raw_net *net);
void net_case_chains(struct raw_net *net);
void net_case_extras(struct raw_net *net);
void net_case_checksums(struct raw_net *net);
void net_case_grants(struct raw_net *net);
void net_case_rate(struct raw_net *net);
void net_case_fuzz(struct raw_net *net);

/* hostile_net_rx.c */
void net_case_receive(struct raw_net *net);
void net_case_receive_grants(struct raw_net *net);
void net_case_stall(struct raw_net *net);
void net_case_one_page(struct raw_net *net);
void net_case_few_pages(struct raw_net *net);
void net_case_no_notify(struct raw_net *net);

#endif
