#!/bin/bash
# SPDX-License-Identifier: MIT
# Network backends that break the rules (catalogue C22, E05, E06, E07, E08, E10, E13, E17): the frontend says what is
# wrong, or goes on where only a packet is bad, ends with the right status, closes its end, and neither crashes nor
# hangs.
. "$(dirname "$0")/../functions.sh"

HOSTILE=$XS_BUILDDIR/tests/hostile/hostile_back

box_up
guest_create
mapfile -t cases < <("$HOSTILE" --list net)
[ ${#cases[@]} -gt 30 ] || fail "only ${#cases[@]} cases"
for name in "${cases[@]}"; do
    say "$name"
    in_dom0 "$HOSTILE" net "$name" "$DOM" xenbox run -d "$DOM" -- xenfront || fail "$name"
done
xenbox domain destroy "$DOM"
