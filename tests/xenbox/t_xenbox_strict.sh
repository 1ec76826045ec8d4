# SPDX-License-Identifier: MIT
# A strict box finds out who uses a page for longer than it is his; so does a fast one, as far as it promises to.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/helpers.sh"

STALE=$XS_BUILDDIR/tests/xenbox/stale

# stale HOW: the program that keeps a pointer, in the guest.
stale() {
    in_guest "$DOM" "$STALE" "$1"
}

box_up --mapping=strict
guest_create guest

say "an address that is not mapped any more"
expect_status 139 stale unmapped

say "a freed page holds the pattern, and reading it does no harm"
[ "$(stale read)" = "6b 6b" ] || fail "a stale reader sees $(stale read)"
xenbox check

say "who writes is found out"
stale write
expect_fail "which was domain $DOM's, was written at byte 100 after it was freed \(1 such write\)" xenbox check
stale write
expect_fail "after it was freed \(2 such writes\)" xenbox check
expect_fail "after it was freed \(2 such writes\)" xenbox check
grep -q "was written at byte 100 after it was freed" "$XENBOX/xenbox-hv.log" || fail "the log does not say it"

say "and so when the box goes down"
xenbox down "$BOX" 2>"$SCRATCH/leaks"
unset XENBOX
grep -qE "^  frame [0-9]+, which was domain $DOM's, written at byte 100 after it was freed, and 1 such write more$" \
    "$SCRATCH/leaks" || fail "down said: $(cat "$SCRATCH/leaks")"

say "the next owner of the page finds it empty"
box_up --mapping=strict
guest_create guest
stale next
expect_fail "after it was freed \(1 such write\)" xenbox check
xenbox down "$BOX" 2>"$SCRATCH/leaks"
unset XENBOX

say "a fast box has no pattern"
box_up
guest_create guest
[ "$(stale read)" = "00 00" ] || fail "a stale reader sees $(stale read)"
expect_status 139 stale unmapped
