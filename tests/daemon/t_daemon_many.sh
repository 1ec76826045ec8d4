#!/bin/bash
# SPDX-License-Identifier: MIT
# t_daemon_many.sh: a hundred devices of ten guests at once, found by a daemon that starts after them.
. "$(dirname "$0")/../functions.sh"

box_up
image_make "$SCRATCH/disk" 4
doms=()
for i in 0 1 2 3 4 5 6 7 8 9; do
    guest_create "guest$i"
    doms+=("$DOM")
done
daemon_start
for i in 0 1 2 3 4 5 6 7 8 9; do
    for dom in "${doms[@]}"; do
        xenbox attach "$dom" vbd vdev=$((51712 + 16 * i)) params="$SCRATCH/disk" mode=r
    done
done
daemon_stop

say "found again by the next daemon"
: >"$DAEMON_LOG"
daemon_start
for dom in "${doms[@]}"; do
    wait_log "$DAEMON_LOG" "vbd $dom/51856: set up"
done
[ "$(grep -c 'set up' "$DAEMON_LOG")" = 100 ]

say "all guests at once"
pids=()
for dom in "${doms[@]}"; do
    in_guest "$dom" xenfront blk read -q -s 4M 51712 >"$SCRATCH/read.$dom" &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid"
done
for dom in "${doms[@]}"; do
    cmp "$SCRATCH/read.$dom" "$SCRATCH/disk"
done
say "all guests gone at once"
for dom in "${doms[@]}"; do
    xenbox domain destroy "$dom"
done
for dom in "${doms[@]}"; do
    wait_log "$DAEMON_LOG" "vbd $dom/51856: gone"
done
