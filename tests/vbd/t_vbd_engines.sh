#!/bin/bash
# SPDX-License-Identifier: MIT
# The same data through each engine, past the page cache and through it; the image holds what the guest wrote.
. "$(dirname "$0")/../functions.sh"

box_up
guest_create guest
image_make "$SCRATCH/source.img" 16
for engine in io_uring libaio; do
    for direct in on off; do
        say "$engine, direct $direct"
        daemon_start --workers 1 --engine "$engine" --direct "$direct"
        truncate -s 16M "$SCRATCH/disk.img"
        disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
        in_guest "$DOM" xenfront blk copy --quiet --in="$SCRATCH/source.img" "$VDEV"
        cmp "$SCRATCH/source.img" "$SCRATCH/disk.img" || fail "the image differs from what was written"
        in_guest "$DOM" xenfront blk verify --quiet --size=16M "$VDEV"
        xenbox detach "$DOM" vbd "$VDEV"
        daemon_stop
        rm "$SCRATCH/disk.img"
    done
done
