#!/bin/bash
# SPDX-License-Identifier: MIT
# Catalogue H09, H02: requests that really are in flight for long, on pages of guests, in a box that breaks as a real
# domain 0 does when a mapping goes away under I/O. The device is removed, the frontend dies, the daemon is killed, the
# guest is destroyed: the box stays whole. What no daemon can see, a reference that outlives the completion, breaks it
# when pages are mapped for each request, and does not when data is copied.
. "$(dirname "$0")/../functions.sh"

need jq

# load: starts one that runs on and waits until it does I/O; its pid goes to $LOAD.
load() {
    xenbox run -d "$DOM" -- xenfront blk bench -q -p randrw -d 16 -t 600 "$VDEV" >"$SCRATCH/load.log" 2>&1 &
    LOAD=$!
    wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 4
    until [ "$(xensplit --run-dir "$SCRATCH/xensplit" -j show "$DOM/$VDEV" | jq ".writes // 0")" -gt 50 ]; do
        kill -0 "$LOAD" || fail "the load ended: $(tail -n 3 "$SCRATCH/load.log")"
    done
}
load_end() {
    kill -KILL "$LOAD" 2>/dev/null || :
    wait "$LOAD" 2>/dev/null || :
}
# Requests are on pages of the guest right now, as the box's kernel counts them.
in_flight() {
    xenbox dump --json | jq '[.connections[].maps[] | .aio + .io_uring] | add'
}
slow_daemon() {
    XENBOX_IO=$1 daemon_start --workers 1 --engine libaio --mapped-io on --data-method "$2"
}

image_make "$SCRATCH/disk.img" 32
box_up --punish
guest_create guest
for method in persistent map; do
    say "$method: removed under load (catalogue H09)"
    slow_daemon delay=5ms "$method"
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    load
    until [ "$(in_flight)" -gt 0 ]; do
        kill -0 "$LOAD"
    done
    xenbox detach "$DOM" vbd "$VDEV"
    load_end

    say "$method: the frontend is killed, then the daemon"
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    load
    load_end
    load
    daemon_kill
    slow_daemon delay=5ms "$method"
    load_end

    say "$method: the guest is destroyed"
    load
    xenbox domain destroy "$DOM"
    load_end
    wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: gone"
    xenbox check >/dev/null || fail "unmapped under I/O"
    daemon_stop
    : >"$DAEMON_LOG"
    guest_create guest
done

say "copy: references that outlive the completion do no harm"
slow_daemon extra-ref=5ms copy
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
load
xenbox detach "$DOM" vbd "$VDEV"
load_end
xenbox check >/dev/null
daemon_stop
box_down

say "map: they do"
box_up --punish
guest_create guest
slow_daemon extra-ref=5ms map
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
in_guest "$DOM" xenfront blk verify --quiet --size=1M "$VDEV" >"$SCRATCH/verify.log" 2>&1 || :
expect_fail 'is damaged: [0-9]+ pages' xenbox check
xenbox detach "$DOM" vbd "$VDEV" --force >/dev/null 2>&1 || :
daemon_stop
xenbox down "$BOX" 2>/dev/null
unset XENBOX
