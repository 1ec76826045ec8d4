// SPDX-License-Identifier: MIT
/*
 * xenbus_fsm.h: what a backend does about the states it sees. A pure table, without I/O: (own state, frontend's
 * state, does the toolstack want the device, is the domain there, is this process new to the device) -> next
 * action. Every combination is defined (catalogue E11); skipped states mean that the skipped work is done.
 *
 * An action is a whole: it is carried out to its end before the states are looked at again (catalogue C09), and
 * carrying it out when it has been done already changes nothing.
 */
#ifndef XENSPLIT_COMMON_XENBUS_FSM_H
#define XENSPLIT_COMMON_XENBUS_FSM_H

#include <stdbool.h>
#include <xen/io/xenbus.h>

enum xenbus_action {
    XENBUS_ACTION_NONE,
    XENBUS_ACTION_SETUP, /* (disconnect and tear down what was) open, publish features, go to InitWait */
    XENBUS_ACTION_CONNECT, /* (disconnect first if connected) read keys, map, go to Connected */
    XENBUS_ACTION_ADOPT, /* set up and connect to rings that an earlier daemon served; the state stays */
    XENBUS_ACTION_CLOSE, /* disconnect, go to Closing */
    XENBUS_ACTION_FINISH, /* disconnect, go to Closed; the frontend may come back */
    XENBUS_ACTION_DESTROY, /* disconnect, tear down, go to Closed if the node is there, forget the device */
};
#define XENBUS_ACTION_COUNT (XENBUS_ACTION_DESTROY + 1)

struct xenbus_view {
    enum xenbus_state own; /* XenbusStateUnknown: the toolstack has not written it yet */
    enum xenbus_state peer; /* XenbusStateUnknown: the node is gone */
    bool is_online; /* the `online` node of the backend directory is 1 */
    bool is_present; /* the backend directory exists and the domain lives */
    bool is_fresh; /* this process has not set the device up: own is what an earlier one left */
};

enum xenbus_action xenbus_fsm_backend(const struct xenbus_view *view);

const char *xenbus_action_name(enum xenbus_action action);

#endif
