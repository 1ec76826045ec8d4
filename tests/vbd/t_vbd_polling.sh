#!/bin/bash
# SPDX-License-Identifier: MIT
# A ring that is looked at all the time: no kick comes, what is read back is right, and a device goes from one to the
# other under load as often as it is told.
. "$(dirname "$0")/../functions.sh"

need jq
box_up
guest_create guest
image_make "$SCRATCH/disk.img" 64
ctl() {
    xensplit --run-dir "$SCRATCH/xensplit" -j "$@"
}
figure() {
    ctl show "$DOM/$VDEV" | jq -r ".$1"
}

say "events, both ends asleep: never more than a kick and an interrupt a request"
daemon_start --workers 1 --spin 0
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
in_guest "$DOM" xenfront blk bench --json -p randrw -d 1 --count 500 --spin 0 "$VDEV" >"$SCRATCH/bench.json"
jq -e '.kicks <= .requests and .interrupts <= .requests + 2 and .errors == 0' "$SCRATCH/bench.json" ||
    fail "$(cat "$SCRATCH/bench.json")"
daemon_stop

say "notify = polling"
daemon_start --workers 1 --notify polling
xenbox run -d "$DOM" -- xenfront blk bench -q -p randrw -d 8 -t 600 "$VDEV" >"$SCRATCH/load.log" 2>&1 &
load=$!
defer eval "kill $load 2>/dev/null; wait $load || :"
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 4
until [ "$(figure reads)" -gt 200 ]; do
    kill -0 "$load" || fail "the load ended"
done
[ "$(figure notification)" = polling ] || fail "not polled"
[ "$(figure kicks_received)" -le 2 ] || fail "$(figure kicks_received) kicks were asked for"

say "to and fro under load"
in_dom0 true
for _ in $(seq 20); do
    [ "$(ctl events "$DOM/$VDEV" | jq -r '.[0].notification')" = events ] || fail "events"
    [ "$(ctl poll "$DOM/$VDEV" | jq -r '.[0].notification')" = polling ] || fail "poll"
done
before=$(figure reads)
until [ "$(figure reads)" -gt "$before" ]; do
    kill -0 "$load" || fail "the load ended"
done
kill -TERM "$load"
wait "$load" || :
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 6

say "what is read back is right"
in_guest "$DOM" xenfront blk verify --quiet --size=64M "$VDEV" &
verify=$!
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 4
for _ in $(seq 10); do
    ctl events "$DOM/$VDEV" >/dev/null 2>&1 || :
    ctl poll "$DOM/$VDEV" >/dev/null 2>&1 || :
done
wait "$verify" || fail "verify"
