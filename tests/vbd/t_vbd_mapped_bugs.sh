#!/bin/bash
# SPDX-License-Identifier: MIT
# The try at the start finds out the kernel's historic faults that break I/O on mapped pages (catalogue A08, A17, H07):
# one line says what is wrong, and what the guest reads is right, since it is copied.
. "$(dirname "$0")/../functions.sh"

# tried MODE BUG WORDS: WORDS are what the log says.
tried() {
    box_up --mode="$1" ${2:+--bug="$2"}
    guest_create guest
    truncate -s 8M "$SCRATCH/disk.img"
    daemon_start --workers 1 --engine libaio
    say "$1 ${2:-without a bug}: $(grep 'on mapped grants' "$DAEMON_LOG")"
    [ "$(grep -c 'on mapped grants' "$DAEMON_LOG")" = 1 ] || fail "it is not said in one line"
    grep -q "on mapped grants $3" "$DAEMON_LOG" || fail "expected: on mapped grants $3"
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    in_guest "$DOM" xenfront blk verify --quiet --size=2M "$VDEV"
    xenbox detach "$DOM" vbd "$VDEV"
    daemon_stop
    if [ -z "$2" ]; then
        box_down
    else # its checker finds the bug, too
        xenbox down "$BOX" >>"$SCRATCH/box.log" 2>&1
        unset XENBOX
    fi
    : >"$DAEMON_LOG"
}

copied='is not used here, data is copied:'
for mode in autotranslated pv pv32; do
    tried $mode '' 'was tried and is right here'
done
tried pv H07 "$copied writing a file from mapped pages wrote other data"
tried pv A17 "$copied writing a file from mapped pages failed"
tried pv32 A17 "$copied writing a file from mapped pages failed"
tried pv A08 "$copied I/O on a mapped grant to ourselves did not end"

say "a try that hangs does not keep the next daemon out"
box_up --mode=pv --bug=A08
xenbox run -- xensplitd --run-dir "$SCRATCH/xensplit" --workers 1 --engine libaio 2>>"$DAEMON_LOG" &
DAEMON=$!
end=$((SECONDS + DEADLINE))
until child=$(pgrep -P "$DAEMON"); do
    [ $SECONDS -lt $end ] || fail "there is no process that tries it"
    sleep 0.02
done
defer eval "kill -KILL $child 2>/dev/null || :"
daemon_kill
until flock -n "$SCRATCH/xensplit/lock" true; do
    kill -0 "$child" 2>/dev/null && [ $SECONDS -lt $end ] || break
    sleep 0.02
done
kill -0 "$child" || fail "the lock was free only when the process had ended"
flock -n "$SCRATCH/xensplit/lock" true || fail "the process that tries it holds the lock"
kill -KILL "$child"
wait_exit "$child"
xenbox down "$BOX" >>"$SCRATCH/box.log" 2>&1
unset XENBOX

say "what would have happened without the try"
box_up --mode=pv --bug=H07
guest_create guest
truncate -s 8M "$SCRATCH/disk.img"
daemon_start --workers 1 --engine libaio --mapped-io on
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
expect_fail 'differ' xenbox run -d "$DOM" -- xenfront blk verify --quiet --size=2M "$VDEV"
xenbox detach "$DOM" vbd "$VDEV"
daemon_stop
xenbox down "$BOX" >>"$SCRATCH/box.log" 2>&1
unset XENBOX
