#!/bin/bash
# SPDX-License-Identifier: MIT
# The rate of an interface holds the guest's packets back, and is live (catalogue D15): a limit that lets nothing more
# through is lifted while a ring full of packets waits. A rate that does not parse, at the start or later, is said.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/hostile_net.sh"

evil_guest
hostile_start rate rate=4000,4294967295
rate=backend/vif/$EVIL/$VIF/rate
wait_log "$SCRATCH/hostile.log" "^held" "$HOSTILE_PID"
in_dom0 xenstore-write "$rate" "as fast as you can"
wait_log "$DAEMON_LOG" "vif $EVIL/0: .*rate: expected BYTES,MICROSECONDS, found as fast as you can: the rate stays as it was" "$DAEMON"
in_dom0 xenstore-write "$rate" 18446744073709551615,1
hostile_end "rate: 18446744073709551615 bytes in 1 us"

# The timer of a device that goes away while it waits for its rate goes with it.
hostile_start rate rate=4000,4294967295
wait_log "$SCRATCH/hostile.log" "^held" "$HOSTILE_PID"
kill "$HOSTILE_PID"
wait "$HOSTILE_PID" || :
xenbox detach --force "$EVIL" vif $VIF >/dev/null 2>&1 || xenbox detach "$EVIL" vif $VIF >/dev/null

say "a rate that is none"
expect_fail "" xenbox attach --timeout 20 "$EVIL" vif devid=7 port=null rate=100
grep -q "vif $EVIL/7: .*rate: expected BYTES,MICROSECONDS, found 100" "$DAEMON_LOG"
