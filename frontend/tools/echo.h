// SPDX-License-Identifier: MIT
/*
 * echo.h: just enough of IPv4 and IPv6 over Ethernet to find a neighbour and ask it for an echo: frames are built
 * and read in memory. Pure. Frames that come in may hold anything.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_ECHO_H
#define XENSPLIT_FRONTEND_TOOLS_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECHO_OVERHEAD 62u /* Ethernet, IPv6, ICMPv6: a frame is no longer than this and its data */

struct echo_end {
    bool is_ipv6;
    uint8_t address[16]; /* the first 4 bytes for IPv4 */
    uint8_t mac[6];
};

enum echo_what {
    ECHO_OTHER, /* nothing for us */
    ECHO_ASKED, /* somebody looks for us: echo_answer() */
    ECHO_FOUND, /* them: their mac is filled in */
    ECHO_REPLY,
};

/* "192.0.2.1" or "2001:db8::1". 0 or -EINVAL. */
int echo_parse(const char *text, struct echo_end *end);

/* Each returns the frame's length. frame has room for ECHO_OVERHEAD and the data. */
size_t echo_ask(uint8_t *frame, const struct echo_end *us, const struct echo_end *them);
size_t echo_request(uint8_t *frame, const struct echo_end *us, const struct echo_end *them, uint16_t id,
                    uint16_t sequence, size_t data_bytes);
/* The answer to a frame that was ECHO_ASKED, in its place. */
size_t echo_answer(uint8_t *frame, const struct echo_end *us);

/* What a frame is. A reply's checksum, id and addresses are right; its sequence number and data's length are told. */
enum echo_what echo_read(const uint8_t *frame, size_t length, const struct echo_end *us,
                         struct echo_end *them, uint16_t id, uint16_t *sequence, size_t *data_bytes);

#endif
