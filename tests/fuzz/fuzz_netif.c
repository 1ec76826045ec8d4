// SPDX-License-Identifier: MIT
/*
 * fuzz_netif.c: any bytes through the pure stages of the network path. The first byte chooses the stage, the second
 * what is offered, the rest is what a peer wrote: slots, or a frame. What a stage promises is checked on whatever comes
 * out; that it stays within its input is for the sanitizers to see, since the input lies at the end of its memory.
 *
 *     fuzz_netif [ROUNDS [FILE...]]   the corpus (or the files) as it is, then ROUNDS changes of it
 *
 * With -DFUZZ_LIBFUZZER and clang -fsanitize=fuzzer it is a target for libFuzzer instead.
 */
#include <config.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/netif_rx.h"
#include "common/netif_tx.h"
#include "common/netif_vnet.h"

#define ROUNDS 1000000ul
#define INPUT_MAX 2048u
#define SEEDS_MAX 256u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool is_kept, const char *what)
{
    if (is_kept)
        return;
    fprintf(stderr, "fuzz_netif: not kept: %s\n", what);
    abort();
}

static struct netif_offer make_offer(uint8_t bits)
{
    return (struct netif_offer){ bits & 1, bits & 2, bits & 4, bits & 8, bits & 16 };
}

static void check_packet(const struct netif_packet *packet, unsigned int slots,
                         const struct netif_offer *offer)
{
    uint32_t sum = 0;

    promise(packet->part_count >= 1 && packet->part_count <= NETIF_PARTS_MAX, "a packet has 1 to 20 parts");
    for (unsigned int i = 0; i < packet->part_count; i++) {
        const struct netif_part *part = &packet->part[i];

        promise(part->length_bytes > 0, "no part is empty");
        promise(part->offset_bytes + (uint32_t)part->length_bytes <= NETIF_GRANT_BYTES,
                "a part lies in its page");
        promise(part->slot < slots && (i == 0 || part->slot > packet->part[i - 1].slot),
                "parts follow their slots");
        sum += part->length_bytes;
    }
    promise(sum == packet->length_bytes, "the length is the sum of the parts");
    promise(sum >= NETIF_PACKET_BYTES_MIN && sum <= NETIF_PACKET_BYTES_MAX, "14 to 65535 bytes");
    promise(netif_gso_is_offered(packet->gso_type, offer), "only what was offered");
    promise(!packet->gso_type || packet->gso_bytes >= NETIF_SEGMENT_BYTES_MIN, "no tiny segments");
}

static void fuzz_tx(const uint8_t *data, size_t size, const struct netif_offer *offer)
{
    const union netif_tx_slot *slots = (const union netif_tx_slot *)(const void *)data;
    const unsigned int count = (unsigned int)(size / sizeof(*slots));
    struct netif_tx_response responses[INPUT_MAX / sizeof(*slots)];
    struct netif_tx_chain chain, again;
    union netif_tx_slot built[NETIF_PARTS_MAX + 1];

    for (unsigned int at = 0; at < count; at += chain.slots) {
        netif_tx_parse(&chain, slots + at, count - at, offer);
        promise((chain.slots == 0) == netif_verdict_is_fatal(chain.verdict),
                "slots to answer unless it is fatal");
        if (chain.slots == 0)
            return;
        promise(chain.slots <= count - at, "no slot that is not there");
        netif_tx_answer(&chain, slots + at, NETIF_RSP_ERROR, responses);
        if (chain.verdict != NETIF_VERDICT_OK)
            continue;
        check_packet(&chain.packet, chain.slots, offer);
        netif_tx_build(&chain.packet, built);
        netif_tx_parse(&again, built, netif_tx_slots(&chain.packet), offer);
        promise(again.verdict == NETIF_VERDICT_OK && again.packet.length_bytes == chain.packet.length_bytes,
                "what is built is what was parsed");
    }
}

static void fuzz_rx(const uint8_t *data, size_t size, const struct netif_offer *offer)
{
    const union netif_rx_slot *slots = (const union netif_rx_slot *)(const void *)data;
    const unsigned int count = (unsigned int)(size / sizeof(*slots));
    struct netif_rx_chain chain;

    for (unsigned int at = 0; at < count; at += chain.slots) {
        netif_rx_parse(&chain, slots + at, count - at, offer);
        promise((chain.slots == 0) == netif_verdict_is_fatal(chain.verdict),
                "slots to take unless it is fatal");
        if (chain.slots == 0)
            return;
        promise(chain.slots <= count - at, "no slot that is not there");
        if (chain.verdict == NETIF_VERDICT_OK)
            check_packet(&chain.packet, chain.slots, offer);
    }
}

/* A virtio_net_hdr and a frame from the kernel, to a guest, and back. */
static void fuzz_frame(uint8_t *data, size_t size, const struct netif_offer *offer)
{
    struct virtio_net_hdr vnet, back;
    struct netif_headers headers;
    struct netif_packet packet;

    if (size < sizeof(vnet))
        return;
    memcpy(&vnet, data, sizeof(vnet));
    data += sizeof(vnet);
    size -= sizeof(vnet);
    if (netif_header_parse(&headers, data, (uint32_t)size) == NETIF_VERDICT_OK && headers.protocol) {
        promise(headers.payload_bytes <= headers.end_bytes && headers.end_bytes <= size,
                "headers lie in the packet");
        promise(headers.csum_start + headers.csum_offset + 2u <= headers.payload_bytes, "the checksum, too");
        netif_header_blank(&headers, data);
        netif_header_finish(&headers, data);
    }
    if (netif_vnet_take(&packet, &vnet, data, (uint32_t)size, offer) != NETIF_VERDICT_OK)
        return;
    promise(packet.length_bytes == size, "the length stays");
    promise(netif_gso_is_offered(packet.gso_type, offer), "only what was offered");
    promise(!packet.is_csum_blank || offer->can_csum_ipv4 || offer->can_csum_ipv6,
            "no blank checksum unasked");
    promise(netif_vnet_give(&back, &packet, data) == NETIF_VERDICT_OK,
            "what came from the kernel can go back");
    if (packet.is_csum_blank)
        promise(back.csum_start + back.csum_offset + 2u <= size,
                "the kernel is told of a place in the packet");
    netif_vnet_settle(&packet, data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct netif_offer offer;
    uint8_t *copy;

    if (size < 2 || size > INPUT_MAX)
        return 0;
    offer = make_offer(data[1]);
    copy = malloc(size - 2 ? size - 2 : 1);
    if (!copy)
        return 0;
    memcpy(copy, data + 2, size - 2);
    switch (data[0] % 3) {
    case 0:
        fuzz_tx(copy, size - 2, &offer);
        break;
    case 1:
        fuzz_rx(copy, size - 2, &offer);
        break;
    case 2:
        fuzz_frame(copy, size - 2, &offer);
        break;
    }
    free(copy);
    return 0;
}

#ifndef FUZZ_LIBFUZZER

static struct seed {
    uint8_t data[INPUT_MAX];
    size_t size;
} seeds[SEEDS_MAX];
static unsigned int seed_count;

static void add_seed(const char *path)
{
    struct seed *seed = &seeds[seed_count];
    FILE *file = fopen(path, "rb");

    if (!file || seed_count == SEEDS_MAX) {
        perror(path);
        exit(1);
    }
    seed->size = fread(seed->data, 1, sizeof(seed->data), file);
    seed_count++;
    fclose(file);
}

static void add_corpus(void)
{
    static const char directory[] = FUZZ_CORPUS;
    char path[1024];
    const struct dirent *entry;
    DIR *dir;

    dir = opendir(directory);
    if (!dir) {
        perror(directory);
        exit(1);
    }
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        add_seed(path);
    }
    closedir(dir);
}

static unsigned int pick(unsigned int below)
{
    return (unsigned int)random() % below;
}

/* One seed, some bytes of it changed, a piece of it repeated, dropped, or taken from another one. */
static void change(struct seed *to)
{
    static const uint8_t odd[] = { 0, 1, 2, 4, 7, 8, 15, 16, 127, 128, 255 };
    const struct seed *other = &seeds[pick(seed_count)];

    *to = seeds[pick(seed_count)];
    for (unsigned int i = pick(8); i > 0 && to->size > 0; i--)
        to->data[pick((unsigned int)to->size)] = pick(2) ? odd[pick(sizeof(odd))] : (uint8_t)random();
    if (pick(4) == 0 && to->size > 2)
        to->size = 2 + pick((unsigned int)to->size - 2);
    if (pick(4) == 0 && other->size > 2) {
        const unsigned int bytes = pick((unsigned int)other->size - 2);

        if (to->size + bytes <= INPUT_MAX) {
            memcpy(to->data + to->size, other->data + 2, bytes);
            to->size += bytes;
        }
    }
}

int main(int argc, char **argv)
{
    const unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;

    for (int i = 2; i < argc; i++)
        add_seed(argv[i]);
    if (argc < 3)
        add_corpus();
    if (seed_count == 0) {
        fputs("fuzz_netif: there is no corpus\n", stderr);
        return 1;
    }
    for (unsigned int i = 0; i < seed_count; i++)
        LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].size);
    srandom(39);
    for (unsigned long i = 0; i < rounds; i++) {
        struct seed input;

        change(&input);
        LLVMFuzzerTestOneInput(input.data, input.size);
    }
    printf("%u seeds, %lu changes of them\n", seed_count, rounds);
    return 0;
}

#endif
