#!/bin/bash
# SPDX-License-Identifier: MIT
# I/O straight to and from mapped pages, in a box that breaks as a real domain 0 does when a mapping goes away while I/O
# refers to it: it is tried at the start, it is right, and in no close, removal or death of the daemon is anything
# unmapped under I/O (the box is checked at the end).
. "$(dirname "$0")/../functions.sh"

need jq
show() {
    xensplit --run-dir "$SCRATCH/xensplit" -j "$1" "$DOM/$VDEV" | jq -r ".$2"
}
# load OPTION...: starts one that runs on, and waits until it does I/O; its pid goes to $LOAD.
load() {
    xenbox run -d "$DOM" -- xenfront blk bench -q -p randrw -d 32 -t 600 "$@" "$VDEV" >"$SCRATCH/load.log" 2>&1 &
    LOAD=$!
    wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 4
    until [ "$(show show reads)" -gt 100 ]; do
        kill -0 "$LOAD" || fail "the load ended"
    done
}

say "where no grant to oneself can be had"
box_up --limit gntalloc-pages=1
daemon_start --workers 1 --engine libaio
grep -q 'warning: I/O on mapped grants is not used here, data is copied: no grant to ourselves' "$DAEMON_LOG" ||
    fail "it does not say why"
daemon_stop
: >"$DAEMON_LOG"
box_down

box_up --punish
guest_create guest
image_make "$SCRATCH/disk.img" 32
for method in persistent map; do
    say "$method"
    daemon_start --workers 2 --engine libaio --data-method "$method" --engine-faults slow=3000,short=3,keep=500
    grep -q 'I/O on mapped grants was tried and is right' "$DAEMON_LOG" || fail "it was not tried, or is not right"
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    load
    until [ "$(show show loans)" -gt 100 ]; do
        kill -0 "$LOAD" || fail "the load ended"
    done
    [ "$(show why has_mapped_io)" = true ] || fail "$(show why mapped_io_reason)"
    [ "$(show why mapped_io_reason)" = "it was tried at the start and is right here" ] || fail "the reason"

    say "$method: the daemon is killed and restarted, the device is removed, the guest is destroyed, all under load"
    daemon_kill
    daemon_start --workers 2 --engine libaio --data-method "$method" --engine-faults slow=3000
    kill -TERM "$LOAD"
    wait "$LOAD" || :
    in_guest "$DOM" xenfront blk verify --quiet --size=4M "$VDEV"
    load
    xenbox detach "$DOM" vbd "$VDEV"
    wait "$LOAD" || :
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    load
    xenbox domain destroy "$DOM"
    wait "$LOAD" 2>/dev/null || :
    wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: gone"
    xenbox check >/dev/null || fail "unmapped under I/O"
    daemon_stop
    : >"$DAEMON_LOG"
    guest_create guest
done

say "reasons against it"
for options in "--engine io_uring" "--engine libaio --mapped-io off" "--engine libaio --data-method copy"; do
    # shellcheck disable=SC2086
    daemon_start --workers 1 $options
    ! grep -q 'I/O on mapped grants' "$DAEMON_LOG" || fail "$options: it was tried"
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    load
    [ "$(show why has_mapped_io)" = false ] || fail "$options: it is used"
    say "$options: $(show why mapped_io_reason)"
    [ "$(show show loans)" = 0 ] || fail "$options: a loan was taken"
    kill -TERM "$LOAD"
    wait "$LOAD" || :
    xenbox detach "$DOM" vbd "$VDEV"
    daemon_stop
    : >"$DAEMON_LOG"
done
