// SPDX-License-Identifier: MIT
/*
 * netif_header.c: Ethernet with VLAN tags, IPv4, IPv6 with its extensions, TCP and UDP.
 */
#include <config.h>

#include "common/netif_header.h"

#include <endian.h>
#include <netinet/in.h>
#include <string.h>
#include <net/ethernet.h>

#define TAG_8021AD 0x88a8u
#define TAGS_MAX 2u
#define EXTENSIONS_MAX 8u
#define UDP_HEADER_BYTES 8u
#define TCP_HEADER_BYTES 20u

static uint16_t load16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void store16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* Bytes as they lie in memory, eight at a time; the sum is turned to network order when it is folded. */
uint64_t netif_csum_add(uint64_t sum, const uint8_t *bytes, size_t length_bytes)
{
    uint64_t high = 0, low = sum;

    while (length_bytes >= 8) {
        uint64_t word;

        memcpy(&word, bytes, 8);
        low += word & 0xffffffffu;
        high += word >> 32;
        bytes += 8;
        length_bytes -= 8;
    }
    if (length_bytes > 0) {
        uint64_t word = 0;

        memcpy(&word, bytes, length_bytes);
        low += word & 0xffffffffu;
        high += word >> 32;
    }
    low = (low & 0xffffffffu) + (low >> 32) + (high & 0xffffffffu) + (high >> 32);
    return low;
}

uint16_t netif_csum_fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffffu) + (sum >> 16);
    return be16toh((uint16_t)sum);
}

static enum netif_verdict parse_transport(struct netif_headers *headers, const uint8_t *bytes, uint32_t end,
                                          uint8_t protocol)
{
    const uint32_t at = headers->transport_bytes;
    uint32_t header_bytes = UDP_HEADER_BYTES;

    if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
        return NETIF_VERDICT_OK;
    if (protocol == IPPROTO_TCP) {
        if (at + TCP_HEADER_BYTES > end)
            return NETIF_VERDICT_HEADER_CUT;
        header_bytes = (bytes[at + 12] >> 4) * 4u;
        if (header_bytes < TCP_HEADER_BYTES)
            return NETIF_VERDICT_HEADER_CUT;
        headers->has_cwr = bytes[at + 13] & 0x80;
    }
    if (at + header_bytes > end)
        return NETIF_VERDICT_HEADER_CUT;
    headers->protocol = protocol;
    headers->payload_bytes = (uint16_t)(at + header_bytes);
    headers->csum_start = (uint16_t)at;
    headers->csum_offset = protocol == IPPROTO_TCP ? 16 : 6;
    return NETIF_VERDICT_OK;
}

static enum netif_verdict parse_ipv4(struct netif_headers *headers, const uint8_t *bytes, uint32_t length,
                                     uint32_t limit)
{
    const uint32_t at = headers->network_bytes;
    uint32_t header_bytes, total_bytes;

    if (at + 20 > limit)
        return NETIF_VERDICT_HEADER_CUT;
    header_bytes = (bytes[at] & 15) * 4u;
    total_bytes = load16(bytes + at + 2);
    if (bytes[at] >> 4 != 4 || header_bytes < 20 || at + header_bytes > limit || total_bytes < header_bytes ||
        at + total_bytes > length)
        return NETIF_VERDICT_HEADER_CUT;
    headers->version = 4;
    headers->end_bytes = at + total_bytes;
    headers->transport_bytes = (uint16_t)(at + header_bytes);
    headers->payload_bytes = headers->transport_bytes;
    if (load16(bytes + at + 6) & 0x3fff) /* more fragments, or not the first one */
        return NETIF_VERDICT_OK;
    return parse_transport(headers, bytes, headers->end_bytes < limit ? headers->end_bytes : limit,
                           bytes[at + 9]);
}

static enum netif_verdict parse_ipv6(struct netif_headers *headers, const uint8_t *bytes, uint32_t length,
                                     uint32_t limit)
{
    uint32_t at = headers->network_bytes, end;
    uint8_t next;

    if (at + 40 > limit || bytes[at] >> 4 != 6)
        return NETIF_VERDICT_HEADER_CUT;
    end = at + 40 + load16(bytes + at + 4);
    if (end > length)
        return NETIF_VERDICT_HEADER_CUT;
    headers->version = 6;
    headers->end_bytes = end;
    next = bytes[at + 6];
    at += 40;
    limit = end < limit ? end : limit;
    for (unsigned int i = 0;
         next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS || next == IPPROTO_AH;
         i++) {
        uint32_t bytes_here;

        if (i == EXTENSIONS_MAX || at + 8 > limit)
            return NETIF_VERDICT_HEADER_CUT;
        bytes_here = next == IPPROTO_AH ? (bytes[at + 1] + 2u) * 4u : (bytes[at + 1] + 1u) * 8u;
        next = bytes[at];
        at += bytes_here;
        if (at > limit)
            return NETIF_VERDICT_HEADER_CUT;
    }
    headers->transport_bytes = (uint16_t)at;
    headers->payload_bytes = headers->transport_bytes;
    return parse_transport(headers, bytes, limit, next); /* a fragment's next header is neither */
}

enum netif_verdict netif_header_parse(struct netif_headers *headers, const uint8_t *bytes,
                                      uint32_t length_bytes)
{
    const uint32_t limit = length_bytes < NETIF_HEADER_BYTES_MAX ? length_bytes : NETIF_HEADER_BYTES_MAX;
    uint32_t at = 12;
    uint16_t type;

    memset(headers, 0, sizeof(*headers));
    headers->end_bytes = length_bytes;
    if (length_bytes < NETIF_PACKET_BYTES_MIN)
        return NETIF_VERDICT_TOO_SHORT;
    type = load16(bytes + at);
    for (unsigned int i = 0; (type == ETHERTYPE_VLAN || type == TAG_8021AD) && i < TAGS_MAX; i++) {
        at += 4;
        if (at + 2 > limit)
            return NETIF_VERDICT_HEADER_CUT;
        type = load16(bytes + at);
    }
    headers->network_bytes = headers->transport_bytes = headers->payload_bytes = (uint16_t)(at + 2);
    if (type == ETHERTYPE_IP)
        return parse_ipv4(headers, bytes, length_bytes, limit);
    if (type == ETHERTYPE_IPV6)
        return parse_ipv6(headers, bytes, length_bytes, limit);
    return NETIF_VERDICT_OK;
}

enum netif_verdict netif_header_match(const struct netif_headers *headers, const struct netif_packet *packet)
{
    const uint8_t version = packet->gso_type == XEN_NETIF_GSO_TYPE_TCPV4 ? 4 : 6;

    if (packet->gso_type != XEN_NETIF_GSO_TYPE_NONE &&
        (headers->protocol != IPPROTO_TCP || headers->version != version))
        return NETIF_VERDICT_GSO_NOT_TCP;
    if (packet->is_csum_blank && !headers->protocol)
        return NETIF_VERDICT_NO_CHECKSUM;
    return NETIF_VERDICT_OK;
}

/* Of source, destination, protocol and the length of what follows the IP header. */
static uint64_t pseudo_sum(const struct netif_headers *headers, const uint8_t *bytes)
{
    const uint32_t transport_bytes = headers->end_bytes - headers->transport_bytes;
    uint64_t sum;

    if (headers->version == 4)
        sum = netif_csum_add(0, bytes + headers->network_bytes + 12, 8);
    else
        sum = netif_csum_add(0, bytes + headers->network_bytes + 8, 32);
    return sum + htobe16((uint16_t)transport_bytes) + htobe16(headers->protocol);
}

void netif_header_blank(const struct netif_headers *headers, uint8_t *bytes)
{
    store16(bytes + headers->csum_start + headers->csum_offset, netif_csum_fold(pseudo_sum(headers, bytes)));
}

void netif_header_finish(const struct netif_headers *headers, uint8_t *bytes)
{
    uint16_t sum;

    store16(bytes + headers->csum_start + headers->csum_offset, 0);
    sum = ~netif_csum_fold(netif_csum_add(pseudo_sum(headers, bytes), bytes + headers->csum_start,
                                          headers->end_bytes - headers->csum_start));
    /* To UDP 0 means that there is none. */
    store16(bytes + headers->csum_start + headers->csum_offset,
            sum == 0 && headers->protocol == IPPROTO_UDP ? 0xffff : sum);
}

bool netif_csum_complete(uint8_t *bytes, uint32_t length_bytes, uint32_t csum_start, uint32_t csum_offset)
{
    const uint64_t at = (uint64_t)csum_start + csum_offset;
    uint16_t sum;

    if (csum_start >= length_bytes || at + 2 > length_bytes)
        return false;
    sum = ~netif_csum_fold(netif_csum_add(0, bytes + csum_start, length_bytes - csum_start));
    store16(bytes + at, sum ? sum : 0xffff);
    return true;
}
