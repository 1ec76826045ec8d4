#!/bin/bash
# SPDX-License-Identifier: MIT
# What `make install` leaves is complete: no text file has a placeholder that the build should have filled in, and the
# programs that systemd and xl are told to start are there, and start.
# short: yes
. "$(dirname "$0")/../functions.sh"

mapfile -t texts < <(find "$XS_STAGE" -type f \( -name '*.service' -o -name '*.conf' -o -name '*.pc' \
    -o -path '*/sbin/*' -o -path '*/scripts/*' \) -exec grep -Il . {} +)
[ ${#texts[@]} -ge 5 ] || fail "found only ${#texts[@]} text files below $XS_STAGE"
if grep -n -E '@[A-Za-z_]+@' "${texts[@]}" | grep -v 'sed -e'; then
    fail "placeholders that were not filled in"
fi

say "the unit"
unit=$(find "$XS_STAGE" -name xensplitd.service)
program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
[ -x "$XS_STAGE$program" ] || fail "$unit starts $program, which is not installed"
"$XS_STAGE$program" --version

say "the test domain"
maker=$(find "$XS_STAGE" -name xensplit-testdom)
share=$(sed -n 's/^share=//p' "$maker")
for file in init testdom.cfg; do
    [ -r "$XS_STAGE$share/$file" ] || fail "$maker wants $share/$file, which is not installed"
done
"$maker" --help | grep -q 'xensplit-testdom'
expect_fail "expected a kernel in /no/kernel" "$maker" --kernel /no/kernel "$SCRATCH/dom"
