#!/bin/bash
# SPDX-License-Identifier: MIT
# The main job, small: a guest reads a disk to the last byte, copies another in, and verifies a third; then
# everything goes in order and nothing is left.
# short: yes
. "$(dirname "$0")/../functions.sh"
need sha256sum

box_up
daemon_start --workers 2
guest_create

image_make "$SCRATCH/first.img" 9
disk_attach "$DOM" params="$SCRATCH/first.img" mode=r
expected=$(sha256sum <"$SCRATCH/first.img")
found=$(in_guest "$DOM" xenfront blk read --quiet --out=- "$VDEV" | sha256sum)
[ "$expected" = "$found" ] || fail "read: SHA-256 $found, expected $expected"
xenbox detach "$DOM" vbd "$VDEV"

truncate -s 9M "$SCRATCH/second.img"
disk_attach "$DOM" params="$SCRATCH/second.img" mode=w
in_guest "$DOM" xenfront blk copy --quiet --in="$SCRATCH/first.img" "$VDEV"
in_guest "$DOM" xenfront blk info "$VDEV"
xenbox detach "$DOM" vbd "$VDEV"
cmp "$SCRATCH/first.img" "$SCRATCH/second.img"

truncate -s 16M "$SCRATCH/third.img"
disk_attach "$DOM" params="$SCRATCH/third.img" mode=w
in_guest "$DOM" xenfront blk verify --quiet --size=16M "$VDEV"
xenbox detach "$DOM" vbd "$VDEV"

xenbox domain destroy "$DOM"
daemon_stop
