// SPDX-License-Identifier: MIT
/*
 * describe.c: see describe.h.
 */
#include <config.h>

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <net/ethernet.h>

#include "common/netif_header.h"
#include "frontend/tools/describe.h"

#define PCAP_MAGIC 0xa1b2c3d4u /* microseconds, in the byte order of the writer */
#define PCAP_ETHERNET 1u
#define PCAP_LONGEST 65535u

struct line {
    char *text;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *fmt, ...)
{
    va_list args;
    int length;

    va_start(args, fmt);
    length = vsnprintf(line->text + line->used, line->size - line->used, fmt, args);
    va_end(args);
    if (length > 0)
        line->used = line->used + (size_t)length < line->size ? line->used + (size_t)length : line->size - 1;
}

static uint16_t load16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void add_macs(struct line *line, const uint8_t *at)
{
    const uint8_t *from = at + 6;

    add(line, " %02x:%02x:%02x:%02x:%02x:%02x > %02x:%02x:%02x:%02x:%02x:%02x", from[0], from[1], from[2],
        from[3], from[4], from[5], at[0], at[1], at[2], at[3], at[4], at[5]);
}

/* The addresses are there: the headers were parsed. */
static void add_ip(struct line *line, const struct netif_headers *headers, const uint8_t *bytes)
{
    bool is_ipv6 = headers->version == 6;
    const uint8_t *at = bytes + headers->network_bytes + (is_ipv6 ? 8 : 12);
    int family = is_ipv6 ? AF_INET6 : AF_INET;
    char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

    inet_ntop(family, at, from, sizeof(from));
    inet_ntop(family, at + (is_ipv6 ? 16 : 4), to, sizeof(to));
    add(line, " IPv%d %s > %s", is_ipv6 ? 6 : 4, from, to);
    at = bytes + headers->transport_bytes;
    if (headers->protocol)
        add(line, " %s %u > %u", headers->protocol == IPPROTO_TCP ? "TCP" : "UDP", load16(at),
            load16(at + 2));
    else if (!is_ipv6)
        add(line, " protocol %u", bytes[headers->network_bytes + 9]);
    else
        add(line, " next header %u", bytes[headers->network_bytes + 6]);
}

const char *describe(char *text, size_t size, const uint8_t *header, uint32_t head, uint32_t length)
{
    struct line line = { text, size, 0 };
    struct netif_headers headers;
    enum netif_verdict verdict;

    add(&line, "%u", length);
    if (head < NETIF_PACKET_BYTES_MIN) {
        add(&line, " too short");
        return text;
    }
    add_macs(&line, header);
    verdict = netif_header_parse(&headers, header, length);
    if (verdict != NETIF_VERDICT_OK)
        add(&line, " type %#06x: %s", load16(header + 12), netif_verdict_text(verdict));
    else if (headers.version)
        add_ip(&line, &headers, header);
    else if (load16(header + 12) == ETHERTYPE_ARP)
        add(&line, " ARP");
    else
        add(&line, " type %#06x", load16(header + 12));
    return text;
}

void pcap_start(uint8_t *bytes)
{
    const uint32_t words[] = { PCAP_MAGIC, 2 | 4 << 16, 0, 0, PCAP_LONGEST, PCAP_ETHERNET };

    _Static_assert(sizeof(words) == PCAP_START_BYTES, "the start of a file");
    memcpy(bytes, words, sizeof(words));
    memcpy(bytes + 4, (const uint16_t[]){ 2, 4 }, 4); /* version 2.4 */
}

void pcap_record(uint8_t *bytes, uint64_t time_us, uint32_t length)
{
    const uint32_t words[] = { (uint32_t)(time_us / 1000000), (uint32_t)(time_us % 1000000), length, length };

    _Static_assert(sizeof(words) == PCAP_RECORD_BYTES, "the start of a record");
    memcpy(bytes, words, sizeof(words));
}
