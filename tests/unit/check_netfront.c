// SPDX-License-Identifier: MIT
/*
 * check_netfront.c: the life of a handle of a network device: connecting, keys, closing, the link, states at any time.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/net_handle.h"

#define ALL_PAGES (2 + 256 + 256)

static void test_connects_with_its_keys(void **state)
{
    struct xenfront_net_info info;

    assert_int_equal(xenfront_net_info(net, &info), -ENOTCONN);
    connect_all();
    assert_int_equal(xenfront_net_info(net, &info), 0);
    assert_true(info.has_mac && info.mac[2] == 0x3e && info.mac[5] == 1);
    assert_true(info.is_link_up && !info.is_split);
    assert_true(info.can_sg && info.can_csum_ipv4 && info.can_csum_ipv6);
    assert_true(info.can_gso_tcpv4 && info.can_gso_tcpv6);
    assert_int_equal(info.mtu, 1500);
    assert_string_equal(fake_store_read(FRONT "request-rx-copy"), "1");
    assert_string_equal(fake_store_read(FRONT "feature-rx-notify"), "1");
    assert_string_equal(fake_store_read(FRONT "feature-sg"), "1");
    assert_string_equal(fake_store_read(FRONT "feature-gso-tcpv6"), "1");
    assert_string_equal(fake_store_read(FRONT "feature-ipv6-csum-offload"), "1");
    assert_string_equal(fake_store_read(FRONT "feature-no-csum-offload"), "0");
    assert_non_null(fake_store_read(FRONT "event-channel"));
    assert_null(fake_store_read(FRONT "event-channel-tx"));
    assert_int_equal(fake_pages(), ALL_PAGES);
}

static void test_closes(void **state)
{
    connect_all();
    assert_int_equal(xenfront_net_shutdown(net, 1000), 0);
    assert_string_equal(fake_store_read(FRONT "state"), "5");
    assert_int_equal(fake_pages(), ALL_PAGES); /* the backend has not let go yet */
    state_set(XenbusStateClosing);
    pump();
    assert_string_equal(fake_store_read(FRONT "state"), "6");
    state_set(XenbusStateClosed);
    pump();
    assert_int_equal(xenfront_net_state(net), XENFRONT_IDLE);
    assert_int_equal(fake_pages(), 0);
}

static void test_connects_again(void **state)
{
    for (int i = 0; i < 3; i++) {
        connect_all();
        packet_make(sent, 100);
        assert_int_equal(packet_send(154, NULL), 0);
        xenfront_net_close(net, 0);
        state_set(XenbusStateInitWait);
        fake_store_write(FRONT "state", "1");
    }
}

/* catalogue E13, E15: keys of another channel arrangement do not stay; too few grants are said so. */
static void test_split_channels_and_stale_keys(void **state)
{
    struct xenfront_net_info info;

    fake_store_write(BACK "feature-split-event-channels", "1");
    fake_store_write(FRONT "event-channel", "77");
    fake_store_write(FRONT "multi-queue-num-queues", "4");
    connect_all();
    assert_null(fake_store_read(FRONT "event-channel"));
    assert_null(fake_store_read(FRONT "multi-queue-num-queues"));
    assert_non_null(fake_store_read(FRONT "event-channel-tx"));
    assert_non_null(fake_store_read(FRONT "event-channel-rx"));
    xenfront_net_info(net, &info);
    assert_true(info.is_split);
}

static void test_e15_a_limit_of_grants_is_named(void **state)
{
    fake_hyper_limit(300);
    assert_int_equal(xenfront_net_start(net, 0), 0);
    assert_int_equal(pump(), -ENOSPC);
    assert_non_null(strstr(xenfront_net_error(net), "the limit of this domain is reached"));
    assert_int_equal(fake_pages(), 0);
}

static void refused_with(const char *words)
{
    assert_int_equal(xenfront_net_start(net, 0), 0);
    assert_int_equal(pump(), -EPROTO);
    if (!strstr(xenfront_net_error(net), words))
        fail_msg("the error is: %s", xenfront_net_error(net));
}

static void test_nonsense_keys_are_refused(void **state)
{
    fake_store_write(BACK "feature-sg", "yes");
    refused_with("feature-sg: 0 or 1 expected, found 'yes'");
    xenfront_net_close(net, 0);
    fake_store_write(FRONT "state", "1");
    fake_store_write(BACK "feature-sg", "1");
    fake_store_write(BACK "feature-rx-copy", "0");
    refused_with("feature-rx-copy 1 expected");
    xenfront_net_close(net, 0);
    fake_store_write(FRONT "state", "1");
    fake_store_write(BACK "feature-rx-copy", "1");
    fake_store_write(FRONT "mac", "01:16:3e:00:00:01");
    refused_with("a unicast address like");
    xenfront_net_close(net, 0);
    fake_store_write(FRONT "state", "1");
    fake_store_write(FRONT "mac", "00:16:3e:00:00:01");
    fake_store_write(FRONT "mtu", "20");
    refused_with("a number from 68 to 65521 expected");
}

/* Each length goes out byte for byte, whatever the pages and the private header make of it. */
static void test_the_link_goes_and_comes(void **state)
{
    struct xenfront_net_info info;

    fake_store_write(BACK "carrier", "0");
    connect_all();
    xenfront_net_info(net, &info);
    assert_false(info.is_link_up);
    fake_store_write(BACK "carrier", "1");
    pump();
    xenfront_net_info(net, &info);
    assert_true(info.is_link_up);
    fake_store_write(BACK "carrier", "maybe"); /* changes nothing */
    pump();
    xenfront_net_info(net, &info);
    assert_true(info.is_link_up);
    assert_int_equal(xenfront_net_state(net), XENFRONT_CONNECTED);
}

/* catalogue E10, E14: every state of the backend, at any time; the pages go after the grants. */
static void test_e10_states_at_any_time(void **state)
{
    for (unsigned int peer = 0; peer <= 8; peer++) {
        connect_all();
        state_set(peer);
        pump();
        xenfront_net_close(net, 0);
        assert_int_equal(fake_pages(), 0);
        fake_store_write(FRONT "state", "1");
        state_set(XenbusStateInitWait);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_connects_with_its_keys),
        TEST(test_closes),
        TEST(test_connects_again),
        TEST(test_split_channels_and_stale_keys),
        TEST(test_e15_a_limit_of_grants_is_named),
        TEST(test_nonsense_keys_are_refused),
        TEST(test_the_link_goes_and_comes),
        TEST(test_e10_states_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
