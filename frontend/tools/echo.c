// SPDX-License-Identifier: MIT
/*
 * echo.c: see echo.h. ARP (RFC 826) and ICMP (RFC 792); neighbour discovery and ICMPv6 (RFC 4861, 4443).
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <net/ethernet.h>

#include "common/netif_header.h"
#include "frontend/tools/echo.h"

#define ETHERNET_BYTES 14u
#define ARP_BYTES 28u
#define IPV4_BYTES 20u
#define IPV6_BYTES 40u
#define ICMP_BYTES 8u /* of an echo */
#define NEIGHBOUR_BYTES 32u /* solicitation or advertisement with one link-layer address */
#define ICMPV4_REPLY 0
#define ICMPV4_REQUEST 8
#define ICMPV6_REQUEST 128
#define ICMPV6_REPLY 129
#define ICMPV6_SOLICITATION 135
#define ICMPV6_ADVERTISEMENT 136
#define HOPS 255 /* what neighbour discovery insists on */

static void store16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint16_t load16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

int echo_parse(const char *text, struct echo_end *end)
{
    memset(end, 0, sizeof(*end));
    end->is_ipv6 = strchr(text, ':') != NULL;
    return inet_pton(end->is_ipv6 ? AF_INET6 : AF_INET, text, end->address) == 1 ? 0 : -EINVAL;
}

static uint8_t *ethernet_put(uint8_t *frame, const uint8_t *to, const uint8_t *from, uint16_t type)
{
    memcpy(frame, to, 6);
    memcpy(frame + 6, from, 6);
    store16(frame + 12, type);
    return frame + ETHERNET_BYTES;
}

static uint8_t *ipv4_put(uint8_t *at, const struct echo_end *us, const struct echo_end *them, size_t bytes)
{
    memset(at, 0, IPV4_BYTES);
    at[0] = 0x45;
    store16(at + 2, IPV4_BYTES + bytes);
    at[8] = 64;
    at[9] = IPPROTO_ICMP;
    memcpy(at + 12, us->address, 4);
    memcpy(at + 16, them->address, 4);
    store16(at + 10, (uint16_t)~netif_csum_fold(netif_csum_add(0, at, IPV4_BYTES)));
    return at + IPV4_BYTES;
}

static uint8_t *ipv6_put(uint8_t *at, const uint8_t *from, const uint8_t *to, size_t bytes)
{
    uint8_t source[16]; /* from and to may lie in what is overwritten */
    uint8_t target[16];

    memcpy(source, from, 16);
    memcpy(target, to, 16);
    memset(at, 0, IPV6_BYTES);
    at[0] = 0x60;
    store16(at + 4, bytes);
    at[6] = IPPROTO_ICMPV6;
    at[7] = HOPS;
    memcpy(at + 8, source, 16);
    memcpy(at + 24, target, 16);
    return at + IPV6_BYTES;
}

/* The checksum that ICMPv6 behind this header must have; 0 when the one that is there is right. */
static uint16_t icmpv6_sum(const uint8_t *ip, size_t bytes)
{
    uint8_t tail[8] = { 0, 0, (uint8_t)(bytes >> 8), (uint8_t)bytes, 0, 0, 0, IPPROTO_ICMPV6 };
    uint64_t sum = netif_csum_add(0, ip + 8, 32);

    sum = netif_csum_add(sum, tail, sizeof(tail));
    return (uint16_t)~netif_csum_fold(netif_csum_add(sum, ip + IPV6_BYTES, bytes));
}

static size_t arp_put(uint8_t *frame, const struct echo_end *us, const uint8_t *mac, const uint8_t *address,
                      uint16_t operation)
{
    static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t start[6] = { 0, 1, 8, 0, 6, 4 };
    uint8_t *at = ethernet_put(frame, operation == 1 ? everybody : mac, us->mac, ETHERTYPE_ARP);

    memcpy(at, start, sizeof(start));
    store16(at + 6, operation);
    memcpy(at + 8, us->mac, 6);
    memcpy(at + 14, us->address, 4);
    memcpy(at + 18, mac, 6);
    memcpy(at + 24, address, 4);
    return ETHERNET_BYTES + ARP_BYTES;
}

/* A solicitation or advertisement for `target`, with our link-layer address. */
static size_t neighbour_put(uint8_t *frame, const struct echo_end *us, const uint8_t *mac, const uint8_t *to,
                            const uint8_t *target, bool is_answer)
{
    uint8_t *ip = ethernet_put(frame, mac, us->mac, ETHERTYPE_IPV6);
    uint8_t *at = ipv6_put(ip, us->address, to, NEIGHBOUR_BYTES);

    memset(at, 0, NEIGHBOUR_BYTES);
    at[0] = is_answer ? ICMPV6_ADVERTISEMENT : ICMPV6_SOLICITATION;
    at[4] = is_answer ? 0x60 : 0; /* solicited, override */
    memcpy(at + 8, target, 16);
    at[24] = is_answer ? 2 : 1; /* target's or source's link-layer address, 8 bytes */
    at[25] = 1;
    memcpy(at + 26, us->mac, 6);
    store16(at + 2, icmpv6_sum(ip, NEIGHBOUR_BYTES));
    return ETHERNET_BYTES + IPV6_BYTES + NEIGHBOUR_BYTES;
}

size_t echo_ask(uint8_t *frame, const struct echo_end *us, const struct echo_end *them)
{
    static const uint8_t nobody[6];
    uint8_t group[16] = { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff };
    uint8_t mac[6] = { 0x33, 0x33, 0xff };

    if (!them->is_ipv6)
        return arp_put(frame, us, nobody, them->address, 1);
    memcpy(group + 13, them->address + 13, 3); /* the solicited-node address */
    memcpy(mac + 3, them->address + 13, 3);
    return neighbour_put(frame, us, mac, group, them->address, false);
}

size_t echo_request(uint8_t *frame, const struct echo_end *us, const struct echo_end *them, uint16_t id,
                    uint16_t sequence, size_t data_bytes)
{
    size_t bytes = ICMP_BYTES + data_bytes;
    uint8_t *ip = ethernet_put(frame, them->mac, us->mac, them->is_ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
    uint8_t *at =
        them->is_ipv6 ? ipv6_put(ip, us->address, them->address, bytes) : ipv4_put(ip, us, them, bytes);

    memset(at, 0, ICMP_BYTES);
    at[0] = them->is_ipv6 ? ICMPV6_REQUEST : ICMPV4_REQUEST;
    store16(at + 4, id);
    store16(at + 6, sequence);
    for (size_t i = 0; i < data_bytes; i++)
        at[ICMP_BYTES + i] = (uint8_t)i;
    store16(at + 2,
            them->is_ipv6 ? icmpv6_sum(ip, bytes) : (uint16_t)~netif_csum_fold(netif_csum_add(0, at, bytes)));
    return (size_t)(at - frame) + bytes;
}

size_t echo_answer(uint8_t *frame, const struct echo_end *us)
{
    uint8_t mac[6], address[16];

    memcpy(mac, frame + 6, 6);
    if (!us->is_ipv6) {
        memcpy(address, frame + ETHERNET_BYTES + 14, 4);
        return arp_put(frame, us, mac, address, 2);
    }
    memcpy(address, frame + ETHERNET_BYTES + 8, 16);
    return neighbour_put(frame, us, mac, address, us->address, true);
}

static enum echo_what arp_read(const uint8_t *at, size_t length, const struct echo_end *us,
                               struct echo_end *them)
{
    if (length < ARP_BYTES || us->is_ipv6)
        return ECHO_OTHER;
    if (load16(at + 6) == 1 && !memcmp(at + 24, us->address, 4))
        return ECHO_ASKED;
    if (load16(at + 6) != 2 || memcmp(at + 14, them->address, 4) || memcmp(at + 24, us->address, 4))
        return ECHO_OTHER;
    memcpy(them->mac, at + 8, 6);
    return ECHO_FOUND;
}

static enum echo_what ipv4_read(const uint8_t *ip, size_t length, const struct echo_end *us,
                                const struct echo_end *them, uint16_t id, uint16_t *sequence,
                                size_t *data_bytes)
{
    size_t header, total;
    const uint8_t *at;

    if (length < IPV4_BYTES || us->is_ipv6 || ip[9] != IPPROTO_ICMP)
        return ECHO_OTHER;
    header = (ip[0] & 15u) * 4;
    total = load16(ip + 2);
    if (header < IPV4_BYTES || total < header + ICMP_BYTES || total > length ||
        memcmp(ip + 12, them->address, 4) || memcmp(ip + 16, us->address, 4))
        return ECHO_OTHER;
    at = ip + header;
    if (at[0] != ICMPV4_REPLY || load16(at + 4) != id ||
        netif_csum_fold(netif_csum_add(0, at, total - header)) != 0xffff)
        return ECHO_OTHER;
    *sequence = load16(at + 6);
    *data_bytes = total - header - ICMP_BYTES;
    return ECHO_REPLY;
}

static enum echo_what ipv6_read(const uint8_t *ip, size_t length, const struct echo_end *us,
                                struct echo_end *them, uint16_t id, uint16_t *sequence, size_t *data_bytes)
{
    const uint8_t *at = ip + IPV6_BYTES;
    size_t bytes;

    if (length < IPV6_BYTES + ICMP_BYTES || !us->is_ipv6 || ip[6] != IPPROTO_ICMPV6)
        return ECHO_OTHER;
    bytes = load16(ip + 4);
    if (bytes < ICMP_BYTES || bytes > length - IPV6_BYTES || icmpv6_sum(ip, bytes) != 0)
        return ECHO_OTHER;
    if (at[0] == ICMPV6_SOLICITATION && bytes >= 24 && !memcmp(at + 8, us->address, 16))
        return ECHO_ASKED;
    if (memcmp(ip + 24, us->address, 16))
        return ECHO_OTHER;
    if (at[0] == ICMPV6_ADVERTISEMENT && bytes >= NEIGHBOUR_BYTES && !memcmp(at + 8, them->address, 16) &&
        at[24] == 2) {
        memcpy(them->mac, at + 26, 6);
        return ECHO_FOUND;
    }
    if (at[0] != ICMPV6_REPLY || memcmp(ip + 8, them->address, 16) || load16(at + 4) != id)
        return ECHO_OTHER;
    *sequence = load16(at + 6);
    *data_bytes = bytes - ICMP_BYTES;
    return ECHO_REPLY;
}

enum echo_what echo_read(const uint8_t *frame, size_t length, const struct echo_end *us,
                         struct echo_end *them, uint16_t id, uint16_t *sequence, size_t *data_bytes)
{
    const uint8_t *at = frame + ETHERNET_BYTES;

    if (length < ETHERNET_BYTES)
        return ECHO_OTHER;
    length -= ETHERNET_BYTES;
    switch (load16(frame + 12)) {
    case ETHERTYPE_ARP:
        return arp_read(at, length, us, them);
    case ETHERTYPE_IP:
        return ipv4_read(at, length, us, them, id, sequence, data_bytes);
    case ETHERTYPE_IPV6:
        return ipv6_read(at, length, us, them, id, sequence, data_bytes);
    default:
        return ECHO_OTHER;
    }
}
