// SPDX-License-Identifier: MIT
/*
 * check_xenbus_fsm.c: the table of states, over all combinations of both ends' states, online, present, fresh.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/xenbus.h"
#include "common/xenbus_fsm.h"

#define S(name) XenbusState##name
#define A(name) XENBUS_ACTION_##name

/* The state in which an action leaves the device. */
static enum xenbus_state state_after(enum xenbus_action action, enum xenbus_state own)
{
    static const enum xenbus_state after[XENBUS_ACTION_COUNT] = {
        [A(SETUP)] = S(InitWait), [A(CONNECT)] = S(Connected), [A(ADOPT)] = S(Connected),
        [A(CLOSE)] = S(Closing),  [A(FINISH)] = S(Closed),     [A(DESTROY)] = S(Closed),
    };

    return action == A(NONE) ? own : after[action];
}

/* Calls check for every view there is. */
static void each_view(void (*check)(const struct xenbus_view *view))
{
    for (int bits = 0; bits < 8; bits++) {
        for (int own = 0; own < XENBUS_STATE_COUNT; own++) {
            for (int peer = 0; peer < XENBUS_STATE_COUNT; peer++)
                check(&(struct xenbus_view){ own, peer, bits & 1, bits & 2, bits & 4 });
        }
    }
}

static void check_is_defined(const struct xenbus_view *view)
{
    assert_in_range(xenbus_fsm_backend(view), A(NONE), XENBUS_ACTION_COUNT - 1);
}

static void test_every_combination_is_defined(void **state)
{
    each_view(check_is_defined);
}

static void check_absent(const struct xenbus_view *view)
{
    if (!view->is_present)
        assert_int_equal(xenbus_fsm_backend(view), A(DESTROY));
}

static void test_absent_device_is_destroyed(void **state)
{
    each_view(check_absent);
}

/* With a frontend that stands still the device comes to rest, and never goes round in circles. */
static void check_rest(const struct xenbus_view *view)
{
    struct xenbus_view v = *view;

    for (int steps = 0; steps < 5; steps++) {
        enum xenbus_action action = xenbus_fsm_backend(&v);
        enum xenbus_state own = state_after(action, v.own);
        if (action == A(NONE) || action == A(DESTROY) || (own == v.own && !v.is_fresh))
            return;
        v.own = own;
        v.is_fresh = false;
    }
    fail_msg("own %d peer %d online %d fresh %d does not come to rest", view->own, view->peer,
             view->is_online, view->is_fresh);
}

static void test_every_combination_comes_to_rest(void **state)
{
    each_view(check_rest);
}

static void check_connect(const struct xenbus_view *view)
{
    enum xenbus_action action = xenbus_fsm_backend(view);

    if (action == A(CONNECT) || action == A(ADOPT)) {
        /* Rings are taken only from a frontend that has given them. */
        assert_true(view->is_present);
        assert_true(view->peer == S(Initialised) || view->peer == S(Connected) ||
                    view->peer == S(Reconfiguring) || view->peer == S(Reconfigured));
    }
    if (action == A(CONNECT))
        assert_true(!view->is_fresh && (view->own == S(InitWait) || view->own == S(Initialised)));
    if (action == A(ADOPT))
        assert_true(view->is_fresh && view->own >= S(Connected) && view->own != S(Closing) &&
                    view->own != S(Closed));
}

static void test_connects_only_to_a_frontend_that_gave_its_rings(void **state)
{
    each_view(check_connect);
}

static void check_online(const struct xenbus_view *view)
{
    if (view->is_present && view->is_online)
        assert_int_not_equal(xenbus_fsm_backend(view), A(DESTROY));
    if (view->is_present && !view->is_online && view->own == S(Closed))
        assert_int_equal(xenbus_fsm_backend(view), A(DESTROY));
}

static void test_online_device_is_kept_and_offline_one_does_not_start_again(void **state)
{
    each_view(check_online);
}

/* A frontend that is Closed has nothing mapped when we have answered it, wherever we stood. */
static void check_closed_peer(const struct xenbus_view *view)
{
    struct xenbus_view v = *view;

    if (!v.is_present || v.peer != S(Closed) || v.own == S(Unknown))
        return;
    for (int steps = 0; steps < 4 && xenbus_fsm_backend(&v) != A(NONE); steps++) {
        v.own = state_after(xenbus_fsm_backend(&v), v.own);
        v.is_fresh = false;
    }
    assert_int_equal(v.own, S(Closed));
}

static void test_closed_frontend_is_answered_with_closed(void **state)
{
    each_view(check_closed_peer);
}

/* What Linux's and QEMU's backends do, case by case. */
static void test_does_what_frontends_are_used_to(void **state)
{
    static const struct {
        struct xenbus_view view; /* own, peer, online, present, fresh */
        enum xenbus_action action;
    } cases[] = {
        /* attach, connect */
        { { S(Initialising), S(Initialising), 1, 1, 1 }, A(SETUP) },
        { { S(Initialising), S(Unknown), 1, 1, 1 }, A(SETUP) },
        { { S(InitWait), S(Initialising), 1, 1, 0 }, A(NONE) },
        { { S(InitWait), S(Initialised), 1, 1, 0 }, A(CONNECT) },
        { { S(InitWait), S(Connected), 1, 1, 0 }, A(CONNECT) }, /* netfront skips Initialised */
        { { S(Connected), S(Initialised), 1, 1, 0 }, A(NONE) },
        { { S(Connected), S(Connected), 1, 1, 0 }, A(NONE) },
        /* the frontend closes and comes again */
        { { S(Connected), S(Closing), 1, 1, 0 }, A(CLOSE) },
        { { S(Closing), S(Closing), 1, 1, 0 }, A(CLOSE) },
        { { S(Closing), S(Closed), 1, 1, 0 }, A(FINISH) },
        { { S(Connected), S(Closed), 1, 1, 0 }, A(FINISH) },
        { { S(Closed), S(Closed), 1, 1, 0 }, A(NONE) },
        { { S(Closed), S(Initialising), 1, 1, 0 }, A(SETUP) },
        { { S(Closed), S(Initialised), 1, 1, 0 }, A(SETUP) }, /* it did not wait for InitWait */
        { { S(Connected), S(Initialising), 1, 1, 0 }, A(SETUP) }, /* closing was skipped */
        { { S(Closing), S(Initialising), 1, 1, 0 }, A(SETUP) },
        { { S(Connected), S(Unknown), 1, 1, 0 }, A(FINISH) },
        /* the toolstack unplugs: online 0, state Closing */
        { { S(Closing), S(Connected), 0, 1, 0 }, A(NONE) },
        { { S(Closing), S(Closing), 0, 1, 0 }, A(CLOSE) },
        { { S(Closing), S(Closed), 0, 1, 0 }, A(DESTROY) },
        { { S(Closing), S(Initialising), 0, 1, 0 }, A(DESTROY) }, /* no frontend is active */
        { { S(Closed), S(Initialising), 0, 1, 0 }, A(DESTROY) },
        { { S(Connected), S(Connected), 0, 1, 0 }, A(NONE) },
        /* half of the directory is there */
        { { S(Unknown), S(Unknown), 0, 1, 1 }, A(NONE) },
        { { S(Initialising), S(Unknown), 0, 1, 1 }, A(NONE) },
        /* a daemon was killed and another one has started */
        { { S(InitWait), S(Initialised), 1, 1, 1 }, A(SETUP) },
        { { S(Connected), S(Connected), 1, 1, 1 }, A(ADOPT) },
        { { S(Connected), S(Initialised), 1, 1, 1 }, A(ADOPT) },
        { { S(Connected), S(Connected), 0, 1, 1 }, A(ADOPT) },
        { { S(Connected), S(Closed), 1, 1, 1 }, A(FINISH) },
        { { S(Connected), S(Initialising), 1, 1, 1 }, A(SETUP) },
        { { S(Closed), S(Connected), 1, 1, 1 }, A(SETUP) },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (xenbus_fsm_backend(&cases[i].view) != cases[i].action)
            fail_msg("case %zu: own %s, peer %s: %s, expected %s", i, xenbus_state_name(cases[i].view.own),
                     xenbus_state_name(cases[i].view.peer),
                     xenbus_action_name(xenbus_fsm_backend(&cases[i].view)),
                     xenbus_action_name(cases[i].action));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination_is_defined),
        cmocka_unit_test(test_absent_device_is_destroyed),
        cmocka_unit_test(test_every_combination_comes_to_rest),
        cmocka_unit_test(test_connects_only_to_a_frontend_that_gave_its_rings),
        cmocka_unit_test(test_online_device_is_kept_and_offline_one_does_not_start_again),
        cmocka_unit_test(test_closed_frontend_is_answered_with_closed),
        cmocka_unit_test(test_does_what_frontends_are_used_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
