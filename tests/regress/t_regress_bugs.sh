#!/bin/bash
# SPDX-License-Identifier: MIT
# The switches of historic faults: each has a row of its name, an unknown one is refused, and one that is on turns its
# row red (make prove-regress proves that of all).
. "$(dirname "$0")/../functions.sh"

say "the list"
xenbox up --bug list >"$SCRATCH/bugs"
cut -d' ' -f1 "$SCRATCH/bugs" | sort -c -u
LD_LIBRARY_PATH=$XENBOX_LIBDIR:$LD_LIBRARY_PATH "$XS_BUILDDIR/tests/regress/regress" --list | cut -d' ' -f1 |
    sort >"$SCRATCH/rows"
[ -z "$(uniq -d "$SCRATCH/rows")" ] || fail "a row is there twice"
cut -d' ' -f1 "$SCRATCH/bugs" | comm -23 - "$SCRATCH/rows" >"$SCRATCH/without"
[ ! -s "$SCRATCH/without" ] || fail "bugs without a row: $(cat "$SCRATCH/without")"

say "unknown names"
export XENBOX_HOME=$SCRATCH/boxes
expect_fail "up: --bug Z99: there is no such switch" xenbox up --bug B38,Z99
expect_fail "up: --mode=pv64: not autotranslated, pv or pv32" xenbox up --mode=pv64
expect_fail "xenbox-hv: --bug Z99: there is no such switch" "$XENBOX_LIBEXECDIR/xenbox-hv" --dir / --bug Z99

say "a row turns red, and no other"
"$XS_SRCDIR/tests/regress/run" -b "$XS_BUILDDIR" -m autotranslated B38 B36
expect_fail "^not ok B38" "$XS_SRCDIR/tests/regress/run" -b "$XS_BUILDDIR" -m autotranslated -B B38 B38
"$XS_SRCDIR/tests/regress/run" -b "$XS_BUILDDIR" -m autotranslated -B B38 B36
