#!/bin/bash
# SPDX-License-Identifier: MIT
# Errors of the image itself: the guest gets an error response for exactly the requests that failed, the log says which
# device, operation, sector and error, and the rest of the disk and the other guests are served on.
. "$(dirname "$0")/../functions.sh"

box_up
daemon_start --workers 1
image_make "$SCRATCH/shrinking.img" 8
image_make "$SCRATCH/other.img" 8
guest_create shrinking
SHRINKING=$DOM
disk_attach "$SHRINKING" params="$SCRATCH/shrinking.img" >/dev/null
guest_create other
disk_attach "$DOM" params="$SCRATCH/other.img" >/dev/null

say "an image that was cut in half behind the daemon's back"
truncate -s 4M "$SCRATCH/shrinking.img"
expect_fail "" xenbox run -d "$SHRINKING" -- xenfront blk read --quiet --offset=6M --size=4K --out=/dev/null "$VDEV"
grep -q -E "warning: vbd $SHRINKING/$VDEV q0: read of 1 segments at sector 12288: Input/output error" "$DAEMON_LOG" ||
    fail "the log does not say which read failed and why"
in_guest "$SHRINKING" xenfront blk read --quiet --size=4M --out="$SCRATCH/half" "$VDEV"
cmp "$SCRATCH/half" "$SCRATCH/shrinking.img"

if [ "$(id -u)" = 0 ]; then
    say "a file system that is full"
    mkdir "$SCRATCH/small"
    mount -t tmpfs -o size=1M none "$SCRATCH/small"
    defer umount "$SCRATCH/small"
    truncate -s 8M "$SCRATCH/small/sparse.img"
    guest_create full
    disk_attach "$DOM" params="$SCRATCH/small/sparse.img" >/dev/null
    expect_fail "" xenbox run -d "$DOM" -- xenfront blk verify --quiet --size=8M "$VDEV"
    grep -q -E "vbd $DOM/$VDEV q0: write of [0-9]+ segments at sector [0-9]+: No space left on device" "$DAEMON_LOG" ||
        fail "the log does not say which write failed and why"
    [ "$(grep -c "vbd $DOM/$VDEV q0: write of" "$DAEMON_LOG")" -le 20 ] || fail "a guest can flood the log"
    xenbox detach "$DOM" vbd "$VDEV"
fi

OTHER=$((SHRINKING + 1))
in_guest "$OTHER" xenfront blk verify --quiet --size=8M "$VDEV"
xenbox detach "$OTHER" vbd "$VDEV"
xenbox detach "$SHRINKING" vbd "$VDEV"
