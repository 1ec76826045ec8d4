#!/bin/bash
# SPDX-License-Identifier: MIT
# No memory, at each allocation in turn, while a guest connects, works and closes and while its device is attached and
# detached (catalogue C07): what fails says so, or is tried again; the daemon lives, keeps nothing, and serves the next
# connect as if nothing had been. (The thread that libxenstore keeps is t_faults_store.sh's.)
. "$(dirname "$0")/../functions.sh"
. "$(dirname "$0")/faults.sh"

STEP=$(rounds 5 1)
CYCLE=$XS_BUILDDIR/tests/faults/cycle

box_up
alloc_daemon_start --workers 2
truncate -s 1M "$SCRATCH/disk.img"
truncate -s 1M "$SCRATCH/calm.img"
guest_create calm
CALM=$DOM
disk_attach "$CALM" params="$SCRATCH/calm.img" >/dev/null
xenbox run -d "$CALM" -- xenfront blk bench -q -p randrw -d 4 -t 3600 "$VDEV" >"$SCRATCH/bench.log" 2>&1 &
BENCH=$!
defer eval "kill -TERM $BENCH 2>/dev/null; wait $BENCH || :"
wait_log "$DAEMON_LOG" "vbd $CALM/$VDEV: connected"

guest_create
# works: a cycle succeeds, at the latest when what failed has been tried again.
works() {
    local end=$((SECONDS + DEADLINE))
    until timeout "$DEADLINE" xenbox run -d "$DOM" -- "$CYCLE" "$VDEV" 1 >>"$SCRATCH/cycles.log" 2>&1; do
        [ $SECONDS -lt $end ] || fail "after allocation $k failed: $(tail -n 1 "$SCRATCH/cycles.log")"
    done
    kill -0 "$DAEMON" || fail "the daemon died when allocation $k failed"
}
# each WHERE COMMAND...: with the first, second, ... allocation failing, until there are no more.
each() {
    local where=$1
    shift
    for ((k = 1 + RANDOM % STEP; ; k += STEP)); do
        alloc_fail "$k" "$where"
        timeout "$DEADLINE" "$@" >>"$SCRATCH/cycles.log" 2>&1 || :
        alloc_fail 0
        [ "$(alloc_read failed)" -gt "$failed" ] || break
        failed=$(alloc_read failed)
        works
    done
    say "$where: $k allocations"
}

failed=0
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
k=none
works
live=$(alloc_read live)
each main xenbox run -d "$DOM" -- "$CYCLE" "$VDEV" 1
works
[ $(($(alloc_read live) - live)) -le 8 ] || fail "blocks: $live before, $(alloc_read live) after"

say "attach and detach"
attach_again() {
    xenbox detach "$DOM" vbd "$VDEV" --timeout 5 || :
    xenbox attach "$DOM" vbd vdev="$VDEV" params="$SCRATCH/disk.img" --timeout 5
}
works_or_attach() {
    in_dom0 xenstore-read "/local/domain/0/backend/vbd/$DOM/$VDEV/state" >/dev/null 2>&1 ||
        disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
}
STEP=$((STEP * 3))
for ((k = 1 + RANDOM % STEP; ; k += STEP)); do
    alloc_fail "$k" main
    attach_again >>"$SCRATCH/cycles.log" 2>&1 || :
    alloc_fail 0
    [ "$(alloc_read failed)" -gt "$failed" ] || break
    failed=$(alloc_read failed)
    works_or_attach
    works
done
say "$k allocations"

say "a first connect: the worker's"
for ((k = 1; ; k++)); do
    xenbox domain destroy "$DOM"
    guest_create "guest$k" >/dev/null
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    alloc_fail "$k" worker
    timeout "$DEADLINE" xenbox run -d "$DOM" -- "$CYCLE" "$VDEV" 1 >>"$SCRATCH/cycles.log" 2>&1 || :
    alloc_fail 0
    [ "$(alloc_read failed)" -gt "$failed" ] || break
    failed=$(alloc_read failed)
    works
done
say "$k allocations"
kill -0 $BENCH || fail "another guest noticed"
