#!/bin/bash
# SPDX-License-Identifier: MIT
# t_daemon_term.sh: SIGTERM under load. on-exit=close: what is in flight is finished, the states become Closed, the
# next daemon serves the device again. on-exit=keep: the guest notices nothing but a pause.
. "$(dirname "$0")/../functions.sh"

box_up
guest_create
image_make "$SCRATCH/disk" 16
image_make "$SCRATCH/idle" 4
BACK=/local/domain/0/backend/vbd/$DOM

say "close"
daemon_start --workers 2
disk_attach "$DOM" params="$SCRATCH/disk" mode=w
VDEV=51728 disk_attach "$DOM" params="$SCRATCH/idle" mode=w
in_guest "$DOM" xenfront blk bench -q -p randrw -d 32 -t 60 "$VDEV" >"$SCRATCH/bench.log" 2>&1 &
bench=$!
wait_store "$BACK/$VDEV/state" 4
daemon_stop
wait $bench || :
[ "$(in_dom0 xenstore-read "$BACK/$VDEV/state")" = 6 ]
[ "$(in_dom0 xenstore-read "$BACK/51728/state")" = 6 ]

say "the next daemon offers both again"
daemon_start --workers 2
in_guest "$DOM" xenfront blk verify -q -s 4M "$VDEV"
in_guest "$DOM" xenfront blk verify -q -s 1M 51728
daemon_stop

for round in 1 2 3; do
    say "keep, round $round"
    daemon_start --workers 2 --on-exit keep
    in_guest "$DOM" xenfront blk bench -q -p randrw -d 32 --seconds=2 "$VDEV" >"$SCRATCH/bench.log" 2>&1 &
    bench=$!
    wait_store "$BACK/$VDEV/state" 4
    daemon_stop
    [ "$(in_dom0 xenstore-read "$BACK/$VDEV/state")" = 4 ]
    daemon_start --workers 2 --on-exit keep
    wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: connected: adopted from an earlier daemon"
    wait $bench
    wait_store "$BACK/$VDEV/state" 6
    daemon_stop
    : >"$DAEMON_LOG"
done

say "a second signal does not wait"
daemon_start
kill -STOP "$DAEMON"
kill -TERM "$DAEMON"
kill -INT "$DAEMON"
kill -CONT "$DAEMON"
wait "$DAEMON" || [ $? = 1 ]
unset DAEMON
