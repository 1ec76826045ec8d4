// SPDX-License-Identifier: MIT
/*
 * netif_packet.c: the words for what can be wrong with a packet.
 */
#include <config.h>

#include "common/netif_packet.h"

static const char *const texts[NETIF_VERDICTS] = {
    [NETIF_VERDICT_OK] = "good",
    [NETIF_VERDICT_MULTICAST] = "a change of the multicast list, which was not offered",
    [NETIF_VERDICT_PEER_ERROR] = "a slot that the peer marked as failed",
    [NETIF_VERDICT_TOO_SHORT] = "shorter than an Ethernet header",
    [NETIF_VERDICT_TOO_LONG] = "longer than 65535 bytes",
    [NETIF_VERDICT_FIRST_TOO_SMALL] = "a first slot whose size is smaller than the sum of the others",
    [NETIF_VERDICT_OUTSIDE_PAGE] = "a slot that does not lie within its page",
    [NETIF_VERDICT_EXTRA_TYPE] = "an extra slot of a type that was not offered",
    [NETIF_VERDICT_EXTRA_TWICE] = "two extra slots of one type",
    [NETIF_VERDICT_GSO_TYPE] = "a kind of segmentation that was not offered",
    [NETIF_VERDICT_GSO_SIZE] = "a segment size below 8 bytes",
    [NETIF_VERDICT_GSO_PREFIX] = "a segmentation prefix, which is not supported",
    [NETIF_VERDICT_HEADER_CUT] = "a header that goes on behind the packet's end",
    [NETIF_VERDICT_NO_CHECKSUM] = "a blank checksum where there is neither TCP nor UDP",
    [NETIF_VERDICT_GSO_NOT_TCP] = "segmentation of what is not TCP over that IP",
    [NETIF_VERDICT_UNFINISHED] = "a packet that goes on behind the producer index",
    [NETIF_VERDICT_TOO_MANY_SLOTS] = "a packet of more than 20 slots",
};

const char *netif_verdict_text(enum netif_verdict verdict)
{
    return texts[verdict];
}

bool netif_gso_is_offered(uint8_t gso_type, const struct netif_offer *offer)
{
    switch (gso_type) {
    case XEN_NETIF_GSO_TYPE_NONE:
        return true;
    case XEN_NETIF_GSO_TYPE_TCPV4:
        return offer->can_gso_tcpv4;
    case XEN_NETIF_GSO_TYPE_TCPV6:
        return offer->can_gso_tcpv6;
    default:
        return false;
    }
}
