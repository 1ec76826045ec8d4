// SPDX-License-Identifier: MIT
/*
 * net_io.c: packets of the program onto the transmit ring, and from the receive ring to the program.
 *
 * The first bytes of a packet, where its headers are, always have a private copy: what is said about the packet is
 * decided on that copy. The rest is written to, or read from, the granted pages themselves, once.
 */
#include <config.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/netif_vnet.h"
#include "frontend/iov.h"
#include "frontend/netfront.h"

_Static_assert(XENFRONT_NET_HEADER_BYTES == NETIF_HEADER_BYTES_MAX, "headers lie in the private copy");
_Static_assert(XENFRONT_NET_PARTS == NETIF_PARTS_MAX + 1, "every part, and one of them cut by the header");
_Static_assert(sizeof(struct xenfront_net_offload) == sizeof(struct virtio_net_hdr) &&
                   offsetof(struct xenfront_net_offload, gso_bytes) ==
                       offsetof(struct virtio_net_hdr, gso_size) &&
                   offsetof(struct xenfront_net_offload, csum_offset) ==
                       offsetof(struct virtio_net_hdr, csum_offset),
               "what xenfront.h promises");

static uint32_t pages_of(uint32_t length)
{
    return (length + GRANT_SIZE - 1) / GRANT_SIZE;
}

static uint8_t *tx_page(const struct xenfront_net *net, uint32_t part)
{
    return region_page(&net->front.link.pool.region, net_tx_page(&net->queue.tx, part));
}

uint32_t xenfront_net_max_bytes(const struct xenfront_net *net)
{
    return net->theirs.can_sg ? XENFRONT_NET_MAX_BYTES : GRANT_SIZE;
}

int xenfront_net_send_begin(struct xenfront_net *net, struct iovec *iov, uint32_t length)
{
    uint32_t pages = pages_of(length);
    int count = 1, err = front_check(&net->front);

    net->begun_bytes = 0;
    if (err < 0)
        return err;
    if (!length || length > xenfront_net_max_bytes(net))
        return front_error_set(&net->front.error, -EMSGSIZE,
                               "send: a packet of %u to %u bytes expected, found %u", NETIF_PACKET_BYTES_MIN,
                               xenfront_net_max_bytes(net), length);
    if (!net_tx_has_room(&net->queue.tx, pages, pages + 1))
        return -EAGAIN;
    net->begun_bytes = length;
    iov[0] = (struct iovec){ net->header, sizeof(net->header) };
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t from = i ? 0 : sizeof(net->header);
        uint32_t left = length - i * GRANT_SIZE;
        uint32_t to = left < GRANT_SIZE ? left : GRANT_SIZE;

        if (to > from)
            iov[count++] = (struct iovec){ tx_page(net, i) + from, to - from };
    }
    return count;
}

/*
 * Moves the packet together, so that its checksum can be computed, or back to its pages. What lies in the pages is
 * not the headers: if the backend changes it meanwhile, it gets its own change, with a checksum.
 */
static void whole_move(struct xenfront_net *net, uint32_t length, bool is_back)
{
    for (uint32_t at = sizeof(net->header), step; at < length; at += step) {
        uint8_t *page = tx_page(net, at / GRANT_SIZE) + at % GRANT_SIZE;

        step = GRANT_SIZE - at % GRANT_SIZE;
        step = step < length - at ? step : length - at;
        memcpy(is_back ? page : net->whole + at, is_back ? net->whole + at : page, step);
    }
}

/* Will netif_vnet_take look at, or change, more than the headers? */
static bool needs_whole(const struct xenfront_net *net, const struct virtio_net_hdr *vnet, uint32_t length)
{
    struct netif_headers headers;

    if (!(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || length <= sizeof(net->header))
        return false;
    if (netif_header_parse(&headers, net->header, length) != NETIF_VERDICT_OK || !headers.protocol)
        return true;
    return vnet->csum_start != headers.csum_start || vnet->csum_offset != headers.csum_offset ||
           !(headers.version == 6 ? net->theirs.can_csum_ipv6 : net->theirs.can_csum_ipv4);
}

static enum netif_verdict packet_describe(struct xenfront_net *net, struct netif_packet *packet,
                                          const struct virtio_net_hdr *vnet, uint32_t length)
{
    uint32_t head = length < sizeof(net->header) ? length : sizeof(net->header);
    enum netif_verdict verdict;

    if (!needs_whole(net, vnet, length))
        return netif_vnet_take(packet, vnet, net->header, length, &net->theirs);
    memcpy(net->whole, net->header, head);
    whole_move(net, length, false);
    verdict = netif_vnet_take(packet, vnet, net->whole, length, &net->theirs);
    memcpy(net->header, net->whole, head);
    whole_move(net, length, true);
    return verdict;
}

int xenfront_net_send_end(struct xenfront_net *net, uint32_t length,
                          const struct xenfront_net_offload *offload)
{
    uint32_t head = length < sizeof(net->header) ? length : sizeof(net->header);
    struct virtio_net_hdr vnet = { 0 };
    struct netif_packet packet;
    enum netif_verdict verdict;
    int err = front_check(&net->front);

    if (err < 0)
        return err;
    if (length > net->begun_bytes)
        return front_error_set(&net->front.error, -EMSGSIZE,
                               "send: at most the %u bytes that were begun expected, found %u",
                               net->begun_bytes, length);
    net->begun_bytes = 0;
    if (!length)
        return 0;
    if (offload)
        memcpy(&vnet, offload, sizeof(vnet));
    verdict = packet_describe(net, &packet, &vnet, length);
    if (verdict != NETIF_VERDICT_OK)
        return front_error_set(
            &net->front.error,
            verdict == NETIF_VERDICT_TOO_SHORT || verdict == NETIF_VERDICT_TOO_LONG ? -EMSGSIZE : -EOPNOTSUPP,
            "send: a packet of %u bytes: %s", length, netif_verdict_text(verdict));
    memcpy(tx_page(net, 0), net->header, head);
    packet.part_count = (uint8_t)pages_of(length);
    for (uint32_t i = 0; i < packet.part_count; i++) {
        uint32_t left = length - i * GRANT_SIZE;

        packet.part[i] = (struct netif_part){
            .length_bytes = (uint16_t)(left < GRANT_SIZE ? left : GRANT_SIZE),
        };
    }
    net->stats.ring_requests += netif_tx_slots(&packet);
    net->stats.tx_packets++;
    net->stats.tx_bytes += length;
    net_tx_put(&net->queue.tx, &packet);
    return 0;
}

int xenfront_net_send(struct xenfront_net *net, const struct iovec *iov, int count,
                      const struct xenfront_net_offload *offload)
{
    size_t length = iov_length(iov, count), left = length;
    struct iov_cursor from = { .iov = iov };
    struct iovec to[XENFRONT_NET_PARTS];
    int used = xenfront_net_send_begin(net, to, length > UINT32_MAX ? UINT32_MAX : (uint32_t)length);

    for (int i = 0; i < used; i++) {
        size_t step = to[i].iov_len < left ? to[i].iov_len : left;

        iov_copy_out(&from, to[i].iov_base, step);
        left -= step;
    }
    return used < 0 ? used : xenfront_net_send_end(net, (uint32_t)length, offload);
}

int xenfront_net_submit(struct xenfront_net *net)
{
    int err = front_check(&net->front);

    return err < 0 ? err : (int)net_push(&net->front);
}

/* Lays the packet out for the program; false when it is not what it says it is. */
static bool packet_open(struct xenfront_net *net, struct xenfront_net_packet *to, struct netif_packet *from)
{
    uint32_t head = 0, left;

    to->length = from->length_bytes;
    to->count = 1;
    for (unsigned int i = 0; i < from->part_count; i++) {
        const struct netif_part *part = &from->part[i];
        uint8_t *data = region_page(&net->queue.rx_pages, part->slot) + part->offset_bytes;

        left = sizeof(to->header) - head < part->length_bytes ? (uint32_t)sizeof(to->header) - head
                                                              : part->length_bytes;
        memcpy(to->header + head, data, left);
        head += left;
        if (left < part->length_bytes)
            to->iov[to->count++] = (struct iovec){ data + left, part->length_bytes - left };
    }
    to->iov[0] = (struct iovec){ to->header, head };
    return netif_vnet_give((struct virtio_net_hdr *)(void *)&to->offload, from, to->header) ==
           NETIF_VERDICT_OK;
}

/* The pages of packets that the program has had go back to the backend. */
static void slots_return(struct xenfront_net *net)
{
    RING_IDX before = net->queue.rx.front.req_prod_pvt;

    net_rx_post(&net->queue.rx);
    net->stats.ring_requests += net->queue.rx.front.req_prod_pvt - before;
    if (net_rx_push(&net->queue.rx))
        front_kick(&net->front, net->front.link.ports - 1);
}

int xenfront_net_receive(struct xenfront_net *net, struct xenfront_net_packet *packets, int count)
{
    struct netif_rx_chain chain;
    int err = front_check(&net->front), given = 0;

    if (err < 0)
        return err;
    slots_return(net);
    while (given < count) {
        err = net_rx_take(&net->queue.rx, &chain, &net->ours);
        if (err < 0)
            return net_broken(net, net->queue.rx.problem);
        if (!err)
            break;
        net->stats.ring_responses += chain.slots;
        if (chain.verdict != NETIF_VERDICT_OK || !packet_open(net, &packets[given], &chain.packet)) {
            net->stats.rx_errors++;
            continue;
        }
        net->stats.rx_packets++;
        net->stats.rx_bytes += packets[given++].length;
    }
    if (given == 0) {
        slots_return(net); /* those of bad packets */
        front_rest(&net->front);
    }
    return given;
}

int xenfront_net_packet_copy(const struct xenfront_net_packet *packet, void *buffer, size_t size)
{
    uint8_t *to = buffer;

    if (packet->length > size)
        return -EMSGSIZE;
    for (int i = 0; i < packet->count; i++) {
        memcpy(to, packet->iov[i].iov_base, packet->iov[i].iov_len);
        to += packet->iov[i].iov_len;
    }
    return (int)packet->length;
}
