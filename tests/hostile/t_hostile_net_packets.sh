#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests that send packets which no good frontend would, and good ones: each bad one is answered with an error and not
# seen outside, and the next good one comes out whole (catalogue D01, D08, D10, D11, D12, D13, D16, D17, D18, E17).
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/hostile_net.sh"

evil_guest
hostile service
hostile split
hostile sizes "a slot that does not lie within its page"
hostile chains "a first slot whose size is smaller than the sum of the others"
hostile extras "an extra slot of a type that was not offered"
hostile checksums "a blank checksum where there is neither TCP nor UDP"
hostile grants "a granted page cannot be copied"
hostile fuzz
hostile ids
hostile reuse
hostile mutation

say "gso"
xenbox run -d "$EVIL" -- "$HOSTILE_NET" 2 "$WIRE" gso >"$SCRATCH/hostile.log" 2>&1 &
HOSTILE_PID=$!
wait_log "$SCRATCH/hostile.log" "^listening" "$HOSTILE_PID"
xenbox attach --timeout "$DEADLINE" "$EVIL" vif devid=2 mac=00:16:3e:00:00:66 port=null >/dev/null
VIF=2
hostile_end "a kind of segmentation that was not offered"
