#!/bin/bash
# SPDX-License-Identifier: MIT
# What `xenbox check` has an eye on: of each invariant there is a bug switch that breaks it, and the checker says so.
. "$(dirname "$0")/../functions.sh"

while read -r bug mode says; do
    say "$bug in $mode: $says"
    "$XS_SRCDIR/tests/regress/run" -b "$XS_BUILDDIR" -m "$mode" -B "$bug" "$bug" >"$SCRATCH/row" 2>&1 || :
    grep -q -E "not in balance: .*$says" "$SCRATCH/row" || fail "the checker did not say '$says': $(cat "$SCRATCH/row")"
done <<'END'
A13 pv the p2m of the placeholder of domain [0-9]+ ref [0-9]+ is
A07 pv has a user alias and no kernel alias
A15 pv the kernel alias of an empty placeholder shows frame
A21 pv sees frame [0-9]+ of domain [0-9]+, and has no mapping of it
A31 pv is in state [0-9], not mapped
A06 pv the p2m of an empty placeholder is
A12 pv the page of its empty placeholders was written to
B10 autotranslated pins, and [0-9]+\+[0-9]+ map records
A09 pv counts [0-9]+ kernel aliases of its own domain
B34 autotranslated in-use bits 0x[0-9a-f]+ do not fit
H01 pv requests refer to domain [0-9]+ ref [0-9]+, which is not pinned
A33 autotranslated it is dead, and still maps
END
