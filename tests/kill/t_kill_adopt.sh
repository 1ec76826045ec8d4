#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon is killed again and again while guests work, and started anew: their frontends never notice, nothing is
# lost, nothing is answered twice (the frontend checks ids), and what is read back is what was written.
. "$(dirname "$0")/../functions.sh"

KILLS=10
GUESTS=()
PIDS=()

box_up --punish
daemon_start --workers 2
for name in one two; do
    truncate -s 256M "$SCRATCH/$name.img"
    guest_create "$name"
    disk_attach "$DOM" params="$SCRATCH/$name.img" >/dev/null
    in_guest "$DOM" xenfront blk verify --quiet --size=256M --seed="$DOM" "$VDEV" >"$SCRATCH/verify-$DOM.log" 2>&1 &
    GUESTS+=("$DOM")
    PIDS+=($!)
done
for guest in "${GUESTS[@]}"; do
    wait_log "$DAEMON_LOG" "vbd $guest/$VDEV: connected"
done

at_work() {
    kill -0 "${PIDS[@]}" 2>/dev/null
}

kills=0
while [ $kills -lt $KILLS ] && at_work; do
    sleep "0.0$((RANDOM % 80 + 10))" # any moment will do
    daemon_kill
    kills=$((kills + 1))
    : >"$DAEMON_LOG"
    daemon_start --workers 2
    for guest in "${GUESTS[@]}"; do
        ! at_work || wait_log "$DAEMON_LOG" "vbd $guest/$VDEV: (connected: adopted|set up|closed|gone)"
    done
done
say "$kills kills"
[ $kills -gt 2 ] || fail "the guests were done too soon: $kills kills"
for pid in "${PIDS[@]}"; do
    wait "$pid" || fail "a guest noticed"
done
for guest in "${GUESTS[@]}"; do
    grep "no difference" "$SCRATCH/verify-$guest.log"
    xenbox detach "$guest" vbd "$VDEV"
done
