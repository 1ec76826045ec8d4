#!/bin/bash
# SPDX-License-Identifier: MIT
# A frontend that is killed under load, refused, stopped, or loses its disk: whoever comes next connects and finds a
# disk that works, and the store says what it should.
. "$(dirname "$0")/../functions.sh"

box_up
daemon_start --workers 2
guest_create
truncate -s 32M "$SCRATCH/disk.img"
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
NODES=/local/domain/$DOM/device/vbd/$VDEV

# load_start COMMAND...: `xenfront blk COMMAND` in the background, connected when this returns; its process is $LOAD.
load_start() {
    in_guest "$DOM" xenfront blk "$@" "$VDEV" >"$SCRATCH/load.log" 2>&1 &
    LOAD_JOB=$!
    wait_store "$NODES/state" 4
    LOAD=$(in_dom0 xenstore-read "$NODES/xenfront-owner")
    LOAD=${LOAD%% *}
}
# load_end STATUS: it must end with this exit status.
load_end() {
    local status=0
    wait "$LOAD_JOB" || status=$?
    [ $status = "$1" ] || {
        cat "$SCRATCH/load.log"
        fail "xenfront ended with $status, expected $1"
    }
}
works() {
    in_guest "$DOM" xenfront blk verify --quiet --size=4M "$VDEV"
}

say "killed under load, three times in a row"
for command in "bench --depth=32 --seconds=60" "verify --size=32M" "bench --depth=8 --pattern=write --seconds=60"; do
    # shellcheck disable=SC2086
    load_start $command
    kill -KILL "$LOAD"
    load_end 137
    works
done

say "a second program is refused, the first one goes on"
load_start bench --seconds=60
expect_fail "in use by process $LOAD of this domain" xenbox run -d "$DOM" -- xenfront blk info "$VDEV"
kill -0 "$LOAD" || fail "the first program is gone"

for signal in TERM INT HUP; do
    say "SIG$signal closes the device"
    kill -s "$signal" "$LOAD"
    load_end $((128 + $(kill -l "$signal")))
    [ "$(in_dom0 xenstore-read "$NODES/state")" = 6 ] || fail "the device is not closed"
    in_dom0 xenstore-exists "$NODES/xenfront-owner" && fail "the claim stayed"
    load_start bench --depth=4 --seconds=60
done

kill -KILL "$LOAD"
load_end 137

say "taken over from a program that lives: it ends, and does not take the device with it"
for round in 1 2 3 4 5; do
    load_start bench --depth=32 --seconds=60
    in_guest "$DOM" xenfront blk verify --quiet --size=4M --takeover "$VDEV"
    ! wait "$LOAD_JOB" || fail "the first program did not notice"
done
load_start bench --depth=4 --seconds=60

say "another driver's device is left alone, unless taken over"
kill -KILL "$LOAD"
load_end 137
in_dom0 xenstore-rm "$NODES/xenfront-owner"
expect_fail "another driver has it in state Connected" xenbox run -d "$DOM" -- xenfront blk info "$VDEV"
in_guest "$DOM" xenfront blk info --takeover "$VDEV" >/dev/null
works

say "detached under load"
load_start bench --depth=32 --seconds=60
xenbox detach "$DOM" vbd "$VDEV"
load_end 1
grep -q "the backend closes the device" "$SCRATCH/load.log" || fail "said: $(cat "$SCRATCH/load.log")"
expect_fail "no such device in this domain" xenbox run -d "$DOM" -- xenfront blk info "$VDEV"

say "the daemon ends under load"
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
load_start bench --depth=32 --seconds=60
daemon_stop
load_end 1
daemon_start
works
xenbox detach "$DOM" vbd "$VDEV"
