// SPDX-License-Identifier: MIT
/*
 * check_netif_rx.c: packets laid out in receive slots, and what a frontend makes of a backend's answers.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/netif_rx.h"

static const struct netif_offer all = { true, true, true, true, true };
static const struct netif_offer nothing;

static struct netif_rx_request requests[NETIF_RX_SLOTS_MAX];

static int make_requests(void **state)
{
    for (unsigned int i = 0; i < NETIF_RX_SLOTS_MAX; i++)
        requests[i] = (struct netif_rx_request){ .id = (uint16_t)(500 + i), .gref = 7000 + i };
    return 0;
}

static enum netif_verdict parse(struct netif_rx_chain *chain, const union netif_rx_slot *slots,
                                unsigned int count, const struct netif_offer *offer)
{
    union netif_rx_slot *copy = malloc(count * sizeof(*copy));

    assert_non_null(copy);
    memcpy(copy, slots, count * sizeof(*copy));
    memset(chain, 0x55, sizeof(*chain));
    netif_rx_parse(chain, copy, count, offer);
    free(copy);
    return chain->verdict;
}

static void test_every_length_comes_back(void **state)
{
    for (uint32_t length = NETIF_PACKET_BYTES_MIN; length <= NETIF_PACKET_BYTES_MAX;
         length += 1 + length / 100) {
        for (uint8_t type = 0; type <= XEN_NETIF_GSO_TYPE_TCPV6; type++) {
            struct netif_packet packet = { .length_bytes = length,
                                           .gso_type = type,
                                           .gso_bytes = type ? 1448 : 0 };
            const unsigned int count = netif_rx_slots(length, type != 0);
            union netif_rx_slot slots[NETIF_RX_SLOTS_MAX];
            struct netif_rx_chain chain;

            assert_in_range(count, 1, NETIF_RX_SLOTS_MAX);
            netif_rx_build(&packet, requests, slots);
            assert_int_equal(packet.part_count, count - (type != 0));
            for (unsigned int i = 0; i < packet.part_count; i++) {
                /* The answer is in the slot of the request whose page it is. */
                assert_int_equal(packet.part[i].gref, 7000 + packet.part[i].slot);
                assert_int_equal(slots[packet.part[i].slot].response.id, 500 + packet.part[i].slot);
            }
            assert_int_equal(parse(&chain, slots, count, &all), NETIF_VERDICT_OK);
            assert_int_equal(chain.slots, count);
            assert_int_equal(chain.packet.length_bytes, length);
            assert_int_equal(chain.packet.gso_type, type);
            assert_int_equal(chain.packet.gso_bytes, type ? 1448 : 0);
        }
    }
}

static void test_flags_say_what_is_known(void **state)
{
    union netif_rx_slot slots[NETIF_RX_SLOTS_MAX];

    for (unsigned int bits = 0; bits < 4; bits++) {
        struct netif_packet packet = { .length_bytes = 5000,
                                       .is_csum_blank = bits & 1,
                                       .is_validated = bits & 2 };
        struct netif_rx_chain chain;

        netif_rx_build(&packet, requests, slots);
        assert_int_equal(slots[0].response.flags, NETRXF_more_data | (bits & 1 ? NETRXF_csum_blank : 0) |
                                                      (bits ? NETRXF_data_validated : 0));
        assert_int_equal(slots[1].response.flags, 0);
        assert_int_equal(parse(&chain, slots, 2, &all), NETIF_VERDICT_OK);
        assert_int_equal(chain.packet.is_csum_blank, bits & 1);
        assert_int_equal(chain.packet.is_validated, bits != 0);
    }
}

static void test_spoilt_packet_keeps_its_slots(void **state)
{
    struct netif_packet packet = { .length_bytes = 9000,
                                   .gso_type = XEN_NETIF_GSO_TYPE_TCPV6,
                                   .gso_bytes = 1000 };
    union netif_rx_slot slots[NETIF_RX_SLOTS_MAX];
    struct netif_rx_chain chain;

    netif_rx_build(&packet, requests, slots);
    netif_rx_spoil(&packet, slots);
    assert_int_equal(parse(&chain, slots, 4, &all), NETIF_VERDICT_PEER_ERROR);
    assert_int_equal(chain.slots, 4);
    assert_int_equal(slots[1].extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
}

static void test_hostile_answers(void **state)
{
    static const struct {
        struct netif_rx_response answer;
        enum netif_verdict verdict;
    } cases[] = {
        { { .status = 60 }, NETIF_VERDICT_OK },
        { { .status = 13 }, NETIF_VERDICT_TOO_SHORT },
        { { .status = 0 }, NETIF_VERDICT_TOO_SHORT },
        { { .status = -1 }, NETIF_VERDICT_PEER_ERROR },
        { { .status = -32768 }, NETIF_VERDICT_PEER_ERROR },
        { { .status = 4096 }, NETIF_VERDICT_OK },
        { { .status = 4097 }, NETIF_VERDICT_OUTSIDE_PAGE },
        { { .status = 32767 }, NETIF_VERDICT_OUTSIDE_PAGE },
        { { .status = 60, .offset = 4036 }, NETIF_VERDICT_OK },
        { { .status = 60, .offset = 4037 }, NETIF_VERDICT_OUTSIDE_PAGE },
        { { .status = 60, .offset = 65535 }, NETIF_VERDICT_OUTSIDE_PAGE },
        { { .status = 60, .flags = NETRXF_gso_prefix }, NETIF_VERDICT_GSO_PREFIX },
        { { .status = 60, .flags = NETRXF_more_data }, NETIF_VERDICT_UNFINISHED },
        { { .status = 60, .flags = NETRXF_extra_info }, NETIF_VERDICT_UNFINISHED },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        union netif_rx_slot slot = { .response = cases[i].answer };
        struct netif_rx_chain chain;

        assert_int_equal(parse(&chain, &slot, 1, &all), cases[i].verdict);
        assert_int_equal(chain.slots, netif_verdict_is_fatal(cases[i].verdict) ? 0 : 1);
    }
}

static void test_segmentation_that_was_not_asked_for(void **state)
{
    struct netif_packet packet = { .length_bytes = 3000,
                                   .gso_type = XEN_NETIF_GSO_TYPE_TCPV4,
                                   .gso_bytes = 1448 };
    union netif_rx_slot slots[NETIF_RX_SLOTS_MAX];
    struct netif_rx_chain chain;

    netif_rx_build(&packet, requests, slots);
    assert_int_equal(parse(&chain, slots, 2, &nothing), NETIF_VERDICT_GSO_TYPE);
    slots[1].extra.u.gso.size = 0;
    assert_int_equal(parse(&chain, slots, 2, &all), NETIF_VERDICT_GSO_SIZE);
    slots[1].extra.type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD;
    assert_int_equal(parse(&chain, slots, 2, &all), NETIF_VERDICT_EXTRA_TYPE);
}

static void test_random_answers_never_give_half_a_packet(void **state)
{
    srandom(391);
    for (unsigned int round = 0; round < 300000; round++) {
        union netif_rx_slot slots[30];
        const unsigned int count = (unsigned int)(1 + random() % 30);
        struct netif_rx_chain chain;
        uint32_t sum = 0;

        for (unsigned int i = 0; i < count; i++) {
            unsigned char *bytes = (unsigned char *)&slots[i];

            for (unsigned int j = 0; j < sizeof(slots[i]); j++)
                bytes[j] = (unsigned char)random();
            if (round % 2) {
                slots[i].response.flags &= random() % 4 ? 7 : 15;
                slots[i].response.offset %= 512;
                slots[i].response.status = (int16_t)(random() % 3700);
            }
        }
        parse(&chain, slots, count, &all);
        assert_true(chain.slots <= count);
        assert_true(netif_verdict_is_fatal(chain.verdict) == (chain.slots == 0));
        if (chain.verdict != NETIF_VERDICT_OK)
            continue;
        for (unsigned int i = 0; i < chain.packet.part_count; i++) {
            const struct netif_part *part = &chain.packet.part[i];

            assert_true(part->length_bytes > 0 &&
                        part->offset_bytes + part->length_bytes <= NETIF_GRANT_BYTES);
            assert_true(part->slot < chain.slots);
            sum += part->length_bytes;
        }
        assert_int_equal(sum, chain.packet.length_bytes);
        assert_in_range(sum, NETIF_PACKET_BYTES_MIN, NETIF_PACKET_BYTES_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length_comes_back),
        cmocka_unit_test(test_flags_say_what_is_known),
        cmocka_unit_test(test_spoilt_packet_keeps_its_slots),
        cmocka_unit_test(test_hostile_answers),
        cmocka_unit_test(test_segmentation_that_was_not_asked_for),
        cmocka_unit_test(test_random_answers_never_give_half_a_packet),
    };

    return cmocka_run_group_tests(tests, make_requests, NULL);
}
