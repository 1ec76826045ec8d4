#!/bin/bash
# SPDX-License-Identifier: MIT
# What cannot be a disk is refused when it is attached, with the device, what was expected and what was found; the
# next device is served as if nothing had been.
. "$(dirname "$0")/../functions.sh"

# refused PARAMS REGEX: the attach fails and says why, in the daemon's words.
refused() {
    say "$1"
    expect_fail "$2" xenbox attach "$DOM" vbd vdev="$VDEV" params="$1"
    grep -q -E -e "error: vbd $DOM/$VDEV: .*$2" "$DAEMON_LOG" || fail "$1: the log does not name the device"
}

box_up
daemon_start --workers 1
guest_create guest
head -c 1000 /dev/zero >"$SCRATCH/odd.img"
: >"$SCRATCH/empty.img"
mkfifo "$SCRATCH/pipe"
image_make "$SCRATCH/good.img" 4
refused "$SCRATCH/none.img" "cannot open $SCRATCH/none.img to read and write: No such file"
refused "$SCRATCH" "$SCRATCH: expected a regular file or a block device, found a directory"
refused "$SCRATCH/pipe" "expected a regular file or a block device, found a pipe"
refused /dev/null "expected a regular file or a block device, found a character device"
refused "$SCRATCH/odd.img" "expected a size that is a positive multiple of 512 bytes, found 1000"
refused "$SCRATCH/empty.img" "expected a size that is a positive multiple of 512 bytes, found 0"
refused qcow2:disk "params: expected an absolute path, null:SIZE.* or mem:SIZE, found \"qcow2:disk\""
refused mem:12345 "expected a size such as 64M .* found \"12345\""

say "a second writer"
disk_attach "$DOM" params="$SCRATCH/good.img"
FIRST=$DOM
guest_create other
refused "$SCRATCH/good.img" "expected to be its only user, found it locked by another"
in_guest "$FIRST" xenfront blk verify --quiet --size=4M "$VDEV"
xenbox detach "$FIRST" vbd "$VDEV"
