// SPDX-License-Identifier: MIT
/*
 * xenbus_fsm.c: the table. A row is our own state, a column the frontend's.
 *
 * Rules that are not in xenbus.h come from what Linux's and QEMU's backends do, since frontends were written
 * against these: a frontend that is Initialising again after Closed gets InitWait while the device is online;
 * Initialised and Connected both mean "connect" (netfront skips Initialised); a toolstack that unplugs sets
 * online to 0 and our state to Closing, and where no frontend is active nobody else will finish that.
 */
#include <config.h>

#include "common/xenbus_fsm.h"
#include "common/xenbus.h"

/* Short, so that the tables can be read as tables. */
enum {
    none = XENBUS_ACTION_NONE,
    setup = XENBUS_ACTION_SETUP,
    conn = XENBUS_ACTION_CONNECT,
    close = XENBUS_ACTION_CLOSE,
    fin = XENBUS_ACTION_FINISH,
    destr = XENBUS_ACTION_DESTROY,
};

typedef unsigned char action_table[XENBUS_STATE_COUNT][XENBUS_STATE_COUNT];

/* clang-format off */

/* The toolstack wants the device: it is never forgotten, and a frontend may come and go. */
static const action_table online = {
    /*                               Unknown Initialg InitWait Initd  Conn   Closing Closed Reconfg Reconfd */
    [XenbusStateUnknown]        = {  none,   none,    none,    none,  none,  none,   none,  none,   none  },
    [XenbusStateInitialising]   = {  setup,  setup,   setup,   setup, setup, setup,  setup, setup,  setup },
    [XenbusStateInitWait]       = {  none,   none,    none,    conn,  conn,  close,  fin,   none,   none  },
    [XenbusStateInitialised]    = {  none,   none,    none,    conn,  conn,  close,  fin,   none,   none  },
    [XenbusStateConnected]      = {  fin,    setup,   none,    none,  none,  close,  fin,   none,   none  },
    [XenbusStateClosing]        = {  fin,    setup,   none,    none,  none,  close,  fin,   none,   none  },
    [XenbusStateClosed]         = {  none,   setup,   none,    setup, setup, none,   none,  none,   none  },
    [XenbusStateReconfiguring]  = {  fin,    setup,   none,    none,  none,  close,  fin,   none,   none  },
    [XenbusStateReconfigured]   = {  fin,    setup,   none,    none,  none,  close,  fin,   none,   none  },
};

/* The toolstack wants it to go: an active frontend is served until it closes, nothing starts again. */
static const action_table offline = {
    /*                               Unknown Initialg InitWait Initd  Conn   Closing Closed Reconfg Reconfd */
    [XenbusStateUnknown]        = {  none,   none,    none,    none,  none,  none,   none,  none,   none  },
    [XenbusStateInitialising]   = {  none,   setup,   setup,   setup, setup, destr,  destr, setup,  setup },
    [XenbusStateInitWait]       = {  destr,  none,    none,    conn,  conn,  close,  destr, none,   none  },
    [XenbusStateInitialised]    = {  destr,  none,    none,    conn,  conn,  close,  destr, none,   none  },
    [XenbusStateConnected]      = {  destr,  destr,   none,    none,  none,  close,  destr, none,   none  },
    [XenbusStateClosing]        = {  destr,  destr,   destr,   none,  none,  close,  destr, none,   none  },
    [XenbusStateClosed]         = {  destr,  destr,   destr,   destr, destr, destr,  destr, destr,  destr },
    [XenbusStateReconfiguring]  = {  destr,  destr,   none,    none,  none,  close,  destr, none,   none  },
    [XenbusStateReconfigured]   = {  destr,  destr,   none,    none,  none,  close,  destr, none,   none  },
};

/*
 * What stands in our place when this process is new to the device: a half-made set-up is made again, a
 * connected ring is adopted, and everything else is as above.
 */
static const enum xenbus_state fresh_own[XENBUS_STATE_COUNT] = {
    [XenbusStateUnknown]        = XenbusStateUnknown,
    [XenbusStateInitialising]   = XenbusStateInitialising,
    [XenbusStateInitWait]       = XenbusStateInitialising,
    [XenbusStateInitialised]    = XenbusStateInitialising,
    [XenbusStateConnected]      = XenbusStateConnected,
    [XenbusStateClosing]        = XenbusStateClosing,
    [XenbusStateClosed]         = XenbusStateClosed,
    [XenbusStateReconfiguring]  = XenbusStateConnected,
    [XenbusStateReconfigured]   = XenbusStateConnected,
};

/* clang-format on */

/* A frontend that has given its rings and not begun to close. */
static bool peer_is_active(enum xenbus_state peer)
{
    return peer == XenbusStateInitialised || peer == XenbusStateConnected ||
           peer == XenbusStateReconfiguring || peer == XenbusStateReconfigured;
}

enum xenbus_action xenbus_fsm_backend(const struct xenbus_view *view)
{
    enum xenbus_state own = view->own;

    if (!view->is_present)
        return XENBUS_ACTION_DESTROY;
    if (view->is_fresh) {
        own = fresh_own[own];
        if (own == XenbusStateConnected && peer_is_active(view->peer))
            return XENBUS_ACTION_ADOPT;
    }
    return view->is_online ? online[own][view->peer] : offline[own][view->peer];
}

const char *xenbus_action_name(enum xenbus_action action)
{
    static const char *const names[XENBUS_ACTION_COUNT] = {
        [XENBUS_ACTION_NONE] = "none",       [XENBUS_ACTION_SETUP] = "setup",
        [XENBUS_ACTION_CONNECT] = "connect", [XENBUS_ACTION_ADOPT] = "adopt",
        [XENBUS_ACTION_CLOSE] = "close",     [XENBUS_ACTION_FINISH] = "finish",
        [XENBUS_ACTION_DESTROY] = "destroy",
    };

    return names[action];
}
