#!/bin/bash
# SPDX-License-Identifier: MIT
# When xenstored dies, or the hypervisor process, or the program between, or when a guest's ring is broken, the
# programs of the guest read end of file: nothing hangs, and other guests do not notice a broken ring.
. "$(dirname "$0")/../functions.sh"
need jq

LOAD=$XS_BUILDDIR/tests/xenstore/xs_load

# The part of the box that dies, and what its log or the proxy's says about it.
part_dies() {
    local part=$1 client pid
    say "$part is killed"
    box_up
    guest_create
    XENSTORED_PATH=$XENBOX/store/$DOM "$LOAD" wait >"$SCRATCH/$part.log" &
    client=$!
    wait_log "$SCRATCH/$part.log" connected
    pid=$(jq -r ".pids.$part" "$XENBOX/box.json")
    kill -KILL "$pid"
    wait_exit "$client" || fail "a program still waits for the store"
    wait "$client" || fail "a program did not read end of file"
    expect_fail . xenbox run -d "$DOM" -- xenstore-read name
    xenbox down "$BOX"
    unset XENBOX
}

say "a ring with an impossible index"
box_up
guest_create other
other=$DOM
guest_create
env XENSTORED_PATH="$XENBOX/store/$DOM" "$LOAD" wait >"$SCRATCH/broken.log" &
client=$!
wait_log "$SCRATCH/broken.log" connected
in_dom0 "$LOAD" corrupt "$DOM"
expect_fail . env XENSTORED_PATH="$XENBOX/store/$DOM" xenstore-read name # the event makes the ring be looked at
wait_exit "$client" || fail "a program still waits for the store"
[ ! -e "$XENBOX/store/$DOM" ]
[ "$(in_guest "$other" xenstore-read name)" = other ]
[ "$(grep -c "domain $DOM: the store has broken the ring" "$XENBOX/xenbox-xenbus.log")" = 1 ]
xenbox domain destroy "$DOM"
xenbox domain destroy "$other"
box_down

part_dies xenstored
part_dies xenbus
part_dies hv
