// SPDX-License-Identifier: MIT
/*
 * check_netif_tx.c: chains of transmit slots, good and malformed, at every border.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/netif_tx.h"

static const struct netif_offer all = { true, true, true, true, true };
static const struct netif_offer nothing;

#define SLOTS_MAX 40

struct fixture {
    union netif_tx_slot slot[SLOTS_MAX];
    unsigned int count;
    struct netif_tx_chain chain;
};

static void data(struct fixture *f, uint16_t offset, uint16_t size, uint16_t flags)
{
    f->slot[f->count].request = (struct netif_tx_request){ .gref = 1000 + f->count,
                                                           .offset = offset,
                                                           .flags = flags,
                                                           .id = (uint16_t)(0xff00 + f->count),
                                                           .size = size };
    f->count++;
}

static void gso(struct fixture *f, uint8_t type, uint16_t size, uint8_t flags)
{
    memset(&f->slot[f->count], 0xaa, sizeof(f->slot[0]));
    f->slot[f->count].extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
    f->slot[f->count].extra.flags = flags;
    f->slot[f->count].extra.u.gso.type = type;
    f->slot[f->count].extra.u.gso.size = size;
    f->count++;
}

/* Runs on exactly as much memory as the slots need, so that a look behind them is seen. */
static enum netif_verdict parse(struct fixture *f, const struct netif_offer *offer)
{
    union netif_tx_slot *copy = malloc(f->count * sizeof(*copy));

    assert_non_null(copy);
    memcpy(copy, f->slot, f->count * sizeof(*copy));
    memset(&f->chain, 0x55, sizeof(f->chain));
    netif_tx_parse(&f->chain, copy, f->count, offer);
    free(copy);
    return f->chain.verdict;
}

static void test_single_slot_packet(void **state)
{
    struct fixture f = { 0 };

    data(&f, 100, 60, NETTXF_csum_blank | NETTXF_data_validated);
    data(&f, 0, 9, 0); /* the next packet's */
    assert_int_equal(parse(&f, &all), NETIF_VERDICT_OK);
    assert_int_equal(f.chain.slots, 1);
    assert_int_equal(f.chain.packet.part_count, 1);
    assert_int_equal(f.chain.packet.length_bytes, 60);
    assert_true(f.chain.packet.is_csum_blank && f.chain.packet.is_validated);
    assert_int_equal(f.chain.packet.part[0].offset_bytes, 100);
    assert_int_equal(f.chain.packet.part[0].length_bytes, 60);
    assert_int_equal(f.chain.packet.part[0].gref, 1000);
    assert_int_equal(f.chain.packet.part[0].id, 0xff00);
}

static void test_first_slot_has_the_size_of_all(void **state)
{
    struct fixture f = { 0 };

    data(&f, 4000, 1500, NETTXF_more_data | NETTXF_extra_info);
    gso(&f, XEN_NETIF_GSO_TYPE_TCPV4, 1448, 0);
    data(&f, 0, 1000, NETTXF_more_data);
    data(&f, 4095, 1, NETTXF_more_data);
    data(&f, 1, 499, 0);
    f.slot[0].request.size = 1596;
    assert_int_equal(parse(&f, &all), NETIF_VERDICT_OK);
    assert_int_equal(f.chain.slots, 5);
    assert_int_equal(f.chain.extras, 1);
    assert_int_equal(f.chain.packet.part_count, 4);
    assert_int_equal(f.chain.packet.part[0].length_bytes, 96);
    assert_int_equal(f.chain.packet.part[3].slot, 4);
    assert_int_equal(f.chain.packet.gso_type, XEN_NETIF_GSO_TYPE_TCPV4);
    assert_int_equal(f.chain.packet.gso_bytes, 1448);
}

static void test_catalogue_d17_offset_and_size_in_32_bits(void **state)
{
    static const struct {
        uint16_t offset, size;
        enum netif_verdict verdict;
    } cases[] = {
        { 0, 4096, NETIF_VERDICT_OK },
        { 4082, 14, NETIF_VERDICT_OK },
        { 10, 0, NETIF_VERDICT_TOO_SHORT },
        { 10, 1, NETIF_VERDICT_TOO_SHORT },
        { 10, 13, NETIF_VERDICT_TOO_SHORT },
        { 10, 4, NETIF_VERDICT_TOO_SHORT },
        { 10, 4095, NETIF_VERDICT_OUTSIDE_PAGE },
        { 10, 4096, NETIF_VERDICT_OUTSIDE_PAGE },
        { 1, 4096, NETIF_VERDICT_OUTSIDE_PAGE },
        { 4097, 14, NETIF_VERDICT_OUTSIDE_PAGE },
        { 65535, 65535, NETIF_VERDICT_OUTSIDE_PAGE },
        { 65522, 14, NETIF_VERDICT_OUTSIDE_PAGE }, /* 65536: 0 in 16 bits */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f = { 0 };

        data(&f, cases[i].offset, cases[i].size, 0);
        assert_int_equal(parse(&f, &all), cases[i].verdict);
        assert_int_equal(f.chain.slots, 1);
    }
}

static void test_first_slot_smaller_than_the_rest(void **state)
{
    for (unsigned int place = 1; place < 5; place++) {
        struct fixture f = { 0 };

        for (unsigned int i = 0; i < 5; i++)
            data(&f, 0, i == 0 ? 600 : i == place ? 601 : 0, i < 4 ? NETTXF_more_data : 0);
        assert_int_equal(parse(&f, &all), NETIF_VERDICT_FIRST_TOO_SMALL);
        assert_int_equal(f.chain.slots, 5); /* all of them are answered: catalogue E17 */
    }
}

static void test_catalogue_d11_empty_slots_are_left_out(void **state)
{
    for (unsigned int place = 0; place < 4; place++) {
        struct fixture f = { 0 };
        uint16_t size[4] = { 200, 200, 200, 200 };

        size[place] = 0;
        for (unsigned int i = 0; i < 4; i++)
            data(&f, 0, size[i], i < 3 ? NETTXF_more_data : 0);
        f.slot[0].request.size = 600;
        assert_int_equal(parse(&f, &all), NETIF_VERDICT_OK);
        assert_int_equal(f.chain.slots, 4);
        assert_int_equal(f.chain.packet.part_count, 3);
        for (unsigned int i = 0; i < 3; i++)
            assert_int_equal(f.chain.packet.part[i].length_bytes, 200);
    }
    /* Only such slots. */
    struct fixture f = { 0 };

    for (unsigned int i = 0; i < 4; i++)
        data(&f, 0, 0, i < 3 ? NETTXF_more_data : 0);
    assert_int_equal(parse(&f, &all), NETIF_VERDICT_TOO_SHORT);
    assert_int_equal(f.chain.slots, 4);
}

static void test_catalogue_d10_d12_number_of_slots(void **state)
{
    for (unsigned int slots = 14; slots <= NETIF_PARTS_MAX + 4; slots++) {
        struct fixture f = { 0 };

        for (unsigned int i = 0; i < slots; i++)
            data(&f, 4095, 1, i + 1 < slots ? NETTXF_more_data : 0);
        f.slot[0].request.size = (uint16_t)slots; /* one byte each */
        if (slots <= NETIF_PARTS_MAX) {
            assert_int_equal(parse(&f, &all), NETIF_VERDICT_OK);
            assert_int_equal(f.chain.packet.part_count, slots);
            assert_int_equal(f.chain.slots, slots);
        } else {
            assert_int_equal(parse(&f, &all), NETIF_VERDICT_TOO_MANY_SLOTS);
            assert_int_equal(f.chain.slots, 0);
        }
    }
    assert_true(NETIF_PARTS_MAX >= XEN_NETIF_NR_SLOTS_MIN);
}

static void test_catalogue_d02_chain_that_does_not_end(void **state)
{
    for (unsigned int count = 1; count < 10; count++) {
        struct fixture f = { 0 };

        for (unsigned int i = 0; i < count; i++)
            data(&f, 0, 1400, NETTXF_more_data);
        assert_int_equal(parse(&f, &all), NETIF_VERDICT_UNFINISHED);
        assert_int_equal(f.chain.slots, 0);
    }
    for (unsigned int count = 1; count < SLOTS_MAX; count++) {
        struct fixture f = { 0 };

        data(&f, 0, 1400, NETTXF_extra_info);
        while (f.count < count)
            gso(&f, XEN_NETIF_GSO_TYPE_TCPV4, 1400, XEN_NETIF_EXTRA_FLAG_MORE);
        assert_int_equal(parse(&f, &all), NETIF_VERDICT_UNFINISHED);
        assert_int_equal(f.chain.slots, 0);
    }
}

static void test_gso_must_make_sense_and_be_offered(void **state)
{
    static const struct {
        uint8_t type;
        uint16_t size;
        enum netif_verdict verdict;
    } cases[] = {
        { XEN_NETIF_GSO_TYPE_TCPV4, 1448, NETIF_VERDICT_OK },
        { XEN_NETIF_GSO_TYPE_TCPV6, 8, NETIF_VERDICT_OK },
        { XEN_NETIF_GSO_TYPE_TCPV6, 65535, NETIF_VERDICT_OK },
        { XEN_NETIF_GSO_TYPE_TCPV6, 7, NETIF_VERDICT_GSO_SIZE },
        { XEN_NETIF_GSO_TYPE_TCPV4, 0, NETIF_VERDICT_GSO_SIZE },
        { XEN_NETIF_GSO_TYPE_NONE, 1448, NETIF_VERDICT_GSO_TYPE },
        { 3, 1448, NETIF_VERDICT_GSO_TYPE },
        { 255, 1448, NETIF_VERDICT_GSO_TYPE },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f = { 0 };

        data(&f, 0, 3000, NETTXF_extra_info);
        gso(&f, cases[i].type, cases[i].size, 0);
        assert_int_equal(parse(&f, &all), cases[i].verdict);
        assert_int_equal(f.chain.slots, 2);
        if (cases[i].verdict == NETIF_VERDICT_OK)
            assert_int_equal(parse(&f, &nothing), NETIF_VERDICT_GSO_TYPE);
    }
}

static void test_extras_of_every_type(void **state)
{
    for (unsigned int type = 0; type < 256; type++) {
        struct fixture f = { 0 };
        enum netif_verdict expected = NETIF_VERDICT_EXTRA_TYPE;

        data(&f, 0, 100, NETTXF_extra_info);
        gso(&f, XEN_NETIF_GSO_TYPE_TCPV4, 1400, 0);
        f.slot[1].extra.type = (uint8_t)type;
        if (type == XEN_NETIF_EXTRA_TYPE_GSO || type == XEN_NETIF_EXTRA_TYPE_HASH)
            expected = NETIF_VERDICT_OK;
        if (type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD || type == XEN_NETIF_EXTRA_TYPE_MCAST_DEL)
            expected = NETIF_VERDICT_MULTICAST;
        assert_int_equal(parse(&f, &all), expected);
        assert_int_equal(f.chain.slots, 2);
    }
    /* Twice the same one, and then another that ends the chain. */
    struct fixture f = { 0 };

    data(&f, 0, 100, NETTXF_extra_info);
    gso(&f, XEN_NETIF_GSO_TYPE_TCPV4, 1400, XEN_NETIF_EXTRA_FLAG_MORE);
    gso(&f, XEN_NETIF_GSO_TYPE_TCPV6, 1400, XEN_NETIF_EXTRA_FLAG_MORE);
    gso(&f, XEN_NETIF_GSO_TYPE_TCPV4, 1400, 0);
    assert_int_equal(parse(&f, &all), NETIF_VERDICT_EXTRA_TWICE);
    assert_int_equal(f.chain.slots, 4);
}

static void test_answers_keep_ids_and_leave_extras_out(void **state)
{
    struct netif_tx_response responses[4];
    struct fixture f = { 0 };

    data(&f, 0, 2000, NETTXF_extra_info | NETTXF_more_data);
    gso(&f, XEN_NETIF_GSO_TYPE_TCPV4, 1400, 0);
    data(&f, 0, 500, NETTXF_more_data);
    data(&f, 0, 500, 0);
    parse(&f, &all);
    netif_tx_answer(&f.chain, f.slot, NETIF_RSP_ERROR, responses);
    for (unsigned int i = 0; i < 4; i++) {
        assert_int_equal(responses[i].status, i == 1 ? NETIF_RSP_NULL : NETIF_RSP_ERROR);
        if (i != 1)
            assert_int_equal(responses[i].id, 0xff00 + i);
    }
}

static void test_what_is_built_is_what_is_parsed(void **state)
{
    srandom(7);
    for (unsigned int round = 0; round < 20000; round++) {
        struct netif_packet packet = { .is_csum_blank = random() % 2 };
        struct fixture f = { 0 };

        packet.is_validated = packet.is_csum_blank;
        packet.part_count = (uint8_t)(1 + random() % NETIF_PARTS_MAX);
        if (random() % 2) {
            packet.gso_type = (uint8_t)(1 + random() % 2);
            packet.gso_bytes = (uint16_t)(8 + random() % 60000);
        }
        for (unsigned int i = 0; i < packet.part_count; i++) {
            struct netif_part *part = &packet.part[i];

            part->offset_bytes = (uint16_t)(random() % 2048);
            part->length_bytes = (uint16_t)(14 + random() % 2000);
            part->gref = (uint32_t)random();
            part->id = (uint16_t)random();
            part->slot = (uint16_t)(i + (i > 0 && packet.gso_type));
            packet.length_bytes += part->length_bytes;
        }
        f.count = netif_tx_slots(&packet);
        netif_tx_build(&packet, f.slot);
        assert_int_equal(parse(&f, &all), NETIF_VERDICT_OK);
        assert_int_equal(f.chain.slots, f.count);
        assert_memory_equal(f.chain.packet.part, packet.part, packet.part_count * sizeof(packet.part[0]));
        assert_int_equal(f.chain.packet.length_bytes, packet.length_bytes);
        assert_int_equal(f.chain.packet.gso_bytes, packet.gso_bytes);
        assert_int_equal(f.chain.packet.is_csum_blank, packet.is_csum_blank);
    }
}

static void test_random_slots_never_give_half_a_packet(void **state)
{
    srandom(39);
    for (unsigned int round = 0; round < 300000; round++) {
        struct fixture f = { 0 };
        uint32_t sum = 0;

        f.count = (unsigned int)(1 + random() % SLOTS_MAX);
        for (unsigned int i = 0; i < f.count; i++) {
            unsigned char *bytes = (unsigned char *)&f.slot[i];

            for (unsigned int j = 0; j < sizeof(f.slot[i]); j++)
                bytes[j] = (unsigned char)random();
            if (round % 2) { /* near enough to good ones that many pass */
                f.slot[i].request.flags &= random() % 4 ? 7 : 15;
                f.slot[i].request.offset %= 512;
                f.slot[i].request.size %= i ? 600 : 9000;
            }
        }
        parse(&f, &all);
        assert_true(f.chain.slots <= f.count);
        assert_true(netif_verdict_is_fatal(f.chain.verdict) == (f.chain.slots == 0));
        if (f.chain.verdict != NETIF_VERDICT_OK)
            continue;
        assert_in_range(f.chain.packet.part_count, 1, NETIF_PARTS_MAX);
        for (unsigned int i = 0; i < f.chain.packet.part_count; i++) {
            const struct netif_part *part = &f.chain.packet.part[i];

            assert_in_range(part->length_bytes, 1, NETIF_GRANT_BYTES);
            assert_true(part->offset_bytes + part->length_bytes <= NETIF_GRANT_BYTES);
            assert_true(part->slot < f.chain.slots);
            sum += part->length_bytes;
        }
        assert_int_equal(sum, f.chain.packet.length_bytes);
        assert_in_range(sum, NETIF_PACKET_BYTES_MIN, NETIF_PACKET_BYTES_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_slot_packet),
        cmocka_unit_test(test_first_slot_has_the_size_of_all),
        cmocka_unit_test(test_catalogue_d17_offset_and_size_in_32_bits),
        cmocka_unit_test(test_first_slot_smaller_than_the_rest),
        cmocka_unit_test(test_catalogue_d11_empty_slots_are_left_out),
        cmocka_unit_test(test_catalogue_d10_d12_number_of_slots),
        cmocka_unit_test(test_catalogue_d02_chain_that_does_not_end),
        cmocka_unit_test(test_gso_must_make_sense_and_be_offered),
        cmocka_unit_test(test_extras_of_every_type),
        cmocka_unit_test(test_answers_keep_ids_and_leave_extras_out),
        cmocka_unit_test(test_what_is_built_is_what_is_parsed),
        cmocka_unit_test(test_random_slots_never_give_half_a_packet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
