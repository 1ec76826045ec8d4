#!/bin/bash
# SPDX-License-Identifier: MIT
# t_daemon_states.sh: the states of a device's life, and what is no state; a device that cannot be served says why.
. "$(dirname "$0")/../functions.sh"

box_up
daemon_start
guest_create
image_make "$SCRATCH/disk" 8
BACK=/local/domain/0/backend/vbd/$DOM/$VDEV
FRONT=/local/domain/$DOM/device/vbd/$VDEV
ERROR=/local/domain/0/error/backend/vbd/$DOM/$VDEV/error

say "nonsense states are ignored"
disk_attach "$DOM" params="$SCRATCH/disk" mode=w
for state in 99 9 -1 four ''; do
    in_guest "$DOM" xenstore-write -- "$FRONT/state" "$state"
    [ -z "$state" ] || wait_log "$DAEMON_LOG" "$FRONT/state: expected a number from 0 to 8, found \"$state\""
done
in_guest "$DOM" xenstore-write -- "$FRONT/state" 1
[ "$(in_dom0 xenstore-read "$BACK/state")" = 2 ]

say "connect, close, again"
for _ in 1 2 3; do
    in_guest "$DOM" xenfront blk verify -q -s 1M "$VDEV"
    wait_store "$BACK/state" 6
done

say "a second device with the same image, which is writable and in use"
expect_fail . xenbox attach "$DOM" vbd vdev=51728 params="$SCRATCH/disk" mode=w
wait_log "$DAEMON_LOG" "vbd $DOM/51728: .*$SCRATCH/disk"
in_guest "$DOM" xenfront blk verify -q -s 1M "$VDEV"

say "a frontend that gives no ring"
in_guest "$DOM" xenstore-write -- "$FRONT/state" 1
wait_store "$BACK/state" 2
in_guest "$DOM" xenstore-rm "$FRONT/ring-ref" || :
in_guest "$DOM" xenstore-write -- "$FRONT/state" 3
wait_store "$BACK/state" 5
in_dom0 xenstore-read "$ERROR" | grep -q ring-ref

say "and makes up for it"
in_guest "$DOM" xenstore-write -- "$FRONT/state" 6
wait_store "$BACK/state" 6
in_guest "$DOM" xenfront blk verify -q -s 1M "$VDEV"
expect_fail . xenbox run -- xenstore-read "$ERROR"

say "a frontend directory of somebody else"
VICTIM=$DOM
guest_create other
in_dom0 xenstore-write "/local/domain/0/backend/vbd/$DOM/$VDEV/frontend" "/local/domain/$VICTIM/device/vbd/$VDEV" \
    "/local/domain/0/backend/vbd/$DOM/$VDEV/frontend-id" "$DOM" \
    "/local/domain/0/backend/vbd/$DOM/$VDEV/online" 1 \
    "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 1
wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: frontend: expected a directory below /local/domain/$DOM "
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 5
in_dom0 xenstore-rm "/local/domain/0/backend/vbd/$DOM"

say "the other device never noticed"
in_guest "$VICTIM" xenfront blk verify -q -s 1M "$VDEV"
xenbox detach "$VICTIM" vbd "$VDEV"
