#!/bin/bash
# SPDX-License-Identifier: MIT
# Backends that break the rules (catalogue C22, E01, E02, E05, E06, E07, E10, E11, E12, E13): the frontend says what
# is wrong, ends with the right status, closes its end, and neither crashes nor hangs.
. "$(dirname "$0")/../functions.sh"

HOSTILE=$XS_BUILDDIR/tests/hostile/hostile_back

box_up
guest_create
mapfile -t cases < <("$HOSTILE" --list blk)
[ ${#cases[@]} -gt 30 ] || fail "only ${#cases[@]} cases"
for name in "${cases[@]}"; do
    say "$name"
    in_dom0 "$HOSTILE" blk "$name" "$DOM" xenbox run -d "$DOM" -- xenfront || fail "$name"
done
xenbox domain destroy "$DOM"
