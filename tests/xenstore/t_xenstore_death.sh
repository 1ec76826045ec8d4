#!/bin/bash
# SPDX-License-Identifier: MIT
# When xenstored dies, or the hypervisor process, or the program between, the programs of a guest read end of
# file: nothing hangs, and the box says what it lost.
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

part_dies xenstored
part_dies xenbus
part_dies hv
