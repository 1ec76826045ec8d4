#!/bin/bash
# SPDX-License-Identifier: MIT
# The thread that reads for libxenstore has no memory for a message and ends, for good and without a word: nothing that
# the store says reaches the daemon any more. It finds out, says so, and makes a new connection; guests that are
# connected notice nothing.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/faults.sh"

box_up
alloc_daemon_start --workers 1 --store-check 1
truncate -s 1M "$SCRATCH/disk.img"
guest_create
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
xenbox run -d "$DOM" -- xenfront blk bench -q -p randrw -d 4 -t 3600 "$VDEV" >"$SCRATCH/bench.log" 2>&1 &
BENCH=$!
defer eval "kill -TERM $BENCH 2>/dev/null; wait $BENCH || :"
wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: connected"

for round in 1 2 3; do
    say "round $round, $SECONDS s"
    : >"$DAEMON_LOG"
    failed=$(alloc_read failed)
    alloc_fail 1 store
    xenbox attach "$DOM" vbd vdev=$((VDEV + 16 * round)) params=mem:1M --timeout 20 >/dev/null # the first that it hears
    [ "$(alloc_read failed)" -gt "$failed" ] || fail "no allocation failed"
    wait_log "$DAEMON_LOG" 'the store is gone'
    wait_log "$DAEMON_LOG" 'the store is back'
    in_guest "$DOM" "$XS_BUILDDIR/tests/faults/cycle" $((VDEV + 16 * round)) 3
    kill -0 $BENCH || fail "a guest that was connected noticed"
done
