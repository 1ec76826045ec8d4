#!/bin/bash
# SPDX-License-Identifier: MIT
# Ten thousand times mapped, moved and unmapped: scattered pages under libaio and io_uring, 512 bytes to 2 MiB, with
# engines that are slow, short, failing, and that keep pages too long; unmapped after the I/O and under it.
. "$(dirname "$0")/../functions.sh"

# storm OPERATIONS OPTION...
storm() {
    local status=0
    xenbox run -- "$XS_BUILDDIR/tests/regress/storm" --granter="$DOM" --file="$SCRATCH/disk" --operations="$@" ||
        status=$?
    [ $status != 77 ] || skip "no direct I/O on the filesystem of $SCRATCH"
    return $status
}

box_up
guest_create
say "as the kernel does it"
storm "$(rounds 6500 900000)"
say "unmapped in flight"
storm "$(rounds 1500 90000)" --early
say "slow: what is unmapped in flight arrives all the same"
XENBOX_IO=delay=500us storm "$(rounds 500 5000)" --early
say "short, failing, and pages that are kept after the completion"
XENBOX_IO=delay=200us,short=3,error=EIO/7,extra-ref=2ms storm "$(rounds 500 5000)" --early --may-fail
box_down

for mode in pv pv32; do
    say "in a domain 0 of mode $mode"
    box_up --mode=$mode
    guest_create
    storm 400
    XENBOX_IO=delay=500us storm 100 --early
    box_down
done

# The pages of operation N stay pinned for good, and the next direct I/O fails.
say "an unmap in flight in a box that punishes"
box_up --punish
guest_create
storm 300
xenbox check
XENBOX_IO=delay=500us expect_fail 'Cannot allocate memory' xenbox run -- "$XS_BUILDDIR/tests/regress/storm" \
    --granter="$DOM" --file="$SCRATCH/disk" --operations=300 --early
expect_fail 'is damaged: [0-9]+ pages' xenbox check
grep -q 'WARNING: Bad page map in domain 0' "$XENBOX/xenbox-hv.log"
xenbox dump --json | jq -e '[.connections[].maps[] | select(.state == "stuck")] | length > 0' >/dev/null
xenbox down "$BOX" 2>"$SCRATCH/down"
grep -q 'damaged: [0-9]* pages were unmapped with I/O in flight' "$SCRATCH/down"
unset XENBOX
