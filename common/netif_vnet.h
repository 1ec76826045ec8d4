// SPDX-License-Identifier: MIT
/*
 * netif_vnet.h: what is known about a packet, as a TAP device with IFF_VNET_HDR says it. Pure, any thread.
 *
 * A ring says only that a checksum is blank, and its reader finds the place in the headers; the kernel says where
 * it is. What cannot be said to the other side is done here and now (netif_vnet_take completes such a checksum).
 */
#ifndef XENSPLIT_COMMON_NETIF_VNET_H
#define XENSPLIT_COMMON_NETIF_VNET_H

#include <linux/virtio_net.h>

#include "common/netif_header.h"

/*
 * To the kernel: from a packet whose bytes these are (contiguous, ours, and changed where a blank checksum needs its
 * pseudo header). OK, or why the packet cannot be passed on.
 */
enum netif_verdict netif_vnet_give(struct virtio_net_hdr *vnet, const struct netif_packet *packet,
                                   uint8_t *bytes);

/*
 * From the kernel: sets what a packet of length_bytes for a guest with that offer says about itself (not its parts).
 * OK, or why it cannot be given to that guest.
 */
enum netif_verdict netif_vnet_take(struct netif_packet *packet, const struct virtio_net_hdr *vnet,
                                   uint8_t *bytes, uint32_t length_bytes, const struct netif_offer *offer);

/* For those who know nothing of offloads: completes the checksum of a packet that says it is blank. */
enum netif_verdict netif_vnet_settle(struct netif_packet *packet, uint8_t *bytes);

#endif
