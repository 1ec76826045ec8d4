#!/bin/bash
# SPDX-License-Identifier: MIT
# QEMU's own block backend, qdisk, serves our frontend: 64 MiB are verified, and an ext4 image that was written
# through it passes e2fsck.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/interop.sh"
need "$XEN_QEMU" mke2fs e2fsck

# qemu_start: the device model of the guest, as dom0's toolstack starts it for the disks of a PV guest.
qemu_start() {
    xenbox run -- "$XEN_QEMU" -M xenpv -xen-domid "$DOM" -xen-attach -nodefaults -no-user-config -display none \
        -monitor none -serial none 2>"$SCRATCH/qemu.log" &
    QEMU=$!
    defer qemu_stop
}
qemu_stop() {
    local status=0
    kill -TERM "$QEMU" && wait "$QEMU" || status=$?
    [ $status = 0 ] || echo "FAIL: QEMU ended with status $status"
    return $status
}

box_up
guest_create
qemu_start

truncate -s 64M "$SCRATCH/work.img"
xenbox attach "$DOM" qdisk target="$SCRATCH/work.img" vdev=xvda
in_guest "$DOM" xenfront blk info xvda
in_guest "$DOM" xenfront blk verify --quiet --size=64M xvda
[ "$(stat -c %b "$SCRATCH/work.img")" -ge $((64 * 2048)) ] || fail "the image is not full after the verify"
in_guest "$DOM" xenfront blk discard --quiet xvda
[ "$(stat -c %b "$SCRATCH/work.img")" -lt 1024 ] || fail "the image is as full after the discard"
xenbox detach "$DOM" qdisk xvda

mke2fs -q -t ext4 -d "$XS_SRCDIR/tests" "$SCRATCH/source.img" 32M
truncate -s 32M "$SCRATCH/target.img"
xenbox attach "$DOM" qdisk target="$SCRATCH/target.img" vdev=xvdb
in_guest "$DOM" xenfront blk copy --quiet --in="$SCRATCH/source.img" xvdb
xenbox detach "$DOM" qdisk xvdb
cmp "$SCRATCH/source.img" "$SCRATCH/target.img"
e2fsck -f -n "$SCRATCH/target.img"
