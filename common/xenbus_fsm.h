// SPDX-License-Identifier: MIT
/*
 * xenbus_fsm.h: what a backend does about the states it sees. A pure table, without I/O: (own state, frontend's
 * state, does the toolstack want the device, is the domain there) -> next action. Every combination is defined
 * (catalogue E11); skipped states mean that the skipped work is done.
 */
#ifndef XENSPLIT_COMMON_XENBUS_FSM_H
#define XENSPLIT_COMMON_XENBUS_FSM_H

#include <stdbool.h>
#include <xen/io/xenbus.h>

enum xenbus_action {
    XENBUS_ACTION_NONE,
    XENBUS_ACTION_SETUP, /* open, publish features, go to InitWait */
    XENBUS_ACTION_CONNECT, /* (disconnect first if connected) read keys, map, go to Connected */
    XENBUS_ACTION_CLOSE, /* disconnect, go to Closing */
    XENBUS_ACTION_FINISH, /* disconnect, go to Closed; the node stays */
    XENBUS_ACTION_DESTROY, /* disconnect, go to Closed if the node is there, forget the device */
};

struct xenbus_view {
    enum xenbus_state own;
    enum xenbus_state peer; /* XenbusStateUnknown: node gone or nonsense */
    bool is_online; /* the `online` node of the backend directory is 1 */
    bool is_present; /* the backend directory exists and the domain lives */
};

enum xenbus_action xenbus_fsm_backend(const struct xenbus_view *view);

#endif
