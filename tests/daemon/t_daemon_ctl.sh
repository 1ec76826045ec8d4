#!/bin/bash
# SPDX-License-Identifier: MIT
# t_daemon_ctl.sh: the control socket and `xensplit`: answers under load, whatever other clients do; what they do
# costs guests nothing; a daemon whose socket cannot be made serves all the same.
. "$(dirname "$0")/../functions.sh"

need jq
RUN=$SCRATCH/xensplit
CLIENT=$XS_BUILDDIR/tests/daemon/ctl_client

ctl() {
    xensplit --run-dir "$RUN" "$@"
}

# expect_status STATUS PATTERN COMMAND...
expect_status() {
    local want=$1 pattern=$2 status=0
    shift 2
    "$@" >"$SCRATCH/expected.log" 2>&1 || status=$?
    [ $status = "$want" ] || fail "ended with status $status, expected $want: $*"
    grep -q -E -e "$pattern" "$SCRATCH/expected.log" || fail "did not say '$pattern': $*"
    rm "$SCRATCH/expected.log"
}

# ask BYTES: the raw protocol; prints the answer.
ask() {
    printf %s "$1" | timeout "$DEADLINE" "$CLIENT" "$RUN/control"
}

say "usage, and no daemon"
expect_status 2 'expected a command' xensplit
expect_status 2 'found "lst"' xensplit lst
expect_status 2 'expected one device' xensplit show
expect_status 2 'expected --prometheus with stats' xensplit --prometheus list
expect_status 3 'no daemon answers at .*/xensplit/control.*does xensplitd run' ctl list
xensplit --help | grep -q -- '--json'
xensplit --version | grep -q '^xensplit '

box_up
guest_create
image_make "$SCRATCH/disk" 16
daemon_start --workers 2
[ "$(stat -c '%F %a' "$RUN/control")" = 'socket 600' ]
[ "$(ctl list | wc -l)" = 1 ]
[ "$(ctl --json list | jq -c .)" = '[]' ]
expect_status 1 'expected one that is served' ctl show "$DOM/$VDEV"

say "a device that nobody uses yet"
disk_attach "$DOM" params="$SCRATCH/disk" mode=w
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 2
ctl list | grep -q "^vbd $DOM/$VDEV  InitWait .* 16M  $SCRATCH/disk\$"
[ "$(ctl -j show "$DOM/$VDEV" | jq -c '[.size_bytes, .worker, .reads]')" = '[16777216,null,null]' ]
ctl why "$DOM/$VDEV" | grep -q 'the device has no ring now'

say "under load"
in_guest "$DOM" xenfront blk bench -q -p randrw -d 32 -t 600 "$VDEV" >"$SCRATCH/bench.log" 2>&1 &
BENCH=$!
defer eval "kill $BENCH 2>/dev/null; wait $BENCH || :"
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 4
wait_log "$DAEMON_LOG" "vbd $DOM/$VDEV: connected"
# The daemon learns of the frontend's last step a little later than the guest takes it.
tries=0
until ctl -j show vbd "$DOM/$VDEV" >"$SCRATCH/show" && jq -e '.frontend_state == "Connected"' "$SCRATCH/show" >/dev/null; do
    [ $((tries += 1)) -lt 200 ] || fail "the frontend's state is $(jq .frontend_state "$SCRATCH/show")"
done
[ "$(jq -c '[.device, .state, .frontend_state, .data_method, .queue_state, .abi != null, .ring_ref != null]' "$SCRATCH/show")" = \
    "[\"vbd $DOM/$VDEV\",\"Connected\",\"Connected\",\"persistent\",\"running\",true,true]" ]

# Progress, seen from the outside: the figure has grown.
figure() {
    ctl -j show "$DOM/$VDEV" | jq ".$1"
}
progress() {
    local name=$1 first now tries=0
    first=$(figure "$name")
    while now=$(figure "$name") && [ "$now" -le "$first" ]; do
        [ $((tries += 1)) -lt 200 ] || fail "$name stays at $now"
    done
}
for name in reads writes bytes_read bytes_written kicks_received kicks_sent; do
    progress $name
done
[ "$(figure errors)" = 0 ]
[ "$(figure in_flight)" -le 32 ]
# Blocks of one size: bytes and requests tell the same.
ctl -j show "$DOM/$VDEV" | jq -e '.bytes_read == .reads * 4096 and .bytes_written == .writes * 4096' >/dev/null
[ "$(ctl -j workers | jq -c '[length, (map(.queues) | add)]')" = '[2,1]' ]
ctl workers | grep -q '^WORKER  QUEUES  ENGINE'
[ "$(ctl -j channels | jq -r '.[0].device')" = "vbd $DOM/$VDEV" ]
ctl channels | grep -q "vbd $DOM/$VDEV"
ctl stats | grep -q "^vbd $DOM/$VDEV"
ctl --prometheus stats | grep -q "^xensplit_requests_total{device=\"vbd $DOM/$VDEV\",operation=\"read\"} [1-9]"
ctl why "$DOM/$VDEV" | grep -q '^data_method_reason  both ends offer'

say "garbage, and more than a request may have"
ask $'hello\n' | grep -q 'expected a line with a JSON object'
ask $'{"command":"reboot"}\n' | grep -q 'expected list, show'
ask $'{"command":"show"}\n' | grep -q 'expected a device'
ask $'{"command":"list"}\n{"command":"list"}\n' | jq -e '.result | length == 1' >/dev/null
ask "$(printf '%8000s' x)" | grep -q 'at most 4096 bytes'
ask "$(printf '%120000s' x)" | grep -q 'at most 4096 bytes'
ask "$(printf '\377\376\n')"$'\n' | grep -q '"error"'

say "fifty clients at once"
pids=()
for i in {1..50}; do
    ctl -j list >"$SCRATCH/client.$i" &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid"
done
for i in {1..50}; do
    jq -e 'length == 1' "$SCRATCH/client.$i" >/dev/null
done

say "clients that say nothing, go away early, or never read; more of them than are let in at a time"
"$CLIENT" -i 40 "$RUN/control" >"$SCRATCH/held.log" &
IDLE=$!
defer eval "kill $IDLE 2>/dev/null; wait $IDLE 2>/dev/null || :"
wait_log "$SCRATCH/held.log" held $IDLE
[ "$(ctl -j list | jq length)" = 1 ]
progress reads

say "a survey under way as the device and the daemon go"
pids=()
for i in {1..20}; do
    ctl -j list >/dev/null 2>&1 &
    pids+=($!)
done
kill $BENCH
wait $BENCH || :
[ "$(ctl -j list | jq length)" = 1 ]
for i in {1..20}; do
    ctl -j list >/dev/null 2>&1 &
    pids+=($!)
done
daemon_stop
for pid in "${pids[@]}"; do
    wait "$pid" || :
done
[ ! -e "$RUN/control" ]

say "a killed daemon's socket does not stand in the way, another thing does not stop it"
daemon_start
daemon_kill
[ -S "$RUN/control" ]
expect_status 3 'no daemon answers' ctl list
daemon_start
ctl list >/dev/null
daemon_stop
mkdir "$RUN/control"
: >"$DAEMON_LOG"
daemon_start
wait_log "$DAEMON_LOG" 'no control socket .*: Address already in use \(devices are served without it\)'
in_guest "$DOM" xenfront blk verify -q -s 1M "$VDEV"
daemon_stop
rmdir "$RUN/control"
