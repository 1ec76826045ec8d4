// SPDX-License-Identifier: MIT
/*
 * check_echo.c: the frames of `xenfront net ping`, and lines and records of `xenfront net dump`.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/netif_header.h"
#include "frontend/tools/describe.h"
#include "frontend/tools/echo.h"

static struct echo_end us, them;
static uint8_t frame[2000];

static void ends_set(const char *our, const char *their)
{
    assert_int_equal(echo_parse(our, &us), 0);
    assert_int_equal(echo_parse(their, &them), 0);
    memcpy(us.mac, "\x00\x16\x3e\x00\x00\x01", 6);
    memcpy(them.mac, "\x00\x16\x3e\x00\x00\x02", 6);
}

/* What we sent is read by the other end, and its answer by us: found and asked are two sides of one thing. */
static void both_ways(const char *our, const char *their)
{
    struct echo_end stranger = { 0 };
    uint16_t sequence;
    size_t bytes, length;
    uint8_t mac[6];

    ends_set(our, their);
    memcpy(mac, them.mac, 6);
    length = echo_ask(frame, &us, &them);
    assert_true(length <= sizeof(frame));
    assert_int_equal(echo_read(frame, length, &them, &us, 7, &sequence, &bytes), ECHO_ASKED);
    assert_int_equal(echo_read(frame, length, &us, &them, 7, &sequence, &bytes), ECHO_OTHER);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(echo_read(frame, cut, &them, &us, 7, &sequence, &bytes), ECHO_OTHER);
    length = echo_answer(frame, &them);
    memset(them.mac, 0, 6);
    assert_int_equal(echo_read(frame, length, &us, &them, 7, &sequence, &bytes), ECHO_FOUND);
    assert_memory_equal(them.mac, mac, 6);
    stranger.is_ipv6 = us.is_ipv6;
    assert_int_equal(echo_read(frame, length, &us, &stranger, 7, &sequence, &bytes), ECHO_OTHER);
}

static void test_neighbours_find_each_other_ipv4(void **state)
{
    both_ways("192.0.2.1", "192.0.2.2");
}

static void test_neighbours_find_each_other_ipv6(void **state)
{
    both_ways("fe80::1", "2001:db8::12:3456");
}

/* Turns our request into their reply, as a kernel does. */
static size_t reply_make(uint16_t sequence, size_t data)
{
    uint8_t *icmp = frame + (them.is_ipv6 ? 54 : 34);
    size_t length = echo_request(frame, &them, &us, 7, sequence, data);
    uint32_t sum = (uint32_t)(icmp[2] << 8 | icmp[3]) + (them.is_ipv6 ? 0xffffu - 0x0100u : 0x0800u);

    icmp[0] = them.is_ipv6 ? 129 : 0; /* the checksum follows the type: RFC 1624 */
    sum = (sum & 0xffff) + (sum >> 16);
    icmp[2] = (uint8_t)(sum >> 8);
    icmp[3] = (uint8_t)sum;
    return length;
}

static void replies(const char *our, const char *their)
{
    uint16_t sequence = 0;
    size_t bytes = 0, length;

    ends_set(our, their);
    for (size_t data = 0; data < 1400; data += 99) {
        length = reply_make((uint16_t)(data + 1), data);
        assert_int_equal(echo_read(frame, length, &us, &them, 7, &sequence, &bytes), ECHO_REPLY);
        assert_int_equal(sequence, data + 1);
        assert_int_equal(bytes, data);
        assert_int_equal(echo_read(frame, length, &us, &them, 8, &sequence, &bytes), ECHO_OTHER);
        frame[length - 1] ^= 1;
        assert_int_equal(echo_read(frame, length, &us, &them, 7, &sequence, &bytes), ECHO_OTHER);
    }
}

static void test_replies_are_checked_ipv4(void **state)
{
    replies("10.0.0.1", "10.0.0.2");
}

static void test_replies_are_checked_ipv6(void **state)
{
    replies("fe80::1", "fe80::2");
}

/* Short, long and wild frames: nothing is read outside of them (run under the address sanitizer). */
static void test_wild_frames_are_nothing(void **state)
{
    unsigned int seed = 1;
    uint16_t sequence;
    size_t bytes;

    ends_set("10.0.0.1", "10.0.0.2");
    for (int i = 0; i < 100000; i++) {
        size_t length = (size_t)rand_r(&seed) % 90;
        uint8_t *wild = malloc(length ? length : 1);

        for (size_t at = 0; at < length; at++)
            wild[at] = (uint8_t)rand_r(&seed);
        if (length > 14) {
            wild[12] = i & 1 ? 8 : 0x86;
            wild[13] = i & 1 ? (uint8_t)(i & 2 ? 6 : 0) : 0xdd;
        }
        us.is_ipv6 = them.is_ipv6 = !(i & 1);
        assert_int_equal(echo_read(wild, length, &us, &them, 7, &sequence, &bytes), ECHO_OTHER);
        free(wild);
    }
}

static void test_addresses(void **state)
{
    static const char *const wrong[] = { "", "1.2.3", "1.2.3.4.5", "::g", "host", "1.2.3.4/24" };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(echo_parse(wrong[i], &us), -EINVAL);
}

static void test_lines(void **state)
{
    char text[256], little[24];
    size_t length;

    ends_set("10.0.0.1", "10.0.0.2");
    length = echo_request(frame, &us, &them, 1, 1, 10);
    assert_string_equal(describe(text, sizeof(text), frame, (uint32_t)length, (uint32_t)length),
                        "52 00:16:3e:00:00:01 > 00:16:3e:00:00:02 IPv4 10.0.0.1 > 10.0.0.2 protocol 1");
    describe(little, sizeof(little), frame, (uint32_t)length, (uint32_t)length);
    assert_int_equal(strlen(little), sizeof(little) - 1);
    length = echo_ask(frame, &us, &them);
    assert_non_null(strstr(describe(text, sizeof(text), frame, (uint32_t)length, (uint32_t)length), " ARP"));
    assert_string_equal(describe(text, sizeof(text), frame, 5, 5), "5 too short");
}

static void test_pcap(void **state)
{
    static const uint8_t start[] = { 0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0 };
    static const uint8_t record[] = { 2, 0, 0, 0, 3, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0 };
    uint8_t bytes[PCAP_START_BYTES];

    pcap_start(bytes);
    assert_memory_equal(bytes, start, sizeof(start));
    assert_int_equal(bytes[20], 1);
    pcap_record(bytes, 2000003, 60);
    assert_memory_equal(bytes, record, sizeof(record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_find_each_other_ipv4),
        cmocka_unit_test(test_neighbours_find_each_other_ipv6),
        cmocka_unit_test(test_replies_are_checked_ipv4),
        cmocka_unit_test(test_replies_are_checked_ipv6),
        cmocka_unit_test(test_wild_frames_are_nothing),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_pcap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
