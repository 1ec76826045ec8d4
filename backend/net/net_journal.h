// SPDX-License-Identifier: MIT
/*
 * net_journal.h: the answers that are just being written into the rings, in a mapped file, so that a successor of a
 * daemon that was killed can go on. An answer overwrites its request: a slot that was answered and not pushed yet would
 * be read again as a request, and be nonsense.
 *
 * A batch of answers stands here as a whole before the first of them goes into its slot, and is crossed out after the
 * push. A process that is killed stops between two instructions and everything before is in the page cache; only the
 * compiler must not reorder the stores. Owner's thread only, one file a queue. Never logs.
 */
#ifndef XENSPLIT_BACKEND_NET_NET_JOURNAL_H
#define XENSPLIT_BACKEND_NET_NET_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/netif_ring.h"

/* Whose rings they are. */
struct net_journal_identity {
    uint32_t domid;
    uint32_t devid;
    uint32_t queue;
    uint32_t ref[2];
    uint32_t event_channel[2];
    uint8_t generation[16];
};

struct net_journal_page {
    struct net_journal_identity identity;
    struct {
        uint32_t first; /* index of the first answer */
        uint32_t count; /* 0: none is being written */
        struct netif_tx_response answer[NETIF_RING_SLOTS];
    } tx;
    struct {
        uint32_t first;
        uint32_t count;
        union netif_rx_slot answer[NETIF_RING_SLOTS];
    } rx;
};

struct net_journal {
    struct net_journal_page *page; /* NULL when closed */
    char *path;
};

/*
 * A new empty one, or is_adopting, the predecessor's: -ENOENT: none; -ESTALE: of another guest, ring or channel, or of
 * another version.
 */
int net_journal_open(struct net_journal *journal, const char *path,
                     const struct net_journal_identity *identity, bool is_adopting);
/* Unmaps; the file goes too unless it is to be adopted. Safe on zeroes and twice. */
void net_journal_close(struct net_journal *journal, bool is_kept);

/* answer[0..count) are complete, and go into the ring from its private producer on; then it is pushed. True: notify. */
bool net_journal_answer_tx(struct net_journal *journal, netif_tx_back_ring_t *ring, unsigned int count);
bool net_journal_answer_rx(struct net_journal *journal, netif_rx_back_ring_t *ring, unsigned int count);

/*
 * After adoption, with rings that were just attached: what the predecessor had begun to answer is answered.
 * -EPROTO: the guest has changed what the rings say.
 */
int net_journal_replay(struct net_journal *journal, netif_tx_back_ring_t *tx, netif_rx_back_ring_t *rx);

#endif
