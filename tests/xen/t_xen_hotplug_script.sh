#!/bin/bash
# SPDX-License-Identifier: MIT
# The hotplug script tells the toolstack what the daemon thinks of a disk's target: connected, or the reason why not, at
# once, and a disk that was refused can be had after all when the target is there.
. "$(dirname "$0")/../functions.sh"

SCRIPT=$XS_SRCDIR/backend/hotplug/block-xensplit
image=$SCRATCH/image

box_up
guest_create
daemon_start

say "a good target"
image_make "$image" 1
disk_attach "$DOM" params="$image" script="$SCRIPT"
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/hotplug-status" connected
in_guest "$DOM" xenfront blk read --quiet --out="$SCRATCH/out" "$VDEV"
cmp "$image" "$SCRATCH/out"
xenbox detach "$DOM" vbd "$VDEV"

say "targets that cannot be served"
expect_fail "vbd $DOM/$VDEV: cannot open $SCRATCH/none.*: No such file" \
    xenbox attach "$DOM" vbd vdev="$VDEV" params="$SCRATCH/none" script="$SCRIPT"
expect_fail "vbd $DOM/$VDEV: .*expected a regular file or a block device, found a directory" \
    xenbox attach "$DOM" vbd vdev="$VDEV" params="$SCRATCH" script="$SCRIPT"

say "the same device with the target in place"
disk_attach "$DOM" params="$image" script="$SCRIPT"
in_guest "$DOM" xenfront blk info "$VDEV"
xenbox detach "$DOM" vbd "$VDEV"

say "the script by itself"
expect_fail "XENBUS_PATH is not set" env -u XENBUS_PATH "$SCRIPT" add
expect_fail "the device is gone|expected target=PATH" \
    xenbox run -- env XENBUS_PATH=backend/vbd/77/51712 "$SCRIPT" add
in_dom0 env XENBUS_PATH=backend/vbd/77/51712 "$SCRIPT" remove
