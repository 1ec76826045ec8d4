#!/bin/bash
# SPDX-License-Identifier: MIT
# A daemon that is told to leave its guests to the next one (on-exit = keep) drains, exits 0 and is succeeded without
# the guests noticing. What cannot be taken over, a disk in memory, closes with a reason.
. "$(dirname "$0")/../functions.sh"

box_up --punish
daemon_start --workers 2 --on-exit keep
truncate -s 256M "$SCRATCH/disk.img"
guest_create lasting
LASTING=$DOM
disk_attach "$LASTING" params="$SCRATCH/disk.img" >/dev/null
guest_create fleeting
FLEETING=$DOM
disk_attach "$FLEETING" params=mem:64M >/dev/null
in_guest "$LASTING" xenfront blk verify --quiet --size=256M "$VDEV" >"$SCRATCH/verify.log" 2>&1 &
VERIFY=$!
in_guest "$FLEETING" xenfront blk bench --quiet --seconds=60 --depth=4 "$VDEV" >"$SCRATCH/bench.log" 2>&1 &
BENCH=$!
wait_log "$DAEMON_LOG" "vbd $LASTING/$VDEV: connected"
wait_log "$DAEMON_LOG" "vbd $FLEETING/$VDEV: connected"

daemon_stop
daemon_start --workers 1
wait_log "$DAEMON_LOG" "vbd $LASTING/$VDEV: connected: adopted"
wait_log "$DAEMON_LOG" "vbd $FLEETING/$VDEV: disk mem:64M: expected a disk that outlives the daemon"
wait "$VERIFY" || fail "the guest noticed"
! wait "$BENCH" || fail "a guest whose disk has gone did not notice"
xenbox detach "$LASTING" vbd "$VDEV"
xenbox detach "$FLEETING" vbd "$VDEV"
