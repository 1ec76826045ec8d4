#!/bin/bash
# SPDX-License-Identifier: MIT
# What is true of mapped grants is true in boxes of modes pv and pv32 as well: the programs that test it, and a disk
# under load.
. "$(dirname "$0")/../functions.sh"

for XS_MODE in pv pv32; do
    export XS_MODE
    for test in domain grants grant_end copy; do
        say "$XS_MODE: check_$test"
        "$XS_BUILDDIR/tests/xenbox/check_$test" >"$SCRATCH/$test.log" 2>&1 || fail "check_$test in mode $XS_MODE"
    done
done

say "a disk"
XS_MODE=pv box_up
guest_create guest
image_make "$SCRATCH/disk.img" 8
daemon_start
disk_attach $DOM target="$SCRATCH/disk.img"
in_guest $DOM xenfront blk verify xvda --size=8M
grep -q "mode pv, " <(xenbox dump) || fail "the dump does not say the mode"
