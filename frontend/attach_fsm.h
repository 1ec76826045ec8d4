// SPDX-License-Identifier: MIT
/*
 * attach_fsm.h: what a frontend does about the states that it sees in the store. A pure table, without I/O:
 * (phase, own state, backend's state) -> next action. Every combination is defined (catalogue E11), and the
 * same view always gives the same action, so that a watch may fire as often as it likes (E12). The deadline
 * of the caller ends a handshake in which the backend does not move.
 */
#ifndef XENSPLIT_FRONTEND_ATTACH_FSM_H
#define XENSPLIT_FRONTEND_ATTACH_FSM_H

#include <xen/io/xenbus.h>

enum attach_phase {
    ATTACH_OPENING, /* we have no ring: whatever the own node says was left by somebody else */
    ATTACH_PUBLISHED, /* our keys are in the store, the backend has not connected yet */
    ATTACH_CONNECTED,
    ATTACH_CLOSING, /* nothing is in flight any more */
    ATTACH_PHASES
};

enum attach_action {
    ATTACH_ACTION_WAIT, /* for a change of the backend's state */
    ATTACH_ACTION_RESTART, /* own state := Initialising, so that the backend offers itself again */
    ATTACH_ACTION_PUBLISH, /* read what the backend can do, write our keys, own state := Initialised */
    ATTACH_ACTION_CONNECT, /* read the geometry, own state := Connected */
    ATTACH_ACTION_REFRESH, /* connected, and the backend wrote its state again: the size may have changed */
    ATTACH_ACTION_DRAIN, /* the backend wants to close: finish what is in flight, then close */
    ATTACH_ACTION_LOST, /* the backend dropped the connection: what is in flight will not be answered */
    ATTACH_ACTION_GONE, /* the device was removed */
    ATTACH_ACTION_TO_CLOSING, /* own state := Closing */
    ATTACH_ACTION_TO_CLOSED, /* own state := Closed */
    ATTACH_ACTION_DONE, /* both ends are closed, or were never connected */
};

/* States outside of the enumeration count as Unknown, which also stands for a node that is not there. */
enum attach_action attach_fsm(enum attach_phase phase, enum xenbus_state own, enum xenbus_state peer);

#endif
