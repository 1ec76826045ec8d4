#!/bin/bash
# SPDX-License-Identifier: MIT
# t_daemon_removed.sh: the toolstack removes a device with I/O in flight, also while it connects or closes; nothing
# of it comes back, and a frontend that is killed under load leaves nothing behind.
. "$(dirname "$0")/../functions.sh"

box_up
daemon_start --workers 2
guest_create
image_make "$SCRATCH/disk" 16
image_make "$SCRATCH/other" 8
VDEV=51728 disk_attach "$DOM" params="$SCRATCH/other" mode=w
BACK=/local/domain/0/backend/vbd/$DOM/$VDEV

# bench_start: load in the background; $BENCH is its pid.
bench_start() {
    xenbox run -d "$DOM" -- xenfront blk bench -q -p randrw -d 32 -t 60 --io-timeout 2 "$VDEV" >"$SCRATCH/bench.log" 2>&1 &
    BENCH=$!
    wait_store "$BACK/state" 4
}

for round in 1 2 3; do
    say "removed under load, round $round"
    disk_attach "$DOM" params="$SCRATCH/disk" mode=w
    bench_start
    in_dom0 xenstore-rm "$BACK"
    wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: gone"
    : >"$DAEMON_LOG"
    wait $BENCH && fail "the frontend did not notice"
    expect_fail . xenbox run -- xenstore-read "$BACK/state"
    xenbox detach --force "$DOM" vbd "$VDEV"
done

for round in 1 2 3 4 5; do
    say "attached, connecting and removed at once, round $round"
    disk_attach "$DOM" params="$SCRATCH/disk" mode=w
    in_guest "$DOM" xenfront blk info "$VDEV" >"$SCRATCH/info.log" 2>&1 &
    info=$!
    in_dom0 xenstore-rm "$BACK"
    wait $info || :
    expect_fail . xenbox run -- xenstore-read "$BACK/state"
    xenbox detach --force "$DOM" vbd "$VDEV"
done

say "the frontend killed under load, and the next one connects"
disk_attach "$DOM" params="$SCRATCH/disk" mode=w
for _ in 1 2 3 4 5; do
    bench_start
    kill -KILL $BENCH
    wait $BENCH || :
    in_guest "$DOM" xenfront blk verify -q -s 2M --takeover "$VDEV"
    wait_store "$BACK/state" 6
done

say "taken away by the toolstack under load: the frontend closes"
bench_start
xenbox detach "$DOM" vbd "$VDEV"
wait $BENCH || :

say "the domain destroyed under load"
disk_attach "$DOM" params="$SCRATCH/disk" mode=w
bench_start
xenbox domain destroy "$DOM"
wait $BENCH || :
wait_log "$DAEMON_LOG" "vbd $DOM/51728: gone"
[ -z "$(in_dom0 xenstore-list /local/domain/0/backend/vbd 2>/dev/null)" ]
