// SPDX-License-Identifier: MIT
/*
 * capture.h: what passes a port, in a file that tcpdump and Wireshark read (pcap, with nanoseconds).
 *
 * One thread, the worker's, gives it frames; a thread of its own writes them, so that a slow disk holds nothing up:
 * what there is no room for in between is counted and left out. Checksums that are blank are completed in the
 * copy, since nobody who reads the file can know better; a packet that is to be segmented is there as it is, in
 * one piece.
 */
#ifndef XENSPLIT_BACKEND_PORT_CAPTURE_H
#define XENSPLIT_BACKEND_PORT_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#include "common/netif_packet.h"

struct capture;

/*
 * Makes the file, or empties it; a regular one, since others may make the writer wait for ever. May block. 0 or
 * negative errno and a reason.
 */
int capture_open(struct capture **capture, const char *path, char *reason, size_t reason_size);
/*
 * Nobody gives it frames any more. Writes what is left; may block. 0 or the first error of writing; *frames and *lost
 * are how many were written and left out. Safe on NULL.
 */
int capture_close(struct capture *capture, uint64_t *frames, uint64_t *lost);

/* Worker's thread. */
void capture_frame(struct capture *capture, const struct netif_packet *packet, const uint8_t *bytes);

#endif
