#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon's verification and its deaths in every kind of domain 0 with every way to move data: in each it verifies a
# disk, then it and its frontends are killed at random while they work, three guests at a time. What was acknowledged is
# read back, and at the end of each box its tables balance.
# limit: 600
. "$(dirname "$0")/../functions.sh"

KILLS=$(rounds 3 300)

# work DOMID NAME: verifies its disk again and again until $SCRATCH/enough or enough.NAME is there.
work() {
    while [ ! -e "$SCRATCH/enough" ] && [ ! -e "$SCRATCH/enough.$2" ]; do
        xenbox run -d "$1" -- xenfront blk verify --quiet --size=2M --seed="$RANDOM" "$VDEV" &
        echo $! >"$SCRATCH/program.$2"
        wait $! || return
    done
}
daemon_up() {
    daemon_start --workers 2 --engine libaio --mapped-io on --data-method "$1"
}

kill_suite() {
    local method=$1 name pid=() round
    rm -f "$SCRATCH/enough"
    for name in 0 1 2; do
        work "${guests[name]}" $name >>"$SCRATCH/work-$name.log" 2>&1 &
        pid[name]=$!
    done
    for ((round = 0; round < KILLS; round++)); do
        sleep "0.$((RANDOM % 30 + 10))" # any moment will do
        if [ $((round % 3)) = 2 ]; then # the third guest's frontend
            touch "$SCRATCH/enough.2" # it may have been through already, and be about to begin anew
            kill -KILL "$(cat "$SCRATCH/program.2")" 2>/dev/null || :
            wait "${pid[2]}" || :
            rm "$SCRATCH/enough.2"
            work "${guests[2]}" 2 >>"$SCRATCH/work-2.log" 2>&1 &
            pid[2]=$!
        fi
        if [ $((round % 3)) != 1 ]; then
            daemon_kill
            daemon_up "$method"
        fi
    done
    touch "$SCRATCH/enough"
    for name in 0 1 2; do
        wait "${pid[name]}" || fail "$XS_MODE, $method: guest $name noticed: $(tail -n 3 "$SCRATCH/work-$name.log")"
    done
}

for XS_MODE in autotranslated pv pv32; do
    export XS_MODE
    box_up
    guests=()
    for name in 0 1 2; do
        truncate -s 2M "$SCRATCH/$name.img"
        guest_create "guest$name"
        guests+=("$DOM")
    done
    for method in copy persistent map; do
        say "$XS_MODE, $method"
        daemon_up "$method"
        for name in 0 1 2; do
            disk_attach "${guests[name]}" params="$SCRATCH/$name.img" >/dev/null
        done
        in_guest "${guests[0]}" xenfront blk verify --quiet --size=2M "$VDEV"
        wait_log "$DAEMON_LOG" "vbd ${guests[0]}/$VDEV: ring ref .*, data method $method$"
        kill_suite "$method"
        for name in 0 1 2; do
            xenbox detach "${guests[name]}" vbd "$VDEV"
        done
        daemon_stop
        : >"$DAEMON_LOG"
    done
    box_down
done
