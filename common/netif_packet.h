// SPDX-License-Identifier: MIT
/*
 * netif_packet.h: one network packet between two ends of a ring: where its bytes lie in granted pages, and what is
 * known about it (checksum left blank, to be cut into segments). Both directions and both ends use this struct:
 *
 *     netif_tx.h      guest transmits: packet -> slots (frontend), slots -> packet (backend)
 *     netif_rx.h      guest receives: packet -> slots (backend), slots -> packet (frontend)
 *     netif_header.h  what stands in the first bytes: Ethernet, IP, TCP, UDP; checksums
 *     netif_vnet.h    the same facts as a TAP device and the kernel say them
 *
 * All of these are pure: bytes in, packet out, or a verdict. What was read from a ring is a private copy (netif_ring.h)
 * and may be anything; a stage that finds it malformed says how many slots are to be answered, and with what, and
 * never gives half a packet.
 */
#ifndef XENSPLIT_COMMON_NETIF_PACKET_H
#define XENSPLIT_COMMON_NETIF_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/barrier.h"
#include <xen/xen.h>
#include <xen/io/netif.h>

#define NETIF_GRANT_BYTES 4096u /* a grant is 4096 bytes on every architecture */
#define NETIF_PACKET_BYTES_MIN 14u /* an Ethernet header */
#define NETIF_PACKET_BYTES_MAX XEN_NETIF_MAX_TX_SIZE
/*
 * Slots with data of one packet. The header wants XEN_NETIF_NR_SLOTS_MIN to be accepted; as many as Linux takes
 * before it calls the peer malicious are (catalogue D12).
 */
#define NETIF_PARTS_MAX 20u
#define NETIF_SEGMENT_BYTES_MIN 8u /* of GSO: a TCP segment of the least MSS (48) that is all options */

/* A run of bytes within one granted page. */
struct netif_part {
    uint32_t gref;
    uint16_t offset_bytes;
    uint16_t length_bytes; /* never 0 */
    uint16_t id; /* of the slot: opaque, echoed */
    uint16_t slot; /* counted from the first slot of the packet */
};

struct netif_packet {
    uint32_t length_bytes; /* the sum of the parts */
    bool is_csum_blank; /* the TCP or UDP checksum holds the pseudo header's only */
    bool is_validated; /* the checksum has been found right, or is blank */
    uint8_t gso_type; /* XEN_NETIF_GSO_TYPE_* */
    uint16_t gso_bytes; /* of payload in a segment, when there is a gso_type */
    uint8_t part_count;
    struct netif_part part[NETIF_PARTS_MAX];
};

/* What the other end said that it takes. */
struct netif_offer {
    bool can_sg; /* a packet in more than one slot */
    bool can_csum_ipv4; /* blank checksums */
    bool can_csum_ipv6;
    bool can_gso_tcpv4;
    bool can_gso_tcpv6;
};

enum netif_verdict {
    NETIF_VERDICT_OK,
    NETIF_VERDICT_MULTICAST, /* no packet: an addition to the filter list, or a removal */
    NETIF_VERDICT_PEER_ERROR, /* the peer's own status: it has no packet here */
    /* One packet is bad. Its slots are known and are answered; the ring goes on. */
    NETIF_VERDICT_TOO_SHORT,
    NETIF_VERDICT_TOO_LONG,
    NETIF_VERDICT_FIRST_TOO_SMALL,
    NETIF_VERDICT_OUTSIDE_PAGE,
    NETIF_VERDICT_EXTRA_TYPE,
    NETIF_VERDICT_EXTRA_TWICE,
    NETIF_VERDICT_GSO_TYPE,
    NETIF_VERDICT_GSO_SIZE,
    NETIF_VERDICT_GSO_PREFIX,
    NETIF_VERDICT_HEADER_CUT,
    NETIF_VERDICT_NO_CHECKSUM,
    NETIF_VERDICT_GSO_NOT_TCP,
    /* Where the packet ends is not known: the ring cannot be trusted any more. */
    NETIF_VERDICT_UNFINISHED,
    NETIF_VERDICT_TOO_MANY_SLOTS,
    NETIF_VERDICTS
};

static inline bool netif_verdict_is_fatal(enum netif_verdict verdict)
{
    return verdict >= NETIF_VERDICT_UNFINISHED;
}

const char *netif_verdict_text(enum netif_verdict verdict);

/* Is the type of segmentation one that was offered? None at all always is. */
bool netif_gso_is_offered(uint8_t gso_type, const struct netif_offer *offer);

#endif
