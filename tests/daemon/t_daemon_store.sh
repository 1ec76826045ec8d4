#!/bin/bash
# SPDX-License-Identifier: MIT
# t_daemon_store.sh: a connected device is served on while the store stalls, and when it is gone for good; the daemon
# says so, and ends in an orderly way.
. "$(dirname "$0")/../functions.sh"

box_up
daemon_start --workers 2
guest_create
image_make "$SCRATCH/disk" 8
disk_attach "$DOM" params="$SCRATCH/disk" mode=w
STORE=$(sed -n 's/.*"xenstored": \([0-9]*\).*/\1/p' "$XENBOX/box.json")

# served: the guest's writes reach the image.
served() {
    local before now end=$((SECONDS + DEADLINE))
    before=$(stat -c %y "$SCRATCH/disk")
    while now=$(stat -c %y "$SCRATCH/disk") && [ "$now" = "$before" ]; do
        [ $SECONDS -lt $end ] || fail "the device is not served"
        sleep 0.01
    done
}

in_guest "$DOM" xenfront blk bench -q -p randwrite -d 8 -t 60 "$VDEV" >"$SCRATCH/bench.log" 2>&1 &
bench=$!
wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: connected"
served

say "the store stalls"
kill -STOP "$STORE"
served
kill -CONT "$STORE"
[ "$(in_dom0 xenstore-read "/local/domain/0/backend/vbd/$DOM/$VDEV/state")" = 4 ]

say "the store is killed"
kill -KILL "$STORE"
wait_log "$DAEMON_LOG" 'the store is gone'
served
served
kill -0 "$DAEMON"

say "and the daemon ends without it"
daemon_stop
kill -KILL $bench
wait $bench || :

# This box is broken, and has to say so.
xenbox list | grep -q "$BOX .*xenstored"
xenbox down "$BOX"
unset XENBOX
