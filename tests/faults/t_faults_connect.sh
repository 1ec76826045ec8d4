#!/bin/bash
# SPDX-License-Identifier: MIT
# Every prefix of a connect fails: whatever Xen or the store refuses in turn while a guest connects, works and closes, and
# while its device is detached and attached, the device closes and says why, or it is tried again; it lets go of exactly
# what it had; and the next connect works.
# limit: 600
. "$(dirname "$0")/../functions.sh"

need jq
CYCLE=$XS_BUILDDIR/tests/faults/cycle
BOARD=$SCRATCH/calls
head -c 4096 /dev/zero >"$BOARD"
# read_board calls|armed|failed; failed_call: which one it was.
read_board() {
    local at
    case $1 in
    calls) at=0 ;;
    armed) at=8 ;;
    failed) at=16 ;;
    esac
    od -A n -t d8 -j $at -N 8 "$BOARD" | tr -d ' '
}
failed_call() {
    tail -c +25 "$BOARD" | head -c 40 | tr '\0' '\n' | head -n 1
}
arm() { # N [NAME]: the N-th call (of this function) from now on fails; 0: none
    local bytes
    { printf '%s' "${2:-}"; head -c 40 /dev/zero; } | head -c 40 | dd of="$BOARD" bs=1 seek=64 conv=notrunc status=none
    printf -v bytes '\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8))
    printf '%b' "$bytes" | dd of="$BOARD" bs=1 seek=8 conv=notrunc status=none
}
# What the daemon has: mappings, event channels, files, records of requests.
holdings() {
    xenbox dump --json | jq -c '[.domains[] | select(.domid == 0) | .limits | .maptrack_frames.used, .event_channels.used]'
    xenbox check | grep -o '[0-9]* maps'
    find "/proc/$DAEMON/fd" -type l -printf '%l\n' | grep -c '^/' # pipes are the emulated event channels'
    ls "$SCRATCH/xensplit/inflight" 2>/dev/null || :
    grep -c "$SCRATCH/xensplit/inflight/" "/proc/$DAEMON/maps" || :
}

box_up
DAEMON_WRAP=(env LD_PRELOAD="$XS_BUILDDIR/tests/faults/.libs/calls.so" XS_CALLS="$BOARD"
    ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0")
daemon_start --workers 1
[ "$(read_board calls)" -gt 0 ] || fail "the library that counts calls is not in the daemon"
truncate -s 1M "$SCRATCH/disk.img"
guest_create
disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
in_guest "$DOM" "$CYCLE" "$VDEV" 5
wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 6
idle=$(holdings)

# works: a cycle succeeds and leaves what was there before.
works() {
    local end=$((SECONDS + DEADLINE))
    until timeout "$DEADLINE" xenbox run -d "$DOM" -- "$CYCLE" "$VDEV" 1 >>"$SCRATCH/cycles.log" 2>&1; do
        [ $SECONDS -lt $end ] || fail "after call $k failed, $(failed_call): $(tail -n 1 "$SCRATCH/cycles.log")"
    done
    wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 6
    [ "$(holdings)" = "$idle" ] || fail "call $k failed, $(failed_call): left $(holdings), expected $idle"
}

# try N [NAME]: a cycle with that call failing. False: there was none. What is refused says so.
refused=
try() {
    local status=0
    : >"$DAEMON_LOG"
    arm "$@"
    timeout "$DEADLINE" xenbox run -d "$DOM" -- "$CYCLE" "$VDEV" 1 >"$SCRATCH/cycle.log" 2>&1 || status=$?
    arm 0
    [ "$(read_board failed)" -gt "$failed" ] || return 1
    failed=$(read_board failed)
    [ $status != 0 ] || return 0
    refused+=" $(failed_call)"
    case $(failed_call) in
    xs_write | xs_transaction_*) ;; # perhaps that of the error node
    *)
        grep -q -E "vbd $DOM/$VDEV( q0)?: .*(cannot|failed|in-flight records)" "$DAEMON_LOG" ||
            fail "$(failed_call) failed, and the log does not say so"
        ! grep -q "expected .*, found [^t]" "$DAEMON_LOG" || fail "$(failed_call) failed, and it is put down to the guest"
        ;;
    esac
}
failed=0
say "a connect: what belongs to the ring"
for call in posix_fallocate xengnttab_map_grant_ref xenevtchn_bind_interdomain; do
    k=$call
    try 1 $call || fail "$call is not called"
    [[ $refused == *" $call" ]] || fail "a connect works without $call"
    in_dom0 xenstore-read "error/backend/vbd/$DOM/$VDEV/error"
    works
done
k=xengnttab_map_domain_grant_refs
try 1 $k || fail "$k is not called"
works

STEP=$(rounds 9 1)
say "a connect, and I/O: each call, or one of $STEP"
for ((k = 1 + RANDOM % STEP; ; k += STEP)); do
    try $k || break
    works
done
say "$k calls; connects refused:$(tr ' ' '\n' <<<"$refused" | sort | uniq -c | tr '\n' ' ')"

say "detached and attached"
again() {
    xenbox detach "$DOM" vbd "$VDEV" --timeout 5 || :
    xenbox attach "$DOM" vbd vdev="$VDEV" params="$SCRATCH/disk.img" --timeout 5
}
for ((k = 1 + RANDOM % STEP; ; k += 3 * STEP)); do
    arm "$k"
    again >>"$SCRATCH/cycles.log" 2>&1 || :
    arm 0
    [ "$(read_board failed)" -gt "$failed" ] || break
    failed=$(read_board failed)
    in_dom0 xenstore-read "/local/domain/0/backend/vbd/$DOM/$VDEV/state" >/dev/null 2>&1 ||
        disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    works
done
say "$k calls"

say "refused, disconnected twice, detached twice"
disconnect() {
    in_guest "$DOM" xenstore-write "device/vbd/$VDEV/state" 5
    in_guest "$DOM" xenstore-write "device/vbd/$VDEV/state" 6
    wait_store "/local/domain/0/backend/vbd/$DOM/$VDEV/state" 6
    [ "$(holdings)" = "$idle" ] || fail "without $k: left $(holdings), expected $idle"
}
for call in posix_fallocate xengnttab_map_grant_ref xenevtchn_bind_interdomain; do
    k=$call
    try 1 $call || fail "$call is not called"
    disconnect
    disconnect
    works
    try 1 $call || fail "$call is not called"
    xenbox detach "$DOM" vbd "$VDEV"
    expect_fail '' xenbox detach "$DOM" vbd "$VDEV"
    disk_attach "$DOM" params="$SCRATCH/disk.img" >/dev/null
    works
done

# Nothing in the store will change by itself, so a list that could not be had is asked for again.
for k in 1 2; do
    say "a daemon that starts, and cannot list the devices: list $k"
    daemon_stop
    arm $k xs_directory
    daemon_start --workers 1
    works
    [ "$(failed_call)" = xs_directory ] || fail "xs_directory is not called $k times"
done
