#!/bin/bash
# SPDX-License-Identifier: MIT
# Release is not destruction: a guest connects and closes again and again, and after the first time the daemon's workers
# allocate nothing, and the daemon as a whole keeps nothing. The memory goes with the guest.
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/faults.sh"

CYCLES=$(rounds 150 10000)

# mapped: how many records of requests in flight the daemon has mapped, also those whose file is gone.
mapped() {
    grep -c "$SCRATCH/xensplit/inflight/" "/proc/$DAEMON/maps" || :
}

box_up
alloc_daemon_start --workers 2
truncate -s 1M "$SCRATCH/disk.img"
before=$(alloc_read live)
guest_create
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
in_guest "$DOM" "$XS_BUILDDIR/tests/faults/cycle" "$VDEV" 10
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 6
live=$(alloc_read live) worker=$(alloc_read worker)
in_guest "$DOM" "$XS_BUILDDIR/tests/faults/cycle" "$VDEV" "$CYCLES"
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 6
more=$(($(alloc_read live) - live))
say "$more blocks more, $(($(alloc_read worker) - worker)) allocations by workers, $(mapped) records mapped"
[ "$(alloc_read worker)" = "$worker" ] || fail "the workers allocated: $worker before, $(alloc_read worker) after"
[ ${more#-} -le 2 ] || fail "blocks: $live before, $more more (fewer: not all are counted) after $CYCLES cycles"
[ "$(mapped)" = 0 ] || fail "$(mapped) records stay mapped"

say "detached and attached: the slot is the guest's still"
for i in 1 2 3; do
    xenbox detach "$DOM" vbd "$VDEV"
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    in_guest "$DOM" "$XS_BUILDDIR/tests/faults/cycle" "$VDEV" 2
done
say "gone with its guest"
xenbox domain destroy "$DOM"
wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: gone"
in_dom0 xensplit --run-dir "$SCRATCH/xensplit" list >/dev/null # one turn of the loop later
[ $(($(alloc_read live) - before)) -le 8 ] || fail "blocks: $before before the guest, $(alloc_read live) after it"
