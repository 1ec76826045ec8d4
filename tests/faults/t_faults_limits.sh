#!/bin/bash
# SPDX-License-Identifier: MIT
# Limits of the system, met in the middle of things: descriptors, the size of files, a store that stands still while a
# guest connects. What cannot be done is refused with the reason, the rest goes on, and it works again afterwards.
. "$(dirname "$0")/../functions.sh"

CYCLE=$XS_BUILDDIR/tests/faults/cycle
vdev_of() {
    echo $((51712 + 16 * $1))
}

box_up --limit gntalloc-pages=8192 # thirty frontends that come and go: the limit on shared pages is not what is met here
guest_create
truncate -s 2M "$SCRATCH/disk.img"

say "descriptors run out"
DAEMON_WRAP=(prlimit --nofile=64:64 --)
daemon_start --workers 1
xenbox attach "$DOM" vbd vdev="$(vdev_of 0)" params="$SCRATCH/disk.img" mode=r
xenbox run -d "$DOM" -- xenfront blk bench -q -d 4 -t 3600 "$(vdev_of 0)" >"$SCRATCH/bench.log" 2>&1 &
BENCH=$!
defer eval "kill -KILL $BENCH 2>/dev/null; wait $BENCH 2>/dev/null || :"
wait_log "$DAEMON_LOG" "vbd $DOM/$(vdev_of 0): connected"
count=1
while [ $count -lt 64 ] &&
    xenbox attach "$DOM" vbd vdev="$(vdev_of $count)" params="$SCRATCH/disk.img" mode=r >"$SCRATCH/attach.log" 2>&1; do
    count=$((count + 1))
done
say "$count devices, then: $(cat "$SCRATCH/attach.log")"
[ $count -gt 4 ] && [ $count -lt 64 ] || fail "$count devices with 64 descriptors"
grep -q 'Too many open files' "$SCRATCH/attach.log" || fail "the refusal does not say which limit it was"
for ((i = 1; i < count; i++)); do
    xenbox detach "$DOM" vbd "$(vdev_of $i)"
done
xenbox attach "$DOM" vbd vdev="$(vdev_of $count)" params="$SCRATCH/disk.img" mode=r
in_guest "$DOM" xenfront blk read -q "$(vdev_of $count)" | cmp - "$SCRATCH/disk.img"
xenbox detach "$DOM" vbd "$(vdev_of $count)"
kill -0 $BENCH || fail "a guest that was there before noticed"
kill -TERM $BENCH
wait $BENCH || :
xenbox detach "$DOM" vbd "$(vdev_of 0)"
daemon_stop

say "files may not be longer than 1 MiB: that is an error of each write beyond, not the end"
DAEMON_WRAP=(prlimit --fsize=1048576 --)
: >"$DAEMON_LOG"
daemon_start --workers 1
disk_attach "$DOM" params="$SCRATCH/disk.img"
in_guest "$DOM" "$CYCLE" "$VDEV" 1
expect_fail '' xenbox run -d "$DOM" -- xenfront blk verify -q --size=2M "$VDEV"
grep -q "vbd $DOM/$VDEV q0: write of .*: File too large" "$DAEMON_LOG" || fail "the log does not say why"
in_guest "$DOM" "$CYCLE" "$VDEV" 1
daemon_stop

say "not even the records of what is in flight can be written: the connect fails, and says so, twice"
DAEMON_WRAP=(prlimit --fsize=1024 --)
: >"$DAEMON_LOG"
daemon_start --workers 1
for i in 1 2; do
    expect_fail 'backend refused the connection' xenbox run -d "$DOM" -- "$CYCLE" "$VDEV" 1
    in_dom0 xenstore-read "error/backend/vbd/$DOM/$VDEV/error" | grep 'in-flight records .*: File too large'
done
daemon_stop

say "thirty programs of one guest connect at once: the store allows a domain ten transactions at a time"
DAEMON_WRAP=()
: >"$DAEMON_LOG"
daemon_start --workers 2
pids=()
for ((i = 1; i <= 30; i++)); do
    xenbox attach "$DOM" vbd vdev="$(vdev_of $i)" params=mem:1M >/dev/null
done
for ((i = 1; i <= 30; i++)); do
    in_guest "$DOM" "$CYCLE" "$(vdev_of $i)" 3 >/dev/null &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid" || fail "a program could not connect"
done
daemon_stop

say "a path as long as paths may be: what is wrong with it is said"
: >"$DAEMON_LOG"
daemon_start --workers 1
long=$SCRATCH/$(printf 'd%.0s' {1..250})/$(printf 'e%.0s' {1..250})/$(printf 'f%.0s' {1..250})/image.img
expect_fail 'cannot open .*/image.img to read and write: No such file' \
    xenbox attach "$DOM" vbd vdev="$(vdev_of 40)" params="$long"
daemon_stop

say "the store stands still in the middle of a connect"
DAEMON_WRAP=()
: >"$DAEMON_LOG"
daemon_start --workers 1
STORE=$(sed -n 's/.*"xenstored": \([0-9]*\).*/\1/p' "$XENBOX/box.json")
in_guest "$DOM" "$CYCLE" "$VDEV" 20 &
cycles=$!
for i in 1 2 3 4 5; do
    kill -STOP "$STORE"
    sleep "0.0$((RANDOM % 90 + 10))"
    kill -CONT "$STORE"
    sleep "0.0$((RANDOM % 90 + 10))"
done
wait $cycles || fail "a connect did not outlast a store that stood still"
xenbox detach "$DOM" vbd "$VDEV"
