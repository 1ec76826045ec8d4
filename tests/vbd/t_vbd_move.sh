#!/bin/bash
# SPDX-License-Identifier: MIT
# Queues go from worker to worker, and their channels are suspended and resumed, a thousand times under load. Nothing is
# lost, nothing is answered twice (the frontends look), and what was written is what is read.
. "$(dirname "$0")/../functions.sh"

need jq
MOVES=$(rounds 1000 20000)
RUN=$SCRATCH/xensplit
ctl() {
    xensplit --run-dir "$RUN" "$@"
}

box_up --punish
daemon_start --workers 3
truncate -s 256M "$SCRATCH/disk.img"
guest_create writer
WRITER=$DOM
disk_attach "$WRITER" params="$SCRATCH/disk.img" >/dev/null
guest_create reader
READER=$DOM
disk_attach "$READER" params=mem:64M >/dev/null

verify() {
    while in_guest "$WRITER" xenfront blk verify --quiet --size=64M "$VDEV" && [ ! -e "$SCRATCH/enough" ]; do
        :
    done
    [ -e "$SCRATCH/enough" ]
}
verify >"$SCRATCH/verify.log" 2>&1 &
VERIFY=$!
reader_start() {
    xenbox run -d "$READER" -- xenfront blk bench -q -p randrw -d 32 -b 512 -t 3600 "$VDEV" >"$SCRATCH/bench.log" 2>&1 &
    BENCH=$!
    wait_store "/local/domain/0/backend/vbd/$READER/$VDEV/state" 4
}
defer eval 'kill -TERM $BENCH 2>/dev/null; wait $BENCH || :'
reader_start
wait_log "$DAEMON_LOG" "vbd $READER/$VDEV: connected"

done_by_reader() {
    ctl --json stats | jq ".[] | select(.domid == $READER) | .reads + .writes"
}

# Only the reader stays connected all the time. At least a million requests on the way, less where threads are watched.
case ${XS_SANITIZERS:-} in
*thread*) REQUESTS=200000 ;;
*) REQUESTS=1000000 ;;
esac
moved=0
until { [ $moved -ge "$MOVES" ] || soaked; } && [ $moved -ge 1000 ] && [ "$(done_by_reader)" -ge $REQUESTS ]; do
    "$XS_BUILDDIR/tests/vbd/mover" "$RUN/control" 1000 3 "$READER/$VDEV" >"$SCRATCH/mover.log" 2>&1 &
    MOVER=$!
    while kill -0 $MOVER 2>/dev/null; do
        # The writer comes and goes: a move that meets it unconnected is refused.
        for worker in 0 1 2; do
            ctl move "$WRITER/$VDEV" "$worker" >/dev/null 2>>"$SCRATCH/refused.log" || :
        done
    done
    wait $MOVER || fail "a move failed: $(cat "$SCRATCH/mover.log")"
    moved=$((moved + 1000))
done
say "$moved moves, $(done_by_reader) requests, $SECONDS s"
! grep -v -E 'expected a connected frontend' "$SCRATCH/refused.log" || fail "a move of the writer failed"
touch "$SCRATCH/enough"
wait $VERIFY || fail "the writer noticed"
kill -0 $BENCH || fail "the reader noticed"
[ "$(ctl --json stats | jq 'map(.errors // 0) | add')" = 0 ] || fail "errors: $(ctl stats)"
# It ends when all that it asked for is answered: nothing is lost, not one request among others that go on.
kill -TERM $BENCH
wait_exit $BENCH || fail "the reader waits for requests that were lost"
status=0
wait $BENCH || status=$?
[ $status = $((128 + 15)) ] || fail "the reader ended with status $status: $(cat "$SCRATCH/bench.log")"
reader_start

say "orders that make no sense"
refused() {
    local pattern=$1
    shift
    expect_fail "$pattern" xensplit --run-dir "$RUN" "$@"
}
refused 'worker: expected a number from 0 to 2, found 3' move "$READER/$VDEV" 3
refused 'queue: expected 0, the only one, found 1' move "$READER/$VDEV" 1 0
refused 'it is not suspended' resume "$READER/$VDEV"
refused 'expected one that is served' move "9/$VDEV" 0
refused 'expected the number of a worker' move "$READER/$VDEV"
wait_store "/local/domain/0/backend/vbd/$WRITER/$VDEV/state" '[56]'
refused 'expected a connected frontend' move "$WRITER/$VDEV" 0

say "suspended: the port is gone, the device is not, and what is asked for waits"
ctl suspend "$READER/$VDEV" | grep -q 'suspended$'
[ "$(ctl --json channels | jq -c '.[] | [.port, .queue_state]')" = '[null,"suspended"]' ]
ctl --json show "$READER/$VDEV" | jq -e '.state == "Connected" and .in_flight == 0'
refused 'it is suspended' suspend "$READER/$VDEV"
refused 'it is suspended' move "$READER/$VDEV" 1
before=$(ctl --json stats | jq ".[] | select(.domid == $READER) | .reads")
ctl resume "$READER/$VDEV" | grep -q 'running$'
until [ "$(ctl --json stats | jq ".[] | select(.domid == $READER) | .reads")" -gt "$before" ]; do
    kill -0 $BENCH || fail "the reader noticed"
done

say "a guest may go while its device is suspended"
ctl suspend "$READER/$VDEV" >/dev/null
xenbox domain destroy "$READER"
wait_log "$DAEMON_LOG" "vbd $READER/$VDEV: gone"
