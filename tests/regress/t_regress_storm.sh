#!/bin/bash
# SPDX-License-Identifier: MIT
# Ten thousand times mapped, moved and unmapped: scattered pages under libaio and io_uring, 512 bytes to 2 MiB, with
# engines that are slow, short, failing, and that keep pages too long; unmapped after the I/O and under it. Two programs
# are at it, each with a guest of its own. A soak of ten minutes does a million operations.
# limit: 3600
. "$(dirname "$0")/../functions.sh"

total=0
# storm OPERATIONS OPTION...: by both together.
storm() {
    local half=$((($1 + 1) / 2)) i status pid=()
    shift
    for i in 0 1; do
        xenbox run -- "$XS_BUILDDIR/tests/regress/storm" --granter="${GUESTS[i]}" --file="$SCRATCH/disk.$i" \
            --operations=$half "$@" &
        pid[i]=$!
    done
    for i in 0 1; do
        status=0
        wait "${pid[i]}" || status=$?
        [ $status != 77 ] || skip "no direct I/O on the filesystem of $SCRATCH"
        [ $status = 0 ] || fail "storm: exit status $status"
    done
    total=$((total + 2 * half))
}
# Boxes have two guests.
guests_create() {
    GUESTS=()
    for i in one two; do
        guest_create $i
        GUESTS+=("$DOM")
    done
}

box_up
guests_create
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
    guests_create
    storm 400
    XENBOX_IO=delay=500us storm 100 --early
    box_down
done

# The pages of operation N stay pinned for good, and the next direct I/O fails.
say "an unmap in flight in a box that punishes"
box_up --punish
guests_create
storm 300
xenbox check
XENBOX_IO=delay=500us expect_fail 'Cannot allocate memory' xenbox run -- "$XS_BUILDDIR/tests/regress/storm" \
    --granter="${GUESTS[0]}" --file="$SCRATCH/disk.0" --operations=300 --early
expect_fail 'is damaged: [0-9]+ pages' xenbox check
grep -q 'WARNING: Bad page map in domain 0' "$XENBOX/xenbox-hv.log"
xenbox dump --json | jq -e '[.connections[].maps[] | select(.state == "stuck")] | length > 0' >/dev/null
xenbox down "$BOX" 2>"$SCRATCH/down"
grep -q 'damaged: [0-9]* pages were unmapped with I/O in flight' "$SCRATCH/down"
unset XENBOX
echo "figure: $total operations of the storm"
