#!/bin/bash
# SPDX-License-Identifier: MIT
# An image that another holds is waited for, and nobody else waits for that: not even where one thread opens all images.
# What counts is the size that it has when it is to be had.
. "$(dirname "$0")/../functions.sh"

LOCKED=$SCRATCH/locked.img
image_make "$LOCKED" 1
image_make "$SCRATCH/free.img" 1
exec 8<"$LOCKED"
flock 8

box_up
daemon_start --workers 1 --offload-threads 1
guest_create patient
PATIENT=$DOM
guest_create other

say "another image is opened meanwhile"
expect_fail 'locked by another' xenbox attach "$PATIENT" vbd vdev="$VDEV" params="$LOCKED" &
patient=$!
wait_store "/local/domain/0/backend/vbd/$PATIENT/$VDEV/state" 1
sleep 0.2
disk_attach "$DOM" params="$SCRATCH/free.img"
! grep "locked by another" "$DAEMON_LOG" || fail "one image was waited for before another was opened"
wait $patient || fail "a locked image was not refused"

say "an image that grows while it is waited for"
disk_attach "$PATIENT" params="$LOCKED" &
patient=$!
wait_store "/local/domain/0/backend/vbd/$PATIENT/$VDEV/state" 1
sleep 0.2
truncate -s 2M "$LOCKED"
flock -u 8
wait $patient || fail "an image that is free again was refused"
in_guest "$PATIENT" xenfront blk read -q "$VDEV" | cmp - "$LOCKED"
