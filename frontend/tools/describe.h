// SPDX-License-Identifier: MIT
/*
 * describe.h: a packet as a line of text, and as a record of a pcap file. Pure.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_DESCRIBE_H
#define XENSPLIT_FRONTEND_TOOLS_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>

/*
 * "60 00:16:3e:00:00:01 > ff:ff:ff:ff:ff:ff IPv4 10.0.0.1 > 10.0.0.2 TCP 80 > 40000". header has the first `head`
 * bytes of a packet of `length`, and may hold anything. Returns text.
 */
const char *describe(char *text, size_t size, const uint8_t *header, uint32_t head, uint32_t length);

#define PCAP_START_BYTES 24u
#define PCAP_RECORD_BYTES 16u

/* The start of a file of Ethernet frames, and of a record of `length` bytes at a time. */
void pcap_start(uint8_t *bytes);
void pcap_record(uint8_t *bytes, uint64_t time_us, uint32_t length);

#endif
