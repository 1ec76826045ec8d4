// SPDX-License-Identifier: MIT
/*
 * check_netif_ring.c: what a backend leaves in a transmit ring when it dies between an answer and its push.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/netif_ring.h"

static union {
    netif_tx_sring_t sring;
    uint8_t bytes[NETIF_RING_BYTES];
} page;

/* The successor finds the same request but for its grant reference, and so answers the same id. */
static void test_an_answer_without_push_is_given_again(void **state)
{
    const struct netif_tx_response okay = { .id = 0x1234, .status = NETIF_RSP_OKAY };
    netif_tx_back_ring_t ring;
    union netif_tx_slot slot;

    SHARED_RING_INIT(&page.sring);
    page.sring.ring[0].req = (struct netif_tx_request){
        .gref = 77, .id = 0x1234, .size = 60, .flags = NETTXF_more_data, .offset = 8
    };
    page.sring.req_prod = 1;
    netif_tx_ring_attach(&ring, &page);
    netif_tx_ring_take(&ring, &slot);
    netif_tx_ring_answer(&ring, &okay);
    assert_memory_equal(&page.sring.ring[0].rsp, &okay, sizeof(okay));

    netif_tx_ring_attach(&ring, &page);
    assert_int_equal(netif_tx_ring_waiting(&ring), 1);
    memset(&slot, 0xff, sizeof(slot));
    netif_tx_ring_take(&ring, &slot);
    assert_int_equal(slot.request.id, 0x1234);
    assert_int_equal(slot.request.size, 60);
    assert_int_equal(slot.request.flags, NETTXF_more_data);
    assert_int_equal(slot.request.offset, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_without_push_is_given_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
