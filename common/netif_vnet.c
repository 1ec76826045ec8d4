// SPDX-License-Identifier: MIT
/*
 * netif_vnet.c: between a ring's flags and the kernel's virtio_net_hdr.
 */
#include <config.h>

#include "common/netif_vnet.h"

#include <string.h>

static uint8_t vnet_gso_type(const struct netif_packet *packet, const struct netif_headers *headers)
{
    const uint8_t ecn = headers->has_cwr ? VIRTIO_NET_HDR_GSO_ECN : 0;

    switch (packet->gso_type) {
    case XEN_NETIF_GSO_TYPE_TCPV4:
        return VIRTIO_NET_HDR_GSO_TCPV4 | ecn;
    case XEN_NETIF_GSO_TYPE_TCPV6:
        return VIRTIO_NET_HDR_GSO_TCPV6 | ecn;
    default:
        return VIRTIO_NET_HDR_GSO_NONE;
    }
}

enum netif_verdict netif_vnet_give(struct virtio_net_hdr *vnet, const struct netif_packet *packet,
                                   uint8_t *bytes)
{
    const bool is_gso = packet->gso_type != XEN_NETIF_GSO_TYPE_NONE;
    struct netif_headers headers;
    enum netif_verdict verdict;

    memset(vnet, 0, sizeof(*vnet));
    if (!is_gso && !packet->is_csum_blank) {
        if (packet->is_validated)
            vnet->flags = VIRTIO_NET_HDR_F_DATA_VALID;
        return NETIF_VERDICT_OK;
    }
    verdict = netif_header_parse(&headers, bytes, packet->length_bytes);
    if (verdict == NETIF_VERDICT_OK)
        verdict = netif_header_match(&headers, packet);
    if (verdict != NETIF_VERDICT_OK)
        return verdict;
    netif_header_blank(&headers, bytes);
    vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    vnet->csum_start = headers.csum_start;
    vnet->csum_offset = headers.csum_offset;
    if (is_gso) {
        vnet->gso_type = vnet_gso_type(packet, &headers);
        vnet->gso_size = packet->gso_bytes;
        vnet->hdr_len = headers.payload_bytes;
    }
    return NETIF_VERDICT_OK;
}

/* A blank checksum that the guest would not find, or did not ask for, is completed. */
static enum netif_verdict take_csum(struct netif_packet *packet, const struct virtio_net_hdr *vnet,
                                    uint8_t *bytes, const struct netif_headers *headers,
                                    const struct netif_offer *offer)
{
    const bool is_wanted = headers->version == 6 ? offer->can_csum_ipv6 : offer->can_csum_ipv4;

    if (headers->protocol && vnet->csum_start == headers->csum_start &&
        vnet->csum_offset == headers->csum_offset && is_wanted) {
        packet->is_csum_blank = true;
        return NETIF_VERDICT_OK;
    }
    if (packet->gso_type != XEN_NETIF_GSO_TYPE_NONE ||
        !netif_csum_complete(bytes, packet->length_bytes, vnet->csum_start, vnet->csum_offset))
        return NETIF_VERDICT_NO_CHECKSUM;
    return NETIF_VERDICT_OK;
}

enum netif_verdict netif_vnet_take(struct netif_packet *packet, const struct virtio_net_hdr *vnet,
                                   uint8_t *bytes, uint32_t length_bytes, const struct netif_offer *offer)
{
    struct netif_headers headers;
    enum netif_verdict verdict;

    memset(packet, 0, offsetof(struct netif_packet, part));
    if (length_bytes < NETIF_PACKET_BYTES_MIN)
        return NETIF_VERDICT_TOO_SHORT;
    if (length_bytes > NETIF_PACKET_BYTES_MAX)
        return NETIF_VERDICT_TOO_LONG;
    packet->length_bytes = length_bytes;
    packet->is_validated = vnet->flags & (VIRTIO_NET_HDR_F_DATA_VALID | VIRTIO_NET_HDR_F_NEEDS_CSUM);
    switch (vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        break;
    case VIRTIO_NET_HDR_GSO_TCPV4:
        packet->gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
        break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        packet->gso_type = XEN_NETIF_GSO_TYPE_TCPV6;
        break;
    default:
        return NETIF_VERDICT_GSO_TYPE;
    }
    packet->gso_bytes = packet->gso_type == XEN_NETIF_GSO_TYPE_NONE ? 0 : vnet->gso_size;
    if (!netif_gso_is_offered(packet->gso_type, offer))
        return NETIF_VERDICT_GSO_TYPE;
    if (packet->gso_type != XEN_NETIF_GSO_TYPE_NONE && packet->gso_bytes < NETIF_SEGMENT_BYTES_MIN)
        return NETIF_VERDICT_GSO_SIZE;
    if (!(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return packet->gso_type == XEN_NETIF_GSO_TYPE_NONE ? NETIF_VERDICT_OK : NETIF_VERDICT_NO_CHECKSUM;
    /* A header that this parser does not like may still hold a checksum where the kernel says. */
    if (netif_header_parse(&headers, bytes, length_bytes) != NETIF_VERDICT_OK)
        memset(&headers, 0, sizeof(headers));
    verdict = take_csum(packet, vnet, bytes, &headers, offer);
    return verdict == NETIF_VERDICT_OK ? netif_header_match(&headers, packet) : verdict;
}

enum netif_verdict netif_vnet_settle(struct netif_packet *packet, uint8_t *bytes)
{
    struct netif_headers headers;
    enum netif_verdict verdict;

    if (!packet->is_csum_blank)
        return NETIF_VERDICT_OK;
    verdict = netif_header_parse(&headers, bytes, packet->length_bytes);
    if (verdict == NETIF_VERDICT_OK)
        verdict = netif_header_match(&headers, packet);
    if (verdict != NETIF_VERDICT_OK)
        return verdict;
    netif_header_finish(&headers, bytes);
    packet->is_csum_blank = false;
    return NETIF_VERDICT_OK;
}
