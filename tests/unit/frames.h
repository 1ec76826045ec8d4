// SPDX-License-Identifier: MIT
/*
 * frames.h: network frames for tests, with right checksums computed the slow way.
 */
#ifndef XENSPLIT_TESTS_UNIT_FRAMES_H
#define XENSPLIT_TESTS_UNIT_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

struct frame_recipe {
    uint8_t version; /* 4, 6; 0: ARP */
    uint8_t protocol; /* 6, 17, or another */
    uint8_t tags; /* of VLANs */
    uint8_t ip_options_bytes; /* IPv4 */
    uint8_t extension_bytes; /* IPv6: one destination options header; a multiple of 8 */
    uint8_t tcp_options_bytes;
    uint16_t payload_bytes;
    uint16_t padding_bytes; /* behind what IP counts */
    bool is_fragment;
    bool has_cwr;
};

#define FRAME_BYTES_MAX 4096u

/* Returns the length; *transport is where TCP or UDP begins, 0 when there is no such header. */
uint32_t frame_make(uint8_t *bytes, const struct frame_recipe *recipe, uint32_t *transport);
/* The checksum that the TCP or UDP header at transport must have, computed byte by byte. */
uint16_t frame_csum(const uint8_t *bytes, const struct frame_recipe *recipe, uint32_t transport);

#endif
