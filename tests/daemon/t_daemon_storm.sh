#!/bin/bash
# SPDX-License-Identifier: MIT
# t_daemon_storm.sh: C09, F01: states at random and a flood of writes, as fast as the store takes them, while another
# guest works undisturbed; the daemon's memory stays flat, and the device works afterwards.
. "$(dirname "$0")/../functions.sh"

STORM=$XS_BUILDDIR/tests/daemon/state_storm
box_up
daemon_start --workers 2
image_make "$SCRATCH/one" 8
image_make "$SCRATCH/two" 8
guest_create calm
CALM=$DOM
disk_attach "$CALM" params="$SCRATCH/one" mode=w
guest_create wild
disk_attach "$DOM" params="$SCRATCH/two" mode=w
BACK=/local/domain/0/backend/vbd/$DOM/$VDEV
FRONT=device/vbd/$VDEV

resident_kib() {
    awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status"
}

descriptors() {
    ls "/proc/$DAEMON/fd" | wc -l
}

in_guest "$DOM" "$STORM" -c 300 "$FRONT"
wait_store "$BACK/state" 6
before=$(resident_kib)
before_fds=$(descriptors)

say "random states, and states that connect and close in turn"
in_guest "$CALM" xenfront blk verify -q -s 8M --seed 7 "$VDEV" &
verify=$!
for seed in 1 2 3; do
    in_guest "$DOM" "$STORM" -s $seed -c 3000 "$FRONT"
    in_guest "$DOM" "$STORM" -s $seed -c 3000 -r 1345 "$FRONT"
    in_guest "$DOM" "$STORM" -s $seed -c 3000 -r 34 "$FRONT"
    kill -0 "$DAEMON"
done
wait $verify

say "a flood of one state"
in_guest "$DOM" "$STORM" -f -c 20000 "$FRONT"
wait_store "$BACK/state" 6
in_guest "$CALM" xenfront blk verify -q -s 1M "$VDEV"
after=$(resident_kib)
say "resident before $before KiB, after $after KiB"
[ -n "$XS_SANITIZERS" ] || [ "$after" -lt $((before + 4096)) ] || fail "memory grew from $before to $after KiB"

say "frontends that come and go leave no descriptors behind"
for seed in {1..30}; do
    in_guest "$DOM" "$STORM" -s "$seed" -c 20 -r 34 "$FRONT"
done
wait_store "$BACK/state" 6
after_fds=$(descriptors)
[ "$after_fds" -lt $((before_fds + 12)) ] || fail "$before_fds descriptors have become $after_fds"

say "the device works"
in_guest "$DOM" xenfront blk verify -q -s 8M "$VDEV"
