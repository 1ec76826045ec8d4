// SPDX-License-Identifier: MIT
/*
 * attach_fsm.c: see attach_fsm.h.
 *
 * Rows are the own state, columns the backend's: Unknown, Initialising, InitWait, Initialised, Connected,
 * Closing, Closed, Reconfiguring, Reconfigured.
 */
#include <config.h>

#include "frontend/attach_fsm.h"

#define STATES (XenbusStateReconfigured + 1)

#define WAIT ATTACH_ACTION_WAIT
#define REST ATTACH_ACTION_RESTART
#define PUBL ATTACH_ACTION_PUBLISH
#define CONN ATTACH_ACTION_CONNECT
#define REFR ATTACH_ACTION_REFRESH
#define DRAI ATTACH_ACTION_DRAIN
#define LOST ATTACH_ACTION_LOST
#define GONE ATTACH_ACTION_GONE
#define CLNG ATTACH_ACTION_TO_CLOSING
#define CLSD ATTACH_ACTION_TO_CLOSED
#define DONE ATTACH_ACTION_DONE

/* clang-format off */

/*
 * We have no ring. A backend that is Connected is connected to a ring that died with its program: it is taken
 * down first (Closing, Closed), then asked to start again (Initialising). A backend that skipped InitWait
 * gets the default transport, and so does every backend from this frontend.
 */
static const unsigned char opening[STATES][STATES] = {
    /* peer:                       Unkn  Ing   Wait  Ised  Conn  Clng  Clsd  Ring  Red */
    [XenbusStateUnknown] =       { GONE, GONE, GONE, GONE, GONE, GONE, GONE, GONE, GONE },
    [XenbusStateInitialising] =  { GONE, WAIT, PUBL, PUBL, CLNG, CLSD, WAIT, CLNG, CLNG },
    [XenbusStateInitWait] =      { GONE, REST, REST, REST, CLNG, CLSD, REST, CLNG, CLNG },
    [XenbusStateInitialised] =   { GONE, REST, REST, REST, CLNG, CLSD, REST, CLNG, CLNG },
    [XenbusStateConnected] =     { GONE, REST, REST, REST, CLNG, CLSD, REST, CLNG, CLNG },
    [XenbusStateClosing] =       { GONE, REST, REST, REST, WAIT, CLSD, REST, WAIT, WAIT },
    [XenbusStateClosed] =        { GONE, REST, REST, REST, WAIT, WAIT, REST, WAIT, WAIT },
    [XenbusStateReconfiguring] = { GONE, REST, REST, REST, CLNG, CLSD, REST, CLNG, CLNG },
    [XenbusStateReconfigured] =  { GONE, REST, REST, REST, CLNG, CLSD, REST, CLNG, CLNG },
};

/* With a ring of ours the own node says what we wrote, so that only a missing one matters. */
static const unsigned char published[STATES] = { GONE, WAIT, WAIT, WAIT, CONN, LOST, LOST, WAIT, WAIT };
static const unsigned char connected[STATES] = { GONE, LOST, LOST, LOST, REFR, DRAI, LOST, WAIT, WAIT };

/* Skipped states are tolerated: a backend may go from Connected to Closed without showing Closing. */
static const unsigned char closing[STATES][STATES] = {
    [XenbusStateUnknown] =       { DONE, DONE, DONE, DONE, DONE, DONE, DONE, DONE, DONE },
    [XenbusStateInitialising] =  { DONE, DONE, DONE, DONE, DONE, CLSD, DONE, DONE, DONE },
    [XenbusStateInitWait] =      { DONE, CLNG, CLNG, CLNG, CLNG, CLNG, CLSD, CLNG, CLNG },
    [XenbusStateInitialised] =   { DONE, CLNG, CLNG, CLNG, CLNG, CLNG, CLSD, CLNG, CLNG },
    [XenbusStateConnected] =     { DONE, CLNG, CLNG, CLNG, CLNG, CLNG, CLSD, CLNG, CLNG },
    [XenbusStateClosing] =       { DONE, CLSD, CLSD, CLSD, WAIT, CLSD, CLSD, WAIT, WAIT },
    [XenbusStateClosed] =        { DONE, DONE, DONE, DONE, WAIT, WAIT, DONE, WAIT, WAIT },
    [XenbusStateReconfiguring] = { DONE, CLNG, CLNG, CLNG, CLNG, CLNG, CLSD, CLNG, CLNG },
    [XenbusStateReconfigured] =  { DONE, CLNG, CLNG, CLNG, CLNG, CLNG, CLSD, CLNG, CLNG },
};

/* clang-format on */

static enum xenbus_state state_clamp(enum xenbus_state state)
{
    return (unsigned int)state < STATES ? state : XenbusStateUnknown;
}

enum attach_action attach_fsm(enum attach_phase phase, enum xenbus_state own, enum xenbus_state peer)
{
    own = state_clamp(own);
    peer = state_clamp(peer);
    switch (phase) {
    case ATTACH_OPENING:
        return opening[own][peer];
    case ATTACH_PUBLISHED:
        return own == XenbusStateUnknown ? ATTACH_ACTION_GONE : published[peer];
    case ATTACH_CONNECTED:
        return own == XenbusStateUnknown ? ATTACH_ACTION_GONE : connected[peer];
    default:
        return closing[own][peer];
    }
}
