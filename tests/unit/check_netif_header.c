// SPDX-License-Identifier: MIT
/*
 * check_netif_header.c: headers of all shapes, whole and cut at every byte, and checksums against a slow sum.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/netif_header.h"
#include "tests/unit/frames.h"

static const struct frame_recipe recipes[] = {
    { .version = 4, .protocol = 6, .payload_bytes = 100 },
    { .version = 4, .protocol = 6, .payload_bytes = 101, .tcp_options_bytes = 12, .has_cwr = true },
    { .version = 4, .protocol = 17, .payload_bytes = 0 },
    { .version = 4, .protocol = 17, .payload_bytes = 1473, .tags = 1, .ip_options_bytes = 8 },
    { .version = 4,
      .protocol = 6,
      .payload_bytes = 1,
      .tags = 2,
      .ip_options_bytes = 40,
      .tcp_options_bytes = 40 },
    { .version = 6, .protocol = 6, .payload_bytes = 1440 },
    { .version = 6, .protocol = 17, .payload_bytes = 33, .extension_bytes = 24 },
    { .version = 6,
      .protocol = 6,
      .payload_bytes = 7,
      .extension_bytes = 200,
      .tags = 2,
      .tcp_options_bytes = 20 },
    { .version = 4, .protocol = 6, .payload_bytes = 0, .padding_bytes = 6 },
    { .version = 4, .protocol = 17, .payload_bytes = 3, .padding_bytes = 15 },
};

#define RECIPES (sizeof(recipes) / sizeof(recipes[0]))

/* On exactly as much memory as there are bytes. */
static enum netif_verdict parse(struct netif_headers *headers, const uint8_t *bytes, uint32_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    enum netif_verdict verdict;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    verdict = netif_header_parse(headers, copy, length);
    free(copy);
    return verdict;
}

static void test_finds_the_checksum(void **state)
{
    for (size_t i = 0; i < RECIPES; i++) {
        uint8_t bytes[FRAME_BYTES_MAX];
        struct netif_headers headers;
        uint32_t transport, length = frame_make(bytes, &recipes[i], &transport);

        assert_int_equal(parse(&headers, bytes, length), NETIF_VERDICT_OK);
        assert_int_equal(headers.version, recipes[i].version);
        assert_int_equal(headers.protocol, recipes[i].protocol);
        assert_int_equal(headers.transport_bytes, transport);
        assert_int_equal(headers.csum_start, transport);
        assert_int_equal(headers.csum_offset, recipes[i].protocol == 6 ? 16 : 6);
        assert_int_equal(headers.payload_bytes, length - recipes[i].padding_bytes - recipes[i].payload_bytes);
        assert_int_equal(headers.end_bytes, length - recipes[i].padding_bytes);
        assert_int_equal(headers.has_cwr, recipes[i].has_cwr);
    }
}

static void test_header_cut_at_every_byte(void **state)
{
    for (size_t i = 0; i < RECIPES; i++) {
        uint8_t bytes[FRAME_BYTES_MAX];
        struct netif_headers headers;
        uint32_t transport, length = frame_make(bytes, &recipes[i], &transport);

        for (uint32_t cut = 0; cut < length - recipes[i].padding_bytes; cut++)
            assert_int_equal(parse(&headers, bytes, cut),
                             cut < 14 ? NETIF_VERDICT_TOO_SHORT : NETIF_VERDICT_HEADER_CUT);
    }
}

/* What IP itself says is the end counts, too: whole up to there, and no byte of a header behind it. */
static void test_header_that_ip_cuts_short(void **state)
{
    for (size_t i = 0; i < RECIPES; i++) {
        uint8_t bytes[FRAME_BYTES_MAX];
        struct netif_headers headers;
        uint32_t transport, length = frame_make(bytes, &recipes[i], &transport);
        const uint32_t payload = length - recipes[i].padding_bytes - recipes[i].payload_bytes;
        const uint32_t network = 14u + recipes[i].tags * 4u;

        for (uint32_t end = transport; end <= payload; end++) {
            const uint32_t says = recipes[i].version == 4 ? end - network : end - network - 40;
            uint8_t *field = bytes + network + (recipes[i].version == 4 ? 2 : 4);

            field[0] = (uint8_t)(says >> 8);
            field[1] = (uint8_t)says;
            assert_int_equal(parse(&headers, bytes, end),
                             end < payload ? NETIF_VERDICT_HEADER_CUT : NETIF_VERDICT_OK);
            assert_int_equal(parse(&headers, bytes, length),
                             end < payload ? NETIF_VERDICT_HEADER_CUT : NETIF_VERDICT_OK);
        }
    }
}

static void test_finish_gives_the_checksum_of_the_slow_sum(void **state)
{
    for (size_t i = 0; i < RECIPES; i++) {
        uint8_t bytes[FRAME_BYTES_MAX], made[FRAME_BYTES_MAX];
        struct netif_headers headers;
        uint32_t transport, length = frame_make(bytes, &recipes[i], &transport);

        memcpy(made, bytes, length);
        assert_int_equal(parse(&headers, bytes, length), NETIF_VERDICT_OK);
        memset(bytes + headers.csum_start + headers.csum_offset, 0x5a, 2);
        netif_header_finish(&headers, bytes);
        assert_memory_equal(bytes, made, length);
    }
}

static void test_blank_and_complete_is_finish(void **state)
{
    for (size_t i = 0; i < RECIPES; i++) {
        uint8_t bytes[FRAME_BYTES_MAX], made[FRAME_BYTES_MAX];
        struct netif_headers headers;
        uint32_t transport, length = frame_make(bytes, &recipes[i], &transport);

        memcpy(made, bytes, length);
        parse(&headers, bytes, length);
        netif_header_blank(&headers, bytes);
        assert_memory_not_equal(bytes, made, length);
        /* A device sums to the end of what it was given: without the padding. */
        assert_true(netif_csum_complete(bytes, headers.end_bytes, headers.csum_start, headers.csum_offset));
        assert_memory_equal(bytes, made, length);
    }
}

static void test_complete_stays_within_the_packet(void **state)
{
    uint8_t page[64], before[64];

    memset(page, 0x11, sizeof(page));
    memcpy(before, page, sizeof(page));
    assert_false(netif_csum_complete(page, 64, 64, 0));
    assert_false(netif_csum_complete(page, 64, 0, 63));
    assert_false(netif_csum_complete(page, 64, 40, 23));
    assert_false(netif_csum_complete(page, 64, 0xffff, 0xffff));
    assert_false(netif_csum_complete(page, 64, 0xffffffffu, 1));
    assert_false(netif_csum_complete(page, 0, 0, 0));
    assert_memory_equal(page, before, sizeof(page));
    assert_true(netif_csum_complete(page, 64, 40, 22));
    assert_true(netif_csum_complete(page, 64, 62, 0));
}

static void test_what_has_no_checksum_to_fill_in(void **state)
{
    static const struct frame_recipe none[] = {
        { .version = 0 },
        { .version = 4, .protocol = 1, .payload_bytes = 56 },
        { .version = 6, .protocol = 58, .payload_bytes = 56 },
        { .version = 4, .protocol = 17, .payload_bytes = 56, .is_fragment = true },
        { .version = 6, .protocol = 6, .payload_bytes = 56, .is_fragment = true },
    };

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct netif_packet packet = { 0 };
        uint8_t bytes[FRAME_BYTES_MAX];
        struct netif_headers headers;
        uint32_t transport, length = frame_make(bytes, &none[i], &transport);

        assert_int_equal(parse(&headers, bytes, length), NETIF_VERDICT_OK);
        assert_int_equal(headers.protocol, 0);
        assert_int_equal(netif_header_match(&headers, &packet), NETIF_VERDICT_OK);
        packet.is_csum_blank = true;
        assert_int_equal(netif_header_match(&headers, &packet), NETIF_VERDICT_NO_CHECKSUM);
        packet.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
        assert_int_equal(netif_header_match(&headers, &packet), NETIF_VERDICT_GSO_NOT_TCP);
    }
}

static void test_segmentation_must_fit_the_headers(void **state)
{
    for (size_t i = 0; i < RECIPES; i++) {
        uint8_t bytes[FRAME_BYTES_MAX];
        struct netif_headers headers;
        uint32_t transport, length = frame_make(bytes, &recipes[i], &transport);

        parse(&headers, bytes, length);
        for (uint8_t type = XEN_NETIF_GSO_TYPE_TCPV4; type <= XEN_NETIF_GSO_TYPE_TCPV6; type++) {
            struct netif_packet packet = { .gso_type = type };
            const bool fits = recipes[i].protocol == 6 && recipes[i].version == (type == 1 ? 4 : 6);

            assert_int_equal(netif_header_match(&headers, &packet),
                             fits ? NETIF_VERDICT_OK : NETIF_VERDICT_GSO_NOT_TCP);
        }
    }
}

static void test_changed_bytes_never_lead_outside(void **state)
{
    srandom(423);
    for (unsigned int round = 0; round < 200000; round++) {
        const struct frame_recipe *recipe = &recipes[random() % RECIPES];
        uint8_t bytes[FRAME_BYTES_MAX];
        struct netif_headers headers;
        uint32_t transport, length = frame_make(bytes, recipe, &transport);

        for (unsigned int i = random() % 4; i > 0; i--)
            bytes[random() % (transport + 20 < length ? transport + 20 : length)] = (uint8_t)random();
        if (random() % 2)
            length = (uint32_t)random() % length;
        if (parse(&headers, bytes, length) != NETIF_VERDICT_OK)
            continue;
        assert_true(headers.end_bytes <= length);
        if (!headers.protocol)
            continue;
        assert_true(headers.network_bytes < headers.transport_bytes);
        assert_true(headers.payload_bytes <= headers.end_bytes);
        assert_true(headers.csum_start + headers.csum_offset + 2 <= headers.payload_bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_checksum),
        cmocka_unit_test(test_header_cut_at_every_byte),
        cmocka_unit_test(test_header_that_ip_cuts_short),
        cmocka_unit_test(test_finish_gives_the_checksum_of_the_slow_sum),
        cmocka_unit_test(test_blank_and_complete_is_finish),
        cmocka_unit_test(test_complete_stays_within_the_packet),
        cmocka_unit_test(test_what_has_no_checksum_to_fill_in),
        cmocka_unit_test(test_segmentation_must_fit_the_headers),
        cmocka_unit_test(test_changed_bytes_never_lead_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
