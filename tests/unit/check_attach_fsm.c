// SPDX-License-Identifier: MIT
/*
 * check_attach_fsm.c: the frontend's state table, every view of it, and plays it against model backends: whatever
 * an earlier frontend left and however the backend moves, a connection comes about or the end is clean.
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

#include "frontend/attach_fsm.h"

#define STATES (XenbusStateReconfigured + 1)

static void test_every_view_has_an_action(void **state)
{
    for (int phase = 0; phase < ATTACH_PHASES; phase++)
        for (int own = -1; own <= STATES; own++)
            for (int peer = -1; peer <= STATES; peer++)
                assert_in_range(attach_fsm(phase, own, peer), ATTACH_ACTION_WAIT, ATTACH_ACTION_DONE);
}

static void test_removed_device_is_noticed_in_every_phase(void **state)
{
    for (int own = 0; own < STATES; own++) {
        assert_int_equal(attach_fsm(ATTACH_OPENING, own, XenbusStateUnknown), ATTACH_ACTION_GONE);
        assert_int_equal(attach_fsm(ATTACH_PUBLISHED, own, XenbusStateUnknown), ATTACH_ACTION_GONE);
        assert_int_equal(attach_fsm(ATTACH_CONNECTED, own, XenbusStateUnknown), ATTACH_ACTION_GONE);
        assert_int_equal(attach_fsm(ATTACH_CLOSING, own, XenbusStateUnknown), ATTACH_ACTION_DONE);
    }
    for (int peer = 0; peer < STATES; peer++) {
        assert_int_equal(attach_fsm(ATTACH_OPENING, XenbusStateUnknown, peer), ATTACH_ACTION_GONE);
        assert_int_equal(attach_fsm(ATTACH_PUBLISHED, XenbusStateUnknown, peer), ATTACH_ACTION_GONE);
        assert_int_equal(attach_fsm(ATTACH_CONNECTED, XenbusStateUnknown, peer), ATTACH_ACTION_GONE);
        assert_int_equal(attach_fsm(ATTACH_CLOSING, XenbusStateUnknown, peer), ATTACH_ACTION_DONE);
    }
}

static void test_states_outside_the_enumeration_count_as_unknown(void **state)
{
    for (int phase = 0; phase < ATTACH_PHASES; phase++) {
        assert_int_equal(attach_fsm(phase, XenbusStateInitialising, 99),
                         attach_fsm(phase, XenbusStateInitialising, XenbusStateUnknown));
        assert_int_equal(attach_fsm(phase, -1, XenbusStateInitWait),
                         attach_fsm(phase, XenbusStateUnknown, XenbusStateInitWait));
    }
}

/* Features are read only in or after InitWait (E13). */
static void test_publishes_only_to_a_backend_that_offers_itself(void **state)
{
    for (int own = 0; own < STATES; own++)
        for (int peer = 0; peer < STATES; peer++)
            if (attach_fsm(ATTACH_OPENING, own, peer) == ATTACH_ACTION_PUBLISH) {
                assert_int_equal(own, XenbusStateInitialising);
                assert_true(peer == XenbusStateInitWait || peer == XenbusStateInitialised);
            }
}

/* E11: a backend that closes before or instead of connecting. */
static void test_early_closing_refuses_the_connection(void **state)
{
    assert_int_equal(attach_fsm(ATTACH_PUBLISHED, XenbusStateInitialised, XenbusStateClosing),
                     ATTACH_ACTION_LOST);
    assert_int_equal(attach_fsm(ATTACH_PUBLISHED, XenbusStateInitialised, XenbusStateClosed),
                     ATTACH_ACTION_LOST);
    assert_int_equal(attach_fsm(ATTACH_CONNECTED, XenbusStateConnected, XenbusStateClosing),
                     ATTACH_ACTION_DRAIN);
    assert_int_equal(attach_fsm(ATTACH_CONNECTED, XenbusStateConnected, XenbusStateClosed),
                     ATTACH_ACTION_LOST);
    assert_int_equal(attach_fsm(ATTACH_CONNECTED, XenbusStateConnected, XenbusStateInitWait),
                     ATTACH_ACTION_LOST);
}

/* A backend as Linux's and ours behave, one reaction to what the frontend shows. */
static int backend_react(int own, int peer)
{
    switch (peer) {
    case XenbusStateInitialising:
        return own == XenbusStateClosed || own == XenbusStateInitialising ? XenbusStateInitWait : own;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        return own == XenbusStateInitWait || own == XenbusStateInitialised ? XenbusStateConnected : own;
    case XenbusStateClosing:
        return own == XenbusStateClosed ? own : XenbusStateClosing;
    case XenbusStateClosed:
        return XenbusStateClosed;
    default:
        return own;
    }
}

/* Plays until the wanted phase or end is reached. Returns the number of rounds, or -1. */
static int play(enum attach_phase phase, int own, int peer, enum attach_action goal)
{
    for (int round = 0; round < 20; round++) {
        enum attach_action action = attach_fsm(phase, own, peer);

        if (action == goal)
            return round;
        switch (action) {
        case ATTACH_ACTION_RESTART:
            own = XenbusStateInitialising;
            break;
        case ATTACH_ACTION_PUBLISH:
            own = XenbusStateInitialised;
            phase = ATTACH_PUBLISHED;
            break;
        case ATTACH_ACTION_TO_CLOSING:
            own = XenbusStateClosing;
            break;
        case ATTACH_ACTION_TO_CLOSED:
            own = XenbusStateClosed;
            break;
        case ATTACH_ACTION_WAIT:
            peer = backend_react(peer, own);
            break;
        default:
            return -1;
        }
    }
    return -1;
}

/* Whatever a dead program left: any own state, any state of a backend that is there. */
static void test_connects_from_every_left_over_state(void **state)
{
    for (int own = XenbusStateInitialising; own < STATES; own++)
        for (int peer = XenbusStateInitialising; peer <= XenbusStateClosed; peer++)
            if (play(ATTACH_OPENING, own, peer, ATTACH_ACTION_CONNECT) < 0)
                fail_msg("own %d, peer %d: no connection", own, peer);
}

static void test_closes_from_every_state(void **state)
{
    for (int own = XenbusStateInitialising; own < STATES; own++)
        for (int peer = XenbusStateInitialising; peer <= XenbusStateClosed; peer++)
            if (play(ATTACH_CLOSING, own, peer, ATTACH_ACTION_DONE) < 0)
                fail_msg("own %d, peer %d: does not close", own, peer);
}

/* The ring is taken away only when the backend has let go of it. */
static void test_a_connected_ring_is_not_done_while_the_backend_is_connected(void **state)
{
    for (int own = XenbusStateInitWait; own < STATES; own++)
        assert_int_not_equal(attach_fsm(ATTACH_CLOSING, own, XenbusStateConnected), ATTACH_ACTION_DONE);
    assert_int_not_equal(attach_fsm(ATTACH_CLOSING, XenbusStateClosed, XenbusStateClosing),
                         ATTACH_ACTION_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_view_has_an_action),
        cmocka_unit_test(test_removed_device_is_noticed_in_every_phase),
        cmocka_unit_test(test_states_outside_the_enumeration_count_as_unknown),
        cmocka_unit_test(test_publishes_only_to_a_backend_that_offers_itself),
        cmocka_unit_test(test_early_closing_refuses_the_connection),
        cmocka_unit_test(test_connects_from_every_left_over_state),
        cmocka_unit_test(test_closes_from_every_state),
        cmocka_unit_test(test_a_connected_ring_is_not_done_while_the_backend_is_connected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
