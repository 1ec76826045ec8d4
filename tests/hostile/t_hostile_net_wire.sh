#!/bin/bash
# SPDX-License-Identifier: MIT
# The far end of a socket port goes away while packets are on their way, comes back, speaks nonsense: the link is down
# meanwhile, the log says why, what is sent is lost and answered, and the same guest is served when somebody is there
# again; and one that does not read keeps no device (catalogue D09, D14).
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/hostile_net.sh"

evil_guest
hostile far-end "warning: vif [0-9]+/0 q0: port socket:$WIRE: the far end is gone: it has closed the connection"
grep -q "vif $EVIL/0 q0: port socket:$WIRE: the far end takes the connection again" "$DAEMON_LOG"
hostile far-end-sleeps
hostile far-end-full
hostile nonsense "expected frames of 14 to 65535 bytes, each behind its length in 4 bytes, found a length of 1195725856"
hostile bad-frames
! grep -q "closing after an error" "$DAEMON_LOG" || fail "a device was closed"

