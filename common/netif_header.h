// SPDX-License-Identifier: MIT
/*
 * netif_header.h: the headers at the beginning of a packet, and the checksums that they hold.
 *
 * Works on bytes that are ours and contiguous: whoever has a packet in slots copies it together first (catalogue
 * D08), so that it does not matter where the slots cut it. The bytes may be anything; nothing outside of
 * length_bytes is touched. Pure, any thread.
 */
#ifndef XENSPLIT_COMMON_NETIF_HEADER_H
#define XENSPLIT_COMMON_NETIF_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/netif_packet.h"

/* Longer headers than this have not been seen: two VLAN tags, IPv6 with a few extensions, TCP with all options. */
#define NETIF_HEADER_BYTES_MAX 512u

struct netif_headers {
    uint8_t version; /* 4, 6; 0: not IP */
    uint8_t protocol; /* 6: TCP, 17: UDP; 0: neither, or a fragment */
    bool has_cwr; /* of TCP: congestion window reduced */
    uint16_t network_bytes; /* where IP begins */
    uint16_t transport_bytes; /* where TCP or UDP begins */
    uint16_t payload_bytes; /* where its payload begins */
    uint32_t end_bytes; /* where IP says that the packet ends; the rest is padding */
    uint16_t csum_start; /* what VIRTIO_NET_HDR_F_NEEDS_CSUM wants: transport_bytes */
    uint16_t csum_offset; /* of the checksum, from there */
};

/*
 * NETIF_VERDICT_OK, whatever the packet is, or NETIF_VERDICT_HEADER_CUT when a header that was begun is not there as a
 * whole or is not possible. At most the first NETIF_HEADER_BYTES_MAX bytes are looked at.
 */
enum netif_verdict netif_header_parse(struct netif_headers *headers, const uint8_t *bytes,
                                      uint32_t length_bytes);

/*
 * May a packet with these headers be what its metadata says? OK, NO_CHECKSUM or GSO_NOT_TCP. A packet that is to be
 * segmented has a blank checksum, whether it says so or not.
 */
enum netif_verdict netif_header_match(const struct netif_headers *headers, const struct netif_packet *packet);

/* Only for TCP and UDP: makes the checksum field what "blank" means, the pseudo header's sum. */
void netif_header_blank(const struct netif_headers *headers, uint8_t *bytes);
/* Only for TCP and UDP: writes the checksum that the packet must have. */
void netif_header_finish(const struct netif_headers *headers, uint8_t *bytes);

/*
 * As a device does that is asked to: sums from csum_start to the end and puts the result csum_offset behind
 * csum_start. False: that is not within the packet, and nothing was written.
 */
bool netif_csum_complete(uint8_t *bytes, uint32_t length_bytes, uint32_t csum_start, uint32_t csum_offset);

/* The one's complement sum (RFC 1071) of bytes, added to sum, not folded; and folding. */
uint64_t netif_csum_add(uint64_t sum, const uint8_t *bytes, size_t length_bytes);
uint16_t netif_csum_fold(uint64_t sum);

#endif
