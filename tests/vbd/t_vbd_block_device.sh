#!/bin/bash
# SPDX-License-Identifier: MIT
# A block device is measured by its own ioctls; one with sectors of 4096 bytes says so to the guest, and gets no
# smaller transfer.
. "$(dirname "$0")/../functions.sh"

[ "$(id -u)" = 0 ] || skip "only root makes loop devices"
need losetup
box_up
daemon_start --workers 1
for sector in 512 4096; do
    say "sectors of $sector bytes"
    truncate -s 16M "$SCRATCH/$sector.img"
    loop=$(losetup --find --show --sector-size "$sector" "$SCRATCH/$sector.img") || skip "no loop devices here"
    defer losetup --detach "$loop"
    guest_create "guest-$sector"
    disk_attach "$DOM" params="$loop" >/dev/null
    in_guest "$DOM" xenfront blk verify --quiet --size=16M "$VDEV"
    for key in sectors=32768 "sector-size=$sector"; do
        value=$(in_dom0 xenstore-read "backend/vbd/$DOM/$VDEV/${key%=*}")
        [ "$value" = "${key#*=}" ] || fail "${key%=*} is $value, expected ${key#*=}"
    done
    # A loop device lets go of what its file has there.
    in_guest "$DOM" xenfront blk discard --quiet "$VDEV"
    [ "$(stat -c %b "$SCRATCH/$sector.img")" -lt 1024 ] || fail "the discard did not reach the device"
    xenbox detach "$DOM" vbd "$VDEV"
done
